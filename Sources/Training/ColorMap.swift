import Torch

/// An affine map of the colours of one image, y = M·x + v.
///
/// Brightness, contrast, saturation, lighting and normalisation are all of this kind, so that a
/// whole chain of them costs one pass over the pixels. Nothing is clamped between them, as in the
/// reference (vimar-gu/MinimaxDiffusion, `misc/utils.py`).
package struct ColorMap: Equatable {
    /// M, [C, C].
    package private(set) var matrix: [[Double]]
    /// v, [C].
    package private(set) var offset: [Double]

    /// Leaves every colour as it is.
    package static func identity(channels: Int) -> ColorMap {
        let matrix = (0..<channels).map { row in
            (0..<channels).map { $0 == row ? 1.0 : 0.0 }
        }
        return ColorMap(matrix: matrix, offset: [Double](repeating: 0, count: channels))
    }

    /// The share of each channel in the grey value; equal shares if there are not three.
    package static func greyWeights(channels: Int) -> [Double] {
        channels == 3
            ? [0.299, 0.587, 0.114]
            : [Double](repeating: 1 / Double(channels), count: channels)
    }

    /// Moves towards black: x + α·(0 − x).
    package mutating func changeBrightness(by alpha: Double) {
        matrix = matrix.map { $0.map { $0 * (1 - alpha) } }
        offset = offset.map { $0 * (1 - alpha) }
    }

    /// Moves towards the mean grey value ḡ of the image: x + α·(ḡ − x).
    ///
    /// - Parameters:
    ///   - alpha: α.
    ///   - mean: The mean colour of the image before this map.
    package mutating func changeContrast(by alpha: Double, mean: [Double]) {
        let grey = zip(ColorMap.greyWeights(channels: mean.count), applied(to: mean))
            .reduce(0) { $0 + $1.0 * $1.1 }
        changeBrightness(by: alpha)
        offset = offset.map { $0 + alpha * grey }
    }

    /// Moves towards the grey value g of the pixel: x + α·(g − x).
    package mutating func changeSaturation(by alpha: Double) {
        let weights = ColorMap.greyWeights(channels: offset.count)
        let greyRow = matrix.indices.map { column in
            zip(weights, matrix).reduce(0) { $0 + $1.0 * $1.1[column] }
        }
        let greyOffset = zip(weights, offset).reduce(0) { $0 + $1.0 * $1.1 }
        matrix = matrix.map { row in
            zip(row, greyRow).map { $0 + alpha * ($1 - $0) }
        }
        offset = offset.map { $0 + alpha * (greyOffset - $0) }
    }

    /// Adds one colour everywhere: x + d.
    package mutating func shift(by difference: [Double]) {
        offset = zip(offset, difference).map { $0 + $1 }
    }

    /// Centres and scales: (x − mean) / deviation.
    package mutating func normalize(by statistics: ChannelStatistics) {
        for channel in offset.indices {
            let deviation = statistics.deviation[channel]
            matrix[channel] = matrix[channel].map { $0 / deviation }
            offset[channel] = (offset[channel] - statistics.mean[channel]) / deviation
        }
    }

    /// The map of one colour: M·x + v.
    private func applied(to color: [Double]) -> [Double] {
        zip(matrix, offset).map { row, offset in
            zip(row, color).reduce(offset) { $0 + $1.0 * $1.1 }
        }
    }

    /// Maps every image of a batch with its own map: [B, C, H, W] → the same shape.
    package static func apply(_ maps: [ColorMap], to x: Tensor) -> Tensor {
        let (batch, channels) = (x.size(along: 0), x.size(along: 1))
        let matrices = Tensor(
            maps.flatMap { $0.matrix.flatMap { $0.map { Float($0) } } },
            shape: [batch, channels, channels]
        )
        let offsets = Tensor(
            maps.flatMap { $0.offset.map { Float($0) } },
            shape: [batch, channels, 1]
        )
        let pixels = x.reshaped(batch, channels, -1)  // [B, C, H·W]
        let mapped =
            channels == 1
            ? matrices.moved(to: x.device) * pixels
            : matrices.moved(to: x.device).matmul(pixels)
        return (mapped + offsets.moved(to: x.device)).reshaped(x.shape)
    }
}
