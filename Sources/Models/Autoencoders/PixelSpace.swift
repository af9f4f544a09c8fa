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

    /// What is wrong with these numbers, or nil.
    public var problem: String? {
        if mean.isEmpty || mean.count != deviation.count {
            return "mean and deviation must have one number for each channel, but have "
                + "\(mean.count) and \(deviation.count)"
        }
        if let value = deviation.first(where: { !($0 > 0) }) {
            return "the deviation must be above 0, but is \(value)"
        }
        return nil
    }
}

extension PixelSpace: ImageAutoencoder {
    /// Its numbers.
    public var description: AutoencoderDescription { .pixels(self) }

    /// Nothing: the description says it all.
    public var encoderState: StateDictionary { StateDictionary() }

    /// Values between 0 and 1 with mean 0 and deviation 1 over the training set: [B, C, H, W] →
    /// [B, C, H, W].
    public func posterior(of x: Tensor) -> LatentPosterior {
        LatentPosterior(mean: (x - row(mean, on: x.device)) / row(deviation, on: x.device))
    }

    /// The inverse of `posterior`: [B, C, H, W] → [B, C, H, W].
    public func reconstruction(of latents: Tensor) -> Tensor {
        latents * row(deviation, on: latents.device) + row(mean, on: latents.device)
    }
}
