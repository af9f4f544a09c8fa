import Distillation
import Foundation
import Models
import Torch

/// What encoding the training set will need, measured on one of its images.
public struct EncodingEstimate: Sendable, Equatable {
    /// Wall time of encoding all images, in seconds.
    public let encodeSeconds: Double
    /// Wall time of decoding one latent, in seconds.
    public let decodeSecondsPerImage: Double
    /// Largest resident memory so far, in bytes.
    public let memoryBytes: Int
    /// Room for the cache, in bytes.
    public let diskBytes: Int

    /// For people.
    public var text: String {
        String(
            format: """
                encoding      about %.1f min
                memory        at least %.1f GB
                disk          about %.0f MB
                """,
            encodeSeconds / 60,
            Double(memoryBytes) / 1e9,
            Double(diskBytes) / 1e6
        )
    }
}

/// Noise of the form of latents, for measuring a training that has no cache yet.
private struct NoiseLatents: LatentSource {
    let labels: [Int]
    let latentShape: [Int]
    var count: Int { labels.count }

    func latents(_ indices: [Int], using generator: inout RandomGenerator) -> Tensor {
        generator.normal([indices.count] + latentShape)
    }
}

extension Pipeline {
    /// Measures encoding and decoding; nothing of it is kept.
    ///
    /// - Parameter wanted: What a model was trained with; nil for what the recipe says.
    /// - Returns: The estimate; nil for models that work on pixels.
    /// - Throws: `RunError` or `NetworkError` for settings that do not fit.
    public func encodingEstimate(
        _ wanted: AutoencoderDescription? = nil
    ) throws -> EncodingEstimate? {
        let autoencoder = try autoencoder(wanted)
        let description = autoencoder.description
        if case .pixels = description { return nil }
        let train = try data().train
        try description.requireFit(
            height: train.height,
            width: train.width,
            channels: train.channels
        )
        lowerWeights(of: autoencoder)
        let images = train.images[0..<1]
        let latents = Tensor.zeros(
            [1] + description.latentShape(height: train.height, width: train.width)
        )
        let count = train.count * (recipe.data.flips ? 2 : 1)
        let encode = seconds { autoencoder.encoded(images).mean }
        let decode = seconds { autoencoder.decoded(latents) }
        return EncodingEstimate(
            encodeSeconds: encode * Double(count),
            decodeSecondsPerImage: decode,
            memoryBytes: Memory.peakBytes(on: device),
            diskBytes: count * (description.hasDeviation ? 2 : 1) * latents.count * 4
        )
    }

    /// The second of two calls: the first one is slower.
    private func seconds(_ body: () -> Tensor) -> Double {
        var seconds = 0.0
        for _ in 0..<2 {
            let start = ContinuousClock.now
            _ = withAutocast(environment.precision, on: device, body)
            device.synchronize()
            seconds = (ContinuousClock.now - start) / .seconds(1)
        }
        return seconds
    }

    /// What a training is measured on: the images, or noise in place of latents.
    func estimateSource(_ model: ModelFile.Description) throws -> any LatentSource {
        if case .pixels = model.autoencoder { return try latents(model.autoencoder) }
        let train = try data().train
        return NoiseLatents(
            labels: train.labels,
            latentShape: model.autoencoder.latentShape(height: train.height, width: train.width)
        )
    }
}
