import Torch

/// Mean and deviation of every channel, of values from 0 to 1; what images are normalised by.
public struct ChannelStatistics: Codable, Sendable, Equatable {
    /// The mean of every channel.
    public let mean: [Double]
    /// The population deviation of every channel; 1 for a channel that is constant.
    public let deviation: [Double]

    /// Takes known statistics.
    public init(mean: [Double], deviation: [Double]) {
        self.mean = mean
        self.deviation = deviation
    }

    /// Those of the photographs of ImageNet, as torchvision's models are trained with.
    public static let imageNet = ChannelStatistics(
        mean: [0.485, 0.456, 0.406],
        deviation: [0.229, 0.224, 0.225]
    )

    /// Those of a set in memory, over all its pixels; of bytes from sums of whole numbers, hence
    /// exact.
    public init(of set: ImageSet) {
        guard set.images.dtype == .uint8 else {
            let x = set.images.converted(to: .float64)
            let variances: [Double] = x.variance(axes: [0, 2, 3], correction: 0).values()
            self.init(
                mean: x.mean(axes: [0, 2, 3]).values(),
                deviation: variances.map { $0 > 1e-9 / 65_025 ? $0.squareRoot() : 1 }
            )
            return
        }
        self.init(adding: set) { set.images[$0] }
    }

    /// Those of a set wherever its images are.
    ///
    /// - Parameter set: The images; all of them are read if they stay in files.
    /// - Throws: The error of an image that cannot be read.
    public init(reading set: ImageSet) throws {
        guard set.isStreamed else {
            self.init(of: set)
            return
        }
        try self.init(adding: set) { try set.stored(Array($0)) }
    }

    private init(adding set: ImageSet, read: (Range<Int>) throws -> Tensor) rethrows {
        // Int64 copies of four million values at a time.
        let chunk = max(1, 4_194_304 / (set.channels * set.height * set.width))
        var sums = [Int](repeating: 0, count: set.channels)
        var squares = sums
        for start in stride(from: 0, to: set.count, by: chunk) {
            let part = try read(start..<min(start + chunk, set.count)).converted(to: .int64)
            let sum: [Int] = part.sum(axes: [0, 2, 3]).values()
            let square: [Int] = (part * part).sum(axes: [0, 2, 3]).values()
            for channel in sums.indices {
                sums[channel] += sum[channel]
                squares[channel] += square[channel]
            }
        }
        let count = Double(set.count * set.height * set.width)
        let means = sums.map { Double($0) / count }
        mean = means.map { $0 / 255 }
        deviation = zip(squares, means).map { square, mean in
            let variance = Double(square) / count - mean * mean
            return variance > 1e-9 ? variance.squareRoot() / 255 : 1
        }
    }

    /// (x − mean) / deviation, channel by channel: [B, C, H, W] → the same shape.
    public func normalized(_ x: Tensor) -> Tensor {
        let scale = Tensor(deviation.map { Float(1 / $0) }, shape: [1, deviation.count, 1, 1])
        let shift = Tensor(
            zip(mean, deviation).map { Float(-$0 / $1) },
            shape: [1, mean.count, 1, 1]
        )
        return x * scale.moved(to: x.device) + shift.moved(to: x.device)
    }

    /// x·deviation + mean, channel by channel, the inverse: [B, C, H, W] → the same shape.
    public func denormalized(_ x: Tensor) -> Tensor {
        let scale = Tensor(deviation.map { Float($0) }, shape: [1, deviation.count, 1, 1])
        let shift = Tensor(mean.map { Float($0) }, shape: [1, mean.count, 1, 1])
        return x * scale.moved(to: x.device) + shift.moved(to: x.device)
    }
}
