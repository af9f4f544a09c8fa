import Torch

/// What lies between images and the latents that a diffusion model works on.
///
/// Latents are in the units of the diffusion model: the shift and scale factor of an autoencoder
/// are applied by `posterior(of:)` and undone by `reconstruction(of:)`.
///
/// Shape letters: B images, C image channels, H×W pixels, c latent channels, h×w positions of a
/// latent.
public protocol ImageAutoencoder {
    /// What it is, and which images and latents it works with.
    var description: AutoencoderDescription { get }

    /// The tensors that its latents depend on, by name: what tells two encoders apart.
    var encoderState: StateDictionary { get }

    /// The latents of images.
    ///
    /// - Parameter x: float32 [B, C, H, W], values in `description.valueRange`; H and W are
    ///   multiples of `description.downsampling`.
    /// - Returns: [B, c, h, w].
    func posterior(of x: Tensor) -> LatentPosterior

    /// The images of latents.
    ///
    /// - Parameter latents: [B, c, h, w].
    /// - Returns: float32 [B, C, H, W], about `description.valueRange`, not limited to it.
    func reconstruction(of latents: Tensor) -> Tensor
}

extension ImageAutoencoder {
    /// The latents of images in bytes: uint8 [B, C, H, W] → [B, c, h, w].
    ///
    /// Nothing is recorded for gradients.
    public func encoded(_ images: Tensor) -> LatentPosterior {
        let range = description.valueRange
        return withoutGradient {
            var x = images.converted(to: .float32) * (1 / 255)
            if range != 0...1 {
                x = x * (range.upperBound - range.lowerBound) + range.lowerBound
            }
            return posterior(of: x)
        }
    }

    /// The images of latents in bytes, rounded and limited to 0…255: [B, c, h, w] → uint8
    /// [B, C, H, W].
    ///
    /// Nothing is recorded for gradients.
    public func decoded(_ latents: Tensor) -> Tensor {
        let range = description.valueRange
        return withoutGradient {
            var x = reconstruction(of: latents)
            if range != 0...1 {
                x = (x - range.lowerBound) * (1 / (range.upperBound - range.lowerBound))
            }
            x = (x * 255 + 0.5).clamped(to: 0...255).floor()
            return x.converted(to: .uint8)
        }
    }
}

/// The distribution of the latents of some images: independent normal numbers, or points.
public struct LatentPosterior {
    /// [B, c, h, w], float32.
    public let mean: Tensor
    /// [B, c, h, w], float32; nil where it is zero.
    public let deviation: Tensor?

    /// Puts a distribution together.
    public init(mean: Tensor, deviation: Tensor? = nil) {
        self.mean = mean
        self.deviation = deviation
    }

    /// mean + deviation·ε, with ε of the same shape.
    public func sampled(noise: Tensor) -> Tensor {
        guard let deviation else { return mean }
        return mean + deviation * noise.moved(to: mean.device)
    }

    /// mean + deviation·ε with standard normal numbers; draws none where the deviation is zero.
    public func sampled(using generator: inout RandomGenerator) -> Tensor {
        guard deviation != nil else { return mean }
        return sampled(noise: generator.normal(mean.shape))
    }
}

/// The affine map between the latents of an autoencoder and those of a diffusion model:
/// (z − shift)·scale.
public struct LatentScaling: Codable, Sendable, Equatable {
    /// What is subtracted: one number, or one for each channel.
    public let shift: [Double]
    /// What is multiplied with afterwards: one number, or one for each channel.
    public let scale: [Double]

    /// Describes a map; without numbers nothing is changed.
    public init(shift: [Double] = [0], scale: [Double] = [1]) {
        self.shift = shift
        self.scale = scale
    }

    private func row(_ values: [Double], on device: Device) -> Tensor {
        Tensor(values.map { Float($0) }, shape: [1, values.count, 1, 1]).moved(to: device)
    }

    /// (z − shift)·scale: [B, c, h, w] → [B, c, h, w].
    public func scaled(_ z: Tensor) -> Tensor {
        let x = shift.allSatisfy { $0 == 0 } ? z : z - row(shift, on: z.device)
        return scaled(deviation: x)
    }

    /// The deviation of scaled latents: [B, c, h, w] → [B, c, h, w].
    public func scaled(deviation: Tensor) -> Tensor {
        scale.allSatisfy { $0 == 1 } ? deviation : deviation * row(scale, on: deviation.device)
    }

    /// The inverse of `scaled`: [B, c, h, w] → [B, c, h, w].
    public func unscaled(_ latents: Tensor) -> Tensor {
        let device = latents.device
        let z = scale.allSatisfy { $0 == 1 } ? latents : latents / row(scale, on: device)
        return shift.allSatisfy { $0 == 0 } ? z : z + row(shift, on: device)
    }
}
