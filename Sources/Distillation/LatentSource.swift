import Models
import Torch

/// The training set as a diffusion model sees it: latents with labels.
public protocol LatentSource {
    /// Number of images.
    var count: Int { get }
    /// The class of every image, from 0.
    var labels: [Int] { get }
    /// [C, H, W] of one latent.
    var latentShape: [Int] { get }
    /// The latents of some images, float32 [B, C, H, W].
    ///
    /// - Parameters:
    ///   - indices: Which images.
    ///   - generator: For what is drawn at use: flips, the posterior of an autoencoder.
    /// - Returns: The latents in the order of the indices.
    func latents(_ indices: [Int], using generator: inout RandomGenerator) -> Tensor
}

/// Images of one size in memory, used as they are up to shift and scale.
public struct PixelLatents: LatentSource {
    /// The images, uint8 [N, C, H, W].
    public let images: Tensor
    /// The class of every image, from 0.
    public let labels: [Int]
    /// Shift and scale.
    public let space: PixelSpace
    /// Whether half of the images, chosen anew at each use, are mirrored.
    public let flips: Bool

    /// Wraps images.
    public init(images: Tensor, labels: [Int], space: PixelSpace, flips: Bool) {
        self.images = images
        self.labels = labels
        self.space = space
        self.flips = flips
    }

    /// Number of images.
    public var count: Int { labels.count }

    /// [C, H, W] of one image.
    public var latentShape: [Int] { Array(images.shape.dropFirst()) }

    /// The images centred and scaled, float32 [B, C, H, W].
    public func latents(_ indices: [Int], using generator: inout RandomGenerator) -> Tensor {
        let x = space.encoded(images.gathered(indices))
        guard flips else { return x }
        let flags = generator.uniform([indices.count, 1, 1, 1]).compared(.less, to: 0.5)
        return .choose(flags.moved(to: x.device), x.flipped(along: 3), else: x)
    }
}
