// Resampling in the fixed-point arithmetic of Pillow (`Image.resize` for 8-bit images), so that
// pictures prepared here equal those prepared in Python bit for bit. Rows are resampled first,
// then columns, with an 8-bit image in between. (Recent Pillow versions start with the columns
// for some tall images; results then differ by at most one level.)

/// How a resized image computes its pixels.
public enum ResamplingFilter: String, Codable, CaseIterable, Sendable {
    /// Copies the source pixel under the centre of each target pixel.
    case nearest
    /// Averages over the area of the target pixel.
    case box
    /// A triangle of radius 1; widened when shrinking, so that nothing is skipped.
    case bilinear
    /// Keys' cubic with a = −0.5, radius 2; widened when shrinking.
    case bicubic

    /// The radius of the filter at scale 1, in source pixels.
    fileprivate var radius: Double {
        switch self {
        case .nearest: 0
        case .box: 0.5
        case .bilinear: 1
        case .bicubic: 2
        }
    }

    /// The filter's weight at a distance from its centre.
    fileprivate func weight(at distance: Double) -> Double {
        let x = distance.magnitude
        switch self {
        case .nearest: return 0
        case .box: return distance > -0.5 && distance <= 0.5 ? 1 : 0
        case .bilinear: return x < 1 ? 1 - x : 0
        case .bicubic:
            let a = -0.5
            if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
            if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
            return 0
        }
    }
}

extension Image {
    /// The image scaled to another size, equal to Pillow's `resize` bit for bit.
    ///
    /// Traps if a size is below 1.
    ///
    /// - Parameters:
    ///   - width: Pixels in a row of the result.
    ///   - height: Rows of the result.
    ///   - filter: How pixels are computed.
    /// - Returns: An image of that size; the same one if it has that size already.
    public func resized(width: Int, height: Int, filter: ResamplingFilter) -> Image {
        guard width >= 1, height >= 1 else {
            fatalError("Image: cannot be resized to \(width)×\(height) pixels.")
        }
        if filter == .nearest { return resizedToNearest(width: width, height: height) }
        var image = self
        if width != image.width {
            image = image.resampledRows(
                Kernel(sourceCount: image.width, targetCount: width, filter: filter)
            )
        }
        if height != image.height {
            image = image.resampledColumns(
                Kernel(sourceCount: image.height, targetCount: height, filter: filter)
            )
        }
        return image
    }

    private func resizedToNearest(width: Int, height: Int) -> Image {
        /// The source position of each target position. Pillow adds up the step, which can
        /// differ from a product in the last bit.
        func sources(of targetCount: Int, in sourceCount: Int) -> [Int] {
            let step = Double(sourceCount) / Double(targetCount)
            var position = step * 0.5
            return (0..<targetCount).map { _ in
                defer { position += step }
                return min(Int(position), sourceCount - 1)
            }
        }
        let columns = sources(of: width, in: self.width)
        let rows = sources(of: height, in: self.height)
        return Image(width: width, height: height, channels: channels) { target in
            var i = 0
            for row in rows {
                for column in columns {
                    for c in 0..<channels {
                        target[i] = bytes[(row * self.width + column) * channels + c]
                        i += 1
                    }
                }
            }
        }
    }

    /// Scales every row.
    private func resampledRows(_ kernel: Kernel) -> Image {
        let width = kernel.spans.count
        return Image(width: width, height: height, channels: channels) { target in
            bytes.withUnsafeBufferPointer { source in
                kernel.weights.withUnsafeBufferPointer { weights in
                    for y in 0..<height {
                        for (x, span) in kernel.spans.enumerated() {
                            let weights = weights[
                                span.firstWeight..<(span.firstWeight + span.count)
                            ]
                            let first = (y * self.width + span.start) * channels
                            let place = (y * width + x) * channels
                            if channels == 1 {
                                target[place] = Kernel.level(weights, source, from: first)
                            } else {
                                let rgb = Kernel.levels(weights, source, from: first)
                                (target[place], target[place + 1], target[place + 2]) = rgb
                            }
                        }
                    }
                }
            }
        }
    }

    /// Scales every column: whole rows are added up, weighted.
    private func resampledColumns(_ kernel: Kernel) -> Image {
        let stride = width * channels
        var sums = [Int32](repeating: 0, count: stride)
        return Image(width: width, height: kernel.spans.count, channels: channels) { target in
            bytes.withUnsafeBufferPointer { source in
                sums.withUnsafeMutableBufferPointer { sums in
                    for (y, span) in kernel.spans.enumerated() {
                        sums.update(repeating: Kernel.half)
                        for k in 0..<span.count {
                            let weight = kernel.weights[span.firstWeight + k]
                            let row = (span.start + k) * stride
                            for i in 0..<stride {
                                sums[i] &+= Int32(source[row + i]) &* weight
                            }
                        }
                        for i in 0..<stride { target[y * stride + i] = Kernel.level(sums[i]) }
                    }
                }
            }
        }
    }
}

/// The fixed-point weights of the source pixels of every target pixel along one axis.
private struct Kernel {
    /// The source pixels that one target pixel is made of.
    struct Span {
        var start: Int
        var count: Int
        var firstWeight: Int
    }

    /// 8 bits are for the level, 2 for overshoot and sign of the sum.
    static let fractionBits: Int32 = 32 - 8 - 2
    /// One half, so that the final shift rounds.
    static let half: Int32 = 1 << (fractionBits - 1)

    private(set) var spans: [Span] = []
    private(set) var weights: [Int32] = []

    init(sourceCount: Int, targetCount: Int, filter: ResamplingFilter) {
        let scale = Double(sourceCount) / Double(targetCount)
        // When shrinking, the filter is widened to cover everything between target pixels.
        let filterScale = max(scale, 1)
        let radius = filter.radius * filterScale
        let inverseScale = 1 / filterScale
        for target in 0..<targetCount {
            let center = (Double(target) + 0.5) * scale
            let start = max(Int(center - radius + 0.5), 0)
            let end = min(Int(center + radius + 0.5), sourceCount)
            let exact = (start..<end).map { source in
                filter.weight(at: (Double(source) - center + 0.5) * inverseScale)
            }
            let sum = exact.reduce(0, +)
            spans.append(Span(start: start, count: exact.count, firstWeight: weights.count))
            for weight in exact {
                let scaled = (sum == 0 ? weight : weight / sum) * Double(1 << Self.fractionBits)
                weights.append(Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5))
            }
        }
    }

    typealias Bytes = UnsafeBufferPointer<UInt8>
    typealias Weights = Slice<UnsafeBufferPointer<Int32>>

    /// The weighted mean of grey pixels that lie side by side.
    @inline(__always)
    static func level(_ weights: Weights, _ source: Bytes, from first: Int) -> UInt8 {
        var sum = half
        var i = first
        for weight in weights {
            sum &+= Int32(source[i]) &* weight
            i &+= 1
        }
        return level(sum)
    }

    /// The weighted mean of RGB pixels that lie side by side.
    @inline(__always)
    static func levels(
        _ weights: Weights,
        _ source: Bytes,
        from first: Int
    ) -> (UInt8, UInt8, UInt8) {
        var (red, green, blue) = (half, half, half)
        var i = first
        for weight in weights {
            red &+= Int32(source[i]) &* weight
            green &+= Int32(source[i &+ 1]) &* weight
            blue &+= Int32(source[i &+ 2]) &* weight
            i &+= 3
        }
        return (level(red), level(green), level(blue))
    }

    /// The level, 0 to 255, of a sum that began with ``half``.
    static func level(_ sum: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: min(max(sum >> fractionBits, 0), 255))
    }
}
