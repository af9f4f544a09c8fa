import Foundation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch

@Suite("Settings of AutoencoderKL")
struct AutoencoderConfigurationTests {
    private func decode(_ text: String) throws -> AutoencoderKL.Configuration {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("config.json")
            try Data(text.utf8).write(to: url)
            return try AutoencoderKL.configuration(contentsOf: url)
        }
    }

    @Test("Stable Diffusion's has the published number of tensors and parameters")
    func published() throws {
        let model = try AutoencoderKL()
        #expect(model.state().count == 248)
        #expect(model.parameterCount == 83_653_863)
        #expect(model.encoderState.elementCount == 34_163_592 + 72)
        #expect(model.configuration.downsampling == 8)
    }

    @Test("missing keys have the defaults of diffusers, unknown ones are ignored")
    func defaults() throws {
        let old = try decode(
            """
            {"_class_name": "AutoencoderKL", "_diffusers_version": "0.4.2", "act_fn": "silu",
             "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "sample_size": 256,
             "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D",
                                  "DownEncoderBlock2D", "DownEncoderBlock2D"],
             "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D",
                                "UpDecoderBlock2D", "UpDecoderBlock2D"]}
            """
        )
        #expect(old == AutoencoderKL.Configuration())
        #expect(old.scaling == LatentScaling(shift: [0], scale: [0.18215]))
    }

    @Test("shift, scale and 16 channels of later models are read")
    func later() throws {
        let configuration = try decode(
            """
            {"block_out_channels": [32, 64], "latent_channels": 16, "scaling_factor": 1.5305,
             "shift_factor": 0.0609, "use_quant_conv": false, "use_post_quant_conv": false,
             "mid_block_add_attention": false, "latents_mean": null,
             "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
             "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}
            """
        )
        #expect(configuration.scaling == LatentScaling(shift: [0.0609], scale: [1.5305]))
        #expect(configuration.downsampling == 2)
        let names = try AutoencoderKL(configuration).state().names
        #expect(!names.contains { $0.contains("quant_conv") || $0.contains("attentions") })
        let copy = try JSONDecoder().decode(
            AutoencoderKL.Configuration.self,
            from: JSONEncoder().encode(configuration)
        )
        #expect(copy == configuration)
    }

    @Test("the mean and deviation of every channel take the place of the shift")
    func channelStatistics() throws {
        let configuration = try decode(
            """
            {"block_out_channels": [32], "latent_channels": 2, "scaling_factor": 0.5,
             "latents_mean": [1, -2], "latents_std": [2, 4]}
            """
        )
        let z = Tensor([3, 6] as [Float], shape: [1, 2, 1, 1])
        let scaled = configuration.scaling.scaled(z)
        expectValues(scaled, [0.5, 1], shape: [1, 2, 1, 1])
        expectClose(configuration.scaling.unscaled(scaled), z, relative: 1e-6)
    }

    @Test(
        "what is not supported is refused with the key and the file",
        arguments: [
            (#"{"act_fn": "mish"}"#, "act_fn"),
            (#"{"_class_name": "VQModel"}"#, "VQModel"),
            (#"{"down_block_types": ["AttnDownEncoderBlock2D"]}"#, "AttnDownEncoderBlock2D"),
            (#"{"block_out_channels": [64, 64]}"#, "down_block_types"),
            (#"{"norm_num_groups": 48}"#, "norm_num_groups"),
            (#"{"in_channels": "three"}"#, "in_channels"),
            (#"{"latent_channels": 9223372036854775807}"#, "65536"),
            (#"{"latents_mean": [0], "latents_std": [1]}"#, "latents_mean"),
            (#"{"scaling_factor": 0}"#, "scaling_factor"),
            (#"{"out_channels": 4}"#, "out_channels"),
            ("[1, 2]", "config.json"),
            ("<html>", "config.json"),
            ("", "config.json"),
        ]
    )
    func refused(text: String, part: String) {
        let error = #expect(throws: NetworkError.self) { try decode(text) }
        #expect(error?.code == .unfitSettings)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("config.json") == true)
    }
}

@Suite("Autoencoders and what they are used with")
struct AutoencoderFitTests {
    private let small: AutoencoderDescription = {
        var configuration = AutoencoderKL.Configuration()
        configuration.blockChannels = [32, 32, 32]
        return .autoencoderKL(configuration)
    }()

    private func architecture(_ size: Int, channels: Int) -> DiT.Configuration {
        DiT.Configuration(
            inputSize: size,
            channels: channels,
            hiddenSize: 8,
            depth: 1,
            headCount: 1
        )
    }

    @Test("a DiT made for the latents fits, another one is told what to change")
    func fits() throws {
        try small.requireFit(
            architecture(8, channels: 4),
            height: 32,
            width: 32,
            channels: 3
        )
        func message(_ dit: DiT.Configuration, _ size: Int, _ channels: Int) -> String {
            let error = #expect(throws: NetworkError.self) {
                try small.requireFit(dit, height: size, width: size, channels: channels)
            }
            #expect(error?.code == .unfitAutoencoder)
            return error?.message ?? ""
        }
        let channels = message(architecture(8, channels: 16), 32, 3)
        #expect(channels.contains("16×8×8") && channels.contains("4×8×8"))
        #expect(channels.contains("4 latent channels"))
        #expect(message(architecture(16, channels: 4), 32, 3).contains("64×64"))
        #expect(message(architecture(8, channels: 4), 32, 1).contains("1"))
        #expect(message(architecture(8, channels: 4), 30, 3).contains("28×28"))
    }

    @Test("latents are the same whatever the decoder was tuned for, but not with another scale")
    func sameLatents() {
        var configuration = AutoencoderKL.Configuration()
        let original = AutoencoderDescription.autoencoderKL(configuration)
        configuration.sampleSize = 512
        #expect(original.hasSameLatents(as: .autoencoderKL(configuration)))
        // TAESD gives the scaled latents of this autoencoder; TAESD3 those of another one.
        #expect(original.hasSameLatents(as: .tiny(.init())))
        #expect(!original.hasSameLatents(as: .tiny(.init(latentChannels: 16))))
        configuration.scalingFactor = 0.13025
        #expect(!original.hasSameLatents(as: .autoencoderKL(configuration)))
        let tiny = AutoencoderDescription.tiny(.init())
        #expect(!tiny.hasSameLatents(as: .autoencoderKL(configuration)))
    }

    @Test(
        "a description survives writing and reading",
        arguments: [
            AutoencoderDescription.pixels(PixelSpace(mean: [0.1, 0.2], deviation: [0.3, 0.4])),
            .autoencoderKL(AutoencoderKL.Configuration()),
            .tiny(TinyAutoencoder.Configuration(latentChannels: 16)),
        ]
    )
    func coding(_ description: AutoencoderDescription) throws {
        let data = try JSONEncoder().encode(description)
        #expect(try JSONDecoder().decode(AutoencoderDescription.self, from: data) == description)
    }

    @Test(
        "a description that contradicts itself is refused",
        arguments: [
            #"{"kind": "pixels", "configuration": {"mean": [], "deviation": []}}"#,
            #"{"kind": "pixels", "configuration": {"mean": [0], "deviation": [0]}}"#,
            #"{"kind": "wavelets", "configuration": {}}"#,
            #"{"kind": "tiny-autoencoder"}"#,
        ]
    )
    func badDescription(_ text: String) {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(AutoencoderDescription.self, from: Data(text.utf8))
        }
    }

    @Test("the posterior is drawn from the generator alone, and only where it has a deviation")
    func posterior() {
        let mean = Tensor.zeros([2, 3, 4, 4])
        var generator = RandomGenerator(seed: 5, purpose: .posterior)
        let start = generator
        expectIdentical(LatentPosterior(mean: mean).sampled(using: &generator), mean)
        #expect(generator == start)
        let posterior = LatentPosterior(mean: mean, deviation: mean + 2)
        let sample = posterior.sampled(using: &generator)
        var again = start
        expectIdentical(sample, again.normal([2, 3, 4, 4]) * 2)
    }

    @Test("TAESD has the published layers, and its first weights depend on the seed alone")
    func tiny() throws {
        func make() throws -> TinyAutoencoder {
            let model = try TinyAutoencoder(.init(width: 8))
            var generator = RandomGenerator(seed: 3, purpose: .initialization)
            model.initializeWeights(using: &generator)
            return model
        }
        let (model, same) = (try make(), try make())
        let names = Set(model.state().names)
        #expect(names.count == 2 * 67)
        #expect(names.isSuperset(of: ["encoder.1.conv.4.bias", "decoder.19.weight"]))
        #expect(!names.contains("encoder.2.bias") && !names.contains("decoder.7.bias"))
        let x = Tensor.full([2, 3, 16, 24], 0.5)
        let latents = model.posterior(of: x).mean
        #expect(latents.shape == [2, 4, 2, 3])
        expectIdentical(same.posterior(of: x).mean, latents)
        #expect(model.reconstruction(of: latents).shape == x.shape)
        #expect(model.encoderState.names.allSatisfy { $0.hasPrefix("encoder.") })
    }

    @Test("a GPU gives the same latents and images", .requiresGPU)
    func accelerator() throws {
        var configuration = AutoencoderKL.Configuration()
        configuration.blockChannels = [32, 64]
        var generator = RandomGenerator(seed: 6)
        let model = try AutoencoderKL(configuration)
        model.initializeWeights(using: &generator)
        model.freeze()
        let images = (generator.uniform([2, 3, 32, 32]) * 255).converted(to: .uint8)
        let noise = generator.normal([2, 4, 16, 16])
        let latents = model.encoded(images).sampled(noise: noise)
        let decoded = model.decoded(latents)
        model.move(to: .cuda)
        let found = model.encoded(images).sampled(noise: noise)
        #expect(found.device == .cuda)
        expectClose(found, latents, relative: 1e-2)
        expectClose(
            model.decoded(latents).converted(to: .float32),
            decoded.converted(to: .float32),
            absolute: 3
        )
    }

    @Test("encoding and decoding free what they make")
    func leaks() throws {
        let model = try TinyAutoencoder(.init(width: 8))
        let image = Tensor.zeros([1, 3, 16, 16], dtype: .uint8)
        expectNoLeaks { _ = model.decoded(model.encoded(image).mean) }
    }
}

@Suite("Maps in tiles")
struct TiledMapTests {
    @Test("tiles cover an axis evenly, overlap at least as asked, and end where it ends")
    func starts() {
        let cases = [(10, 4, 1), (64, 32, 8), (65, 32, 8), (7, 4, 3), (5, 9, 2)]
        for (length, size, overlap) in cases {
            let starts = TiledMap(size: size, overlap: overlap, scale: 1).starts(length: length)
            #expect(starts.first == 0)
            #expect(starts.last == max(length - size, 0))
            for (a, b) in zip(starts, starts.dropFirst()) {
                #expect(b > a && b - a <= size - overlap)
            }
        }
    }

    @Test("what needs no surroundings comes out as from the whole", arguments: [1, 3])
    func identity(scale: Int) {
        var generator = RandomGenerator(seed: 9)
        let x = generator.normal([2, 3, 11, 17])
        func enlarged(_ x: Tensor) -> Tensor {
            x.interpolated(
                height: scale * x.size(along: 2),
                width: scale * x.size(along: 3),
                bilinear: false
            )
        }
        var count = 0
        let tiled = TiledMap(size: 5, overlap: 2, scale: scale).applied(to: x) {
            count += 1
            return enlarged($0)
        }
        #expect(count == 3 * 5)
        expectClose(tiled, enlarged(x), relative: 1e-6)
    }
}
