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

/// Images of one size in memory, encoded anew at every use.
///
/// This is the place for pixel models, whose "encoder" only shifts and scales; for others a
/// ``CachedLatents`` is far quicker.
public struct ImageLatents: LatentSource {
    /// The images, uint8 [N, C, H, W].
    public let images: Tensor
    /// The class of every image, from 0.
    public let labels: [Int]
    /// What makes latents of them.
    public let autoencoder: any ImageAutoencoder
    /// Whether half of the images, chosen anew at each use, are mirrored.
    public let flips: Bool
    /// [c, h, w] of one latent.
    public let latentShape: [Int]

    /// Wraps images.
    ///
    /// - Parameters:
    ///   - images: uint8 [N, C, H, W].
    ///   - labels: The class of every image, from 0.
    ///   - autoencoder: What makes latents of them.
    ///   - flips: Whether half of the images, chosen anew at each use, are mirrored.
    /// - Throws: `NetworkError` if the autoencoder cannot encode images of this size.
    public init(
        images: Tensor,
        labels: [Int],
        autoencoder: any ImageAutoencoder,
        flips: Bool
    ) throws(NetworkError) {
        let shape = images.shape  // [N, C, H, W]
        let description = autoencoder.description
        try description.requireFit(height: shape[2], width: shape[3], channels: shape[1])
        self.images = images
        self.labels = labels
        self.autoencoder = autoencoder
        self.flips = flips
        latentShape = description.latentShape(height: shape[2], width: shape[3])
    }

    /// Number of images.
    public var count: Int { labels.count }

    /// The latents of some images, float32 [B, c, h, w].
    public func latents(_ indices: [Int], using generator: inout RandomGenerator) -> Tensor {
        var x = images.gathered(indices)  // [B, C, H, W]
        if flips {
            let flags = generator.flipFlags(indices.count).moved(to: x.device)
            x = .choose(flags, x.flipped(along: 3), else: x)
        }
        return autoencoder.encoded(x).sampled(using: &generator)
    }
}

/// The images of some classes of another source; their labels stay the same.
public struct SomeLatents: LatentSource {
    /// The class of every image, as in the source.
    public let labels: [Int]
    private let source: any LatentSource
    private let places: [Int]

    /// Chooses classes.
    ///
    /// - Parameters:
    ///   - source: All images.
    ///   - labels: The classes that are wanted.
    public init(of source: any LatentSource, labels: [Int]) {
        let wanted = Set(labels)
        self.source = source
        let all = source.labels
        places = all.indices.filter { wanted.contains(all[$0]) }
        self.labels = places.map { all[$0] }
    }

    /// Number of images.
    public var count: Int { places.count }

    /// [C, H, W] of one latent.
    public var latentShape: [Int] { source.latentShape }

    /// The latents of some images, float32 [B, C, H, W].
    public func latents(_ indices: [Int], using generator: inout RandomGenerator) -> Tensor {
        source.latents(indices.map { places[$0] }, using: &generator)
    }
}

extension RandomGenerator {
    /// Which images of a batch are mirrored: each with probability ½, [count, 1, 1, 1].
    mutating func flipFlags(_ count: Int) -> Tensor {
        uniform([count, 1, 1, 1]).compared(.less, to: 0.5)
    }
}
