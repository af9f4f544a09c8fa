import Datasets
import Distillation
import Foundation
import Images
import Models
import TestSupport
import Testing
import Torch

/// A small random AutoencoderKL: its latents have a deviation, and mirroring an image does more
/// than mirroring its latent.
private func autoencoder() throws -> AutoencoderKL {
    var configuration = AutoencoderKL.Configuration()
    configuration.blockChannels = [4, 4]
    configuration.normGroupCount = 2
    configuration.layersPerBlock = 1
    configuration.latentChannels = 2
    let model = try AutoencoderKL(configuration)
    var generator = RandomGenerator(seed: 8, purpose: .initialization)
    model.initializeWeights(using: &generator)
    model.freeze()
    return model
}

@Suite("Latents out of a cache")
struct CachedLatentsTests {
    /// Six images of three classes, and what was cached of them.
    private func withCache(
        hasFlips: Bool = true,
        _ body: (LatentCache, PackedImages, AutoencoderKL) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            let place = folder.appendingPathComponent("images")
            let writer = try SurrogateWriter(folder: place, classNames: ["a", "b", "c"])
            for k in 0..<6 {
                var generator = RandomGenerator(seed: UInt64(k))
                let bytes = generator.words(8 * 8 * 3).map { UInt8($0 >> 24) }
                try writer.write(
                    Image(width: 8, height: 8, channels: 3, bytes: bytes),
                    label: k / 2,
                    index: k % 2
                )
            }
            let images = try ImageFolder(place)
            let model = try autoencoder()
            let key = try LatentCacheKey(
                model,
                dataset: images.fingerprint(),
                imageSize: 8,
                channels: 3,
                hasFlips: hasFlips
            )
            let cache = folder.appendingPathComponent("latents")
            let isComplete = try LatentCache.write(
                images,
                key: key,
                to: cache,
                options: .init(shardSize: 4, batchSize: 1),
                encoder: {
                    let posterior = model.encoded($0)
                    return (posterior.mean, posterior.deviation)
                }
            )
            #expect(isComplete)
            try body(
                LatentCache(opening: cache, expecting: key),
                PackedImages(loading: images, centerCrop: 8, channels: 3),
                model
            )
        }
    }

    @Test("training sees what it would see with the encoder in the loop", arguments: [true, false])
    func sameAsEncoding(flips: Bool) throws {
        try withCache { cache, packed, model in
            model.pixelsAtOnce = 1
            let cached = try CachedLatents(cache, flips: flips)
            let direct = try ImageLatents(
                images: packed.tensor(),
                labels: packed.labels,
                autoencoder: model,
                flips: flips
            )
            #expect(cached.labels == direct.labels)
            #expect(cached.latentShape == direct.latentShape)
            #expect(cached.latentShape == [2, 4, 4])
            for step in 0..<4 {
                var first = RandomGenerator(seed: 1, purpose: .posterior, index: UInt64(step))
                var second = first
                let indices = [5, step, 0, 3, step]
                let found = cached.latents(indices, using: &first)
                expectClose(
                    found,
                    direct.latents(indices, using: &second),
                    relative: 1e-5,
                    "step \(step)"
                )
                #expect(first == second)
                // The posterior is drawn anew for every row.
                #expect(!found[1].isEqual(to: found[4]))
            }
        }
    }

    @Test("a fine-tuning runs on a cache")
    func training() throws {
        try withCache { cache, _, _ in
            let source = try CachedLatents(cache, flips: true)
            var generator = RandomGenerator(seed: 1, purpose: .initialization)
            let configuration = DiT.Configuration(
                inputSize: 4,
                channels: 2,
                hiddenSize: 16,
                depth: 1,
                headCount: 2,
                classCount: 3
            )
            var parameters = MinimaxDiffusion.Parameters()
            parameters.steps = 3
            parameters.batchSize = 4
            let method = MinimaxDiffusion(
                DiT(configuration.withScaleFactors(), using: &generator),
                networkLabels: [0, 1, 2],
                latentShape: source.latentShape,
                parameters: parameters,
                seed: 1,
                precision: nil,
                device: .cpu
            )
            try method.run(on: source) { step in
                #expect(step.loss.isFinite)
                return true
            }
            #expect(method.step == 3)
        }
    }

    @Test("a cache without mirrored images is refused where flips are wanted")
    func withoutFlips() throws {
        try withCache(hasFlips: false) { cache, _, _ in
            _ = try CachedLatents(cache, flips: false)
            let error = #expect(throws: DatasetError.self) {
                try CachedLatents(cache, flips: true)
            }
            #expect(error?.code == .otherLatents)
            #expect(error?.message.contains("data.flips=false") == true)
        }
    }

    @Test("another weight, scale or preprocessing gives another key, another decoder does not")
    func keys() throws {
        func key(_ model: any ImageAutoencoder, imageSize: Int = 8) throws -> LatentCacheKey {
            try LatentCacheKey(model, dataset: "d", imageSize: imageSize, channels: 3)
        }
        let model = try autoencoder()
        let original = try key(model)
        #expect(try key(autoencoder()) == original)
        #expect(try key(model, imageSize: 16) != original)
        func changed(_ name: String) throws -> LatentCacheKey {
            let other = try autoencoder()
            withoutGradient { other.state()[name]?.fill(with: 0.5) }
            return try key(other)
        }
        #expect(try changed("encoder.conv_in.bias") != original)
        #expect(try changed("quant_conv.bias") != original)
        #expect(try changed("decoder.conv_in.bias") == original)
        #expect(try changed("post_quant_conv.bias") == original)
    }

    @Test("images that the autoencoder cannot encode are refused at once")
    func unfitImages() throws {
        let model = try autoencoder()
        let error = #expect(throws: NetworkError.self) {
            try ImageLatents(
                images: .zeros([1, 3, 9, 9], dtype: .uint8),
                labels: [0],
                autoencoder: model,
                flips: false
            )
        }
        #expect(error?.code == .unfitAutoencoder)
        #expect(error?.message.contains("8×8") == true)
    }
}
