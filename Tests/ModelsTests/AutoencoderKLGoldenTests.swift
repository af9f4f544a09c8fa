import Checkpoints
import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("AutoencoderKL against the reference", .tags(.golden))
struct AutoencoderKLGoldenTests {
    private let golden: Golden
    private let model: AutoencoderKL

    init() throws {
        golden = try Golden("autoencoder_kl")
        let configuration = try JSONDecoder().decode(
            AutoencoderKL.Configuration.self,
            from: Data(try #require(golden.metadata["config"]).utf8)
        )
        model = try AutoencoderKL.load(
            configuration: configuration,
            weights: golden.group("model.")
        )
    }

    private func expect(_ name: String, _ found: Tensor) throws {
        expectClose(found, try golden["expected.\(name)"], relative: 5e-4, name)
    }

    @Test("mean, log-variance and deviation of the encoder agree")
    func encoding() throws {
        let moments = model.encode(try golden["input.image"])
        try expect("mean", moments.mean)
        try expect("logvar", moments.logVariance)
        try expect("std", moments.deviation)
    }

    @Test("a sample with given noise agrees, and so do the latents of the diffusion model")
    func sampling() throws {
        let noise = try golden["input.noise"]
        let moments = model.encode(try golden["input.image"])
        let raw = LatentPosterior(mean: moments.mean, deviation: moments.deviation)
        try expect("sample", raw.sampled(noise: noise))
        let posterior = model.posterior(of: try golden["input.image"])
        try expect("latents", posterior.sampled(noise: noise))
    }

    @Test("decoded images agree, from latents with and without the scaling factor")
    func decoding() throws {
        try expect("decoded", model.decode(try golden["input.z"]))
        // The reference reconstructs from the mean.
        let posterior = model.posterior(of: try golden["input.image"])
        try expect("reconstruction", model.reconstruction(of: posterior.mean))
    }

    @Test("the gradient through the decoder agrees")
    func gradient() throws {
        let z = try golden["input.z"].copied()
        z.requiresGradient = true
        (model.decode(z) * (try golden["input.r"])).sum().backward()
        try expect("grad_z", try #require(z.gradient))
    }

    @Test("names and shapes are those of diffusers")
    func names() throws {
        let expected = golden.group("model.")
        let state = model.state()
        #expect(Set(state.names) == Set(expected.names))
        for (name, tensor) in state { #expect(tensor.shape == expected[name]?.shape, "\(name)") }
    }

    @Test("image by image the numbers are the same")
    func slices() throws {
        let (image, z) = (try golden["input.image"], try golden["input.z"])
        model.pixelsAtOnce = 1
        let single = (model.encode(image), model.decode(z))
        model.pixelsAtOnce = .max
        expectClose(single.0.mean, model.encode(image).mean, relative: 1e-5)
        expectClose(single.1, model.decode(z), relative: 1e-5)
    }

    @Test("in tiles the images have the same size and nearly the same colours")
    func tiles() throws {
        let z = try golden["input.z"]
        let whole = model.decode(z)
        let side = max(z.size(along: 2), z.size(along: 3))
        model.tiling = .init(size: side, overlap: 1)
        expectIdentical(model.decode(z), whole)
        model.tiling = .init(size: side - 1, overlap: 2)
        let tiled = model.decode(z)
        #expect(tiled.shape == whole.shape)
        let scale = whole.squared().mean().sqrt().item
        let difference = (tiled - whole).squared().mean().sqrt().item
        #expect(difference < 0.5 * scale, "\(difference / scale)")
    }

    @Test("with bfloat16 matrix products the numbers are near")
    func lowerPrecision() throws {
        let image = try golden["input.image"]
        let z = try golden["input.z"]
        let (moments, decoded) = withAutocast(.bfloat16) { (model.encode(image), model.decode(z)) }
        #expect(moments.mean.dtype == .float32)
        #expect(decoded.dtype == .float32)
        expectClose(moments.mean, try golden["expected.mean"], relative: 1e-1)
        expectClose(decoded, try golden["expected.decoded"], relative: 1e-1)
    }

    /// The same model as diffusers stores it; it must come from the same set of golden files.
    private static let diffusersFolder = Golden.folder
        .appendingPathComponent("autoencoder_kl_diffusers/new_names")

    @Test(
        "a folder of diffusers gives the same model",
        .enabled(
            if: FileManager.default.fileExists(atPath: diffusersFolder.path),
            "this set of golden files has no autoencoder_kl_diffusers"
        )
    )
    func fromFolder() throws {
        let loaded = try AutoencoderKL.load(folder: Self.diffusersFolder)
        expectClose(
            loaded.encode(try golden["input.image"]).mean,
            try golden["expected.mean"],
            relative: 5e-4
        )
        expectClose(
            loaded.decode(try golden["input.z"]),
            try golden["expected.decoded"],
            relative: 5e-4
        )
        #expect(loaded.trainableParameters().isEmpty)
    }
}

/// An autoencoder that does nothing, with images between −1 and 1.
private struct Identity: ImageAutoencoder {
    var description: AutoencoderDescription {
        var configuration = AutoencoderKL.Configuration()
        configuration.blockChannels = [32]
        return .autoencoderKL(configuration)
    }

    var encoderState: StateDictionary { StateDictionary() }
    func posterior(of x: Tensor) -> LatentPosterior { LatentPosterior(mean: x) }
    func reconstruction(of latents: Tensor) -> Tensor { latents }
}

@Suite("Images in bytes against the reference", .tags(.golden))
struct ImageBytesGoldenTests {
    @Test("decoded values become the bytes that the reference stores")
    func bytes() throws {
        let golden = try Golden("to_uint8")
        let x = try golden["input.x"].unsqueezed(0)  // [1, C, H, W]
        let bytes = Identity().decoded(x)
        #expect(bytes.dtype == .uint8)
        let expected = try golden["expected.u8"].permuted(2, 0, 1).unsqueezed(0)
        // A tie may be rounded either way.
        expectClose(
            bytes.converted(to: .float32),
            expected.converted(to: .float32),
            absolute: 1
        )
        let differing = bytes.compared(.notEqual, to: expected).converted(to: .float32).sum().item
        #expect(differing <= 2)
    }

    @Test("every byte survives encoding and decoding", arguments: [false, true])
    func roundTrip(isCentred: Bool) {
        let images = Tensor((0...255).map { UInt8($0) }, shape: [1, 1, 16, 16])
        let space = PixelSpace(measuring: images)
        let autoencoder: any ImageAutoencoder = isCentred ? space : Identity()
        let posterior = autoencoder.encoded(images)
        #expect(posterior.deviation == nil)
        expectIdentical(autoencoder.decoded(posterior.mean), images)
    }
}

@Suite("Autoencoders in files, written by others", .tags(.golden))
struct AutoencoderFilesGoldenTests {
    private func folder(_ name: String) -> String {
        Golden.url("autoencoder_kl_diffusers/\(name)").path
    }

    @Test("old names in a .bin file give the same model as new ones in safetensors")
    func names() throws {
        let new = try AutoencoderFiles.open(folder("new_names"))
        let old = try AutoencoderFiles.open(folder("old_names"))
        #expect(new.description == old.description)
        #expect(new.state().names == old.state().names)
        #expect(new.state().count > 20)
        for (name, tensor) in new.state() {
            expectClose(tensor, try #require(old.state()[name]), absolute: 0, name)
        }
    }

    @Test("the decoder can be another one's, and the encoder stays")
    func decoder() throws {
        let original = try AutoencoderFiles.open(folder("new_names"))
        try withTemporaryFolder { other in
            let copy = other.appendingPathComponent("tuned")
            try FileManager.default.copyItem(
                at: URL(fileURLWithPath: folder("new_names")),
                to: copy
            )
            let weights = copy.appendingPathComponent("diffusion_pytorch_model.safetensors")
            try FileManager.default.removeItem(at: weights)
            try Safetensors.save(original.state().mapValues { $0 * 2 }, to: weights)
            let mixed = try AutoencoderFiles.open(folder("new_names"), decoder: copy.path)
            for (name, tensor) in mixed.state() {
                let isOfDecoder = name.hasPrefix("decoder.") || name.hasPrefix("post_quant_conv.")
                let expected = try #require(original.state()[name])
                expectClose(tensor, isOfDecoder ? expected * 2 : expected, absolute: 0, name)
            }
            let tiny = try TinyAutoencoder(.init(latentChannels: 16, width: 8))
            for part in ["encoder", "decoder"] {
                try Safetensors.save(
                    tiny.state().removingPrefix("\(part)."),
                    to: other.appendingPathComponent("tiny_\(part).safetensors")
                )
            }
            #expect(throws: NetworkError.self) {
                try AutoencoderFiles.open(
                    folder("new_names"),
                    decoder: other.appendingPathComponent("tiny").path
                )
            }
        }
    }

    @Test("a single file tells its sizes by itself")
    func singleFile() throws {
        try withTemporaryFolder { other in
            let file = other.appendingPathComponent("vae.pt")
            let wide = try TinyAutoencoder(.init(latentChannels: 4, width: 8))
            try PyTorchCheckpoint.save(wide.state(), to: file)
            let tiny = try AutoencoderFiles.open(file.path)
            #expect(tiny.description == .tiny(.init(latentChannels: 4, width: 8)))
            // The scale of the latents is known for four channels only.
            var configuration = AutoencoderKL.Configuration()
            configuration.blockChannels = [32]
            func open(_ channels: Int) throws -> AutoencoderDescription {
                configuration.latentChannels = channels
                let bare = other.appendingPathComponent("\(channels).safetensors")
                try Safetensors.save(AutoencoderKL(configuration).state(), to: bare)
                return try AutoencoderFiles.open(bare.path).description
            }
            #expect(try open(4) == .autoencoderKL(configuration))
            let error = #expect(throws: CheckpointError.self) { try open(16) }
            #expect("\(try #require(error))".contains("config.json"))
            try Safetensors.save(
                StateDictionary([("x", Tensor.zeros([2]))]),
                to: other.appendingPathComponent("x.safetensors")
            )
            #expect(throws: CheckpointError.self) {
                try AutoencoderFiles.open(other.appendingPathComponent("x.safetensors").path)
            }
        }
    }
}
