import Distillation
import Foundation
import Models
import Torch

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
    /// Measures the encoding of one image.
    func estimateEncoding() throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        let autoencoder = try autoencoder()
        let description = autoencoder.description
        if case .pixels = description {
            return (.init(stage: "encode", work: "the model works on pixels", seconds: 0), 0)
        }
        let data = try data()
        try description.requireFit(
            height: data.height,
            width: data.width,
            channels: data.channels
        )
        let images = try RunData.load(data.source.subset([0]), recipe.data).images.moved(to: device)
        let count = data.count * (recipe.data.flips ? 2 : 1)
        let shape = description.latentShape(height: data.height, width: data.width)
        return (
            .init(
                stage: "encode",
                work: "\(data.count) images" + (recipe.data.flips ? ", both flips" : ""),
                seconds: seconds { autoencoder.encoded(images).mean } * Double(count)
            ),
            count * (description.hasDeviation ? 2 : 1) * shape.reduce(1, *) * 4
        )
    }

    /// The time in which a latent becomes an image.
    func decodingSeconds(_ model: ModelFile.Description) throws -> Double {
        let autoencoder = try autoencoder(model.autoencoder)
        lowerWeights(of: autoencoder)
        let a = model.architecture
        let latents = Tensor.zeros([1, a.channels, a.inputSize, a.inputSize], device: device)
        return seconds {
            withAutocast(environment.precision, on: device) { autoencoder.decoded(latents) }
        }
    }

    /// The second of two calls: the first one is slower.
    private func seconds(_ body: () -> Tensor) -> Double {
        var seconds = 0.0
        for _ in 0..<2 {
            let start = ContinuousClock.now
            _ = body()
            device.synchronize()
            seconds = (ContinuousClock.now - start) / .seconds(1)
        }
        return seconds
    }

    /// What a training of no steps is given, or one that is only measured: the images, or noise in
    /// place of latents, which need not be encoded for that.
    func unencodedSource(_ autoencoder: AutoencoderDescription) throws -> any LatentSource {
        if case .pixels = autoencoder { return try latents(autoencoder) }
        let data = try data()
        return NoiseLatents(
            labels: (0..<data.count).map(data.source.label),
            latentShape: autoencoder.latentShape(height: data.height, width: data.width)
        )
    }
}
