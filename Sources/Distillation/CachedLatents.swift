import Datasets
import Foundation
import Images
import Models
import Torch
import Training

/// The training set out of a cache of latents, drawn anew from their posterior at every use.
public struct CachedLatents: LatentSource {
    /// The latents.
    public let cache: LatentCache
    /// Whether half of the images, chosen anew at each use, are mirrored.
    public let flips: Bool

    /// Wraps a cache.
    ///
    /// - Parameters:
    ///   - cache: The latents.
    ///   - flips: Whether half of the images, chosen anew at each use, are mirrored.
    /// - Throws: `DatasetError` if mirrored images are wanted, but not in the cache.
    public init(_ cache: LatentCache, flips: Bool) throws(DatasetError) {
        guard cache.hasFlips || !flips else {
            throw DatasetError(
                .otherLatents,
                "\(cache.folder.path): the latent cache has no mirrored images. Encode them too, "
                    + "or train without flips (data.flips=false)."
            )
        }
        self.cache = cache
        self.flips = flips
    }

    /// Number of images.
    public var count: Int { cache.count }

    /// The class of every image, from 0.
    public var labels: [Int] { cache.labels }

    /// [c, h, w] of one latent.
    public var latentShape: [Int] { cache.latentShape }

    /// mean + deviation·ε of some images, float32 [B, c, h, w].
    ///
    /// The draws are those of ``ImageLatents``: with the same generator both give the same latents.
    public func latents(_ indices: [Int], using generator: inout RandomGenerator) -> Tensor {
        let isMirrored: [Bool] =
            flips
            ? generator.flipFlags(indices.count).values()
            : [Bool](repeating: false, count: indices.count)
        let found = cache.posterior(of: indices, isMirrored: isMirrored)
        return LatentPosterior(mean: found.mean, deviation: found.deviation)
            .sampled(using: &generator)
    }
}

extension LatentCacheKey {
    /// The key of the latents that an autoencoder makes of a dataset.
    ///
    /// Compute it before the weights are moved to another type.
    ///
    /// - Parameters:
    ///   - autoencoder: The encoder, with its original weights.
    ///   - dataset: The fingerprint of the images.
    ///   - imageSize: Pixels a side of the centre crop; 0 for none.
    ///   - channels: Channels that the images are converted to; 0 for none.
    ///   - hasFlips: Whether mirrored images are encoded too.
    ///   - storage: How the latents are stored, float32 or float16.
    /// - Throws: `EncodingError` if the description has numbers that are not finite.
    public init(
        _ autoencoder: any ImageAutoencoder,
        dataset: String,
        imageSize: Int,
        channels: Int,
        hasFlips: Bool = true,
        storage: DType = .float32
    ) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var hash = SHA256()
        hash.add(try encoder.encode(autoencoder.description))
        hash.add(Array(autoencoder.encoderState.fingerprint().utf8))
        self.init(
            dataset: dataset,
            autoencoder: hash.hexadecimalDigest,
            imageSize: imageSize,
            channels: channels,
            hasFlips: hasFlips,
            storage: storage
        )
    }
}
