import Torch

/// The "latent space" of a model that works on pixels: images are centred and scaled by the
/// training set's mean and deviation, nothing else.
///
/// Without it the black background of small greyscale images would dominate every cosine between
/// two of them, and with it the criteria of Minimax Diffusion.
public struct PixelSpace: Codable, Sendable, Equatable {
    /// Mean of each channel, of values between 0 and 1.
    public let mean: [Double]
    /// Standard deviation of each channel, of values between 0 and 1.
    public let deviation: [Double]

    /// Describes the space.
    public init(mean: [Double], deviation: [Double]) {
        self.mean = mean
        self.deviation = deviation
    }

    /// The space of a training set.
    ///
    /// - Parameter images: uint8 [N, C, H, W].
    public init(measuring images: Tensor) {
        var means = [Double]()
        var deviations = [Double]()
        for channel in 0..<images.size(along: 1) {
            // Counts of the 256 values are exact, whatever the number of images.
            let values: [UInt8] = images.selected(channel, along: 1).values()
            var counts = [Int](repeating: 0, count: 256)
            for value in values { counts[Int(value)] += 1 }
            let total = Double(max(values.count, 1))
            let mean = counts.enumerated().reduce(0) { $0 + Double($1.offset * $1.element) } / total
            let square =
                counts.enumerated()
                .reduce(0) { $0 + Double($1.offset * $1.offset * $1.element) } / total
            means.append(mean / 255)
            deviations.append(max((square - mean * mean).squareRoot(), 1) / 255)
        }
        self.init(mean: means, deviation: deviations)
    }

    private func row(_ values: [Double], on device: Device) -> Tensor {
        Tensor(values.map { Float($0) }, shape: [1, values.count, 1, 1]).moved(to: device)
    }

    /// uint8 [B, C, H, W] → float32 with mean 0 and deviation 1 over the training set.
    public func encoded(_ images: Tensor) -> Tensor {
        let x = images.converted(to: .float32) * (1 / 255)
        return (x - row(mean, on: x.device)) / row(deviation, on: x.device)
    }

    /// The inverse of `encoded`, rounded and limited to 0…255: uint8 [B, C, H, W].
    public func decoded(_ latents: Tensor) -> Tensor {
        var x = latents * row(deviation, on: latents.device) + row(mean, on: latents.device)
        x = (x * 255 + 0.5).clamped(to: 0...255).floor()
        return x.converted(to: .uint8)
    }
}
