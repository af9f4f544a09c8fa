import Checkpoints
import Foundation
import NeuralNetworks
import Torch

/// Autoencoders in files.
public enum AutoencoderFiles {
    /// What an autoencoder is in a program: one that encodes and decodes, with weights.
    public typealias Opened = any ImageAutoencoder & Module

    private static func exists(_ url: URL) -> Bool {
        FileManager.default.fileExists(atPath: url.path)
    }

    /// Reads an autoencoder, with the decoder of another one if that is wanted.
    ///
    /// The published experiments encode with ft-EMA and decode with ft-MSE: two fine-tunings of
    /// one decoder, whose latents are the same.
    ///
    /// - Parameters:
    ///   - path: As for `open(_:)`.
    ///   - decoder: As for `open(_:)`: where the decoder comes from; empty for `path` itself.
    /// - Returns: The autoencoder, in float32 on the CPU.
    /// - Throws: What `open(_:)` throws; `NetworkError` if the two have different latents.
    public static func open(_ path: String, decoder: String) throws -> Opened {
        let autoencoder = try open(path)
        guard !decoder.isEmpty else { return autoencoder }
        let other = try open(decoder)
        guard other.description.hasSameLatents(as: autoencoder.description),
            type(of: other) == type(of: autoencoder)
        else {
            throw NetworkError(
                code: .unfitAutoencoder,
                message: "The decoder of \(decoder) is for other latents than the encoder of "
                    + "\(path) makes. Choose two autoencoders of one family."
            )
        }
        var state = autoencoder.state()
        for (name, tensor) in other.state()
        where name.hasPrefix("decoder.") || name.hasPrefix("post_quant_conv.") {
            state[name] = tensor
        }
        try autoencoder.load(state)
        return autoencoder
    }

    /// Reads an autoencoder.
    ///
    /// - Parameter path: A folder of diffusers with a `config.json` (AutoencoderKL or
    ///   AutoencoderTiny); a single file with the weights of one, names of diffusers or of
    ///   latent-diffusion; or a folder and the name in front of `_encoder.safetensors` and
    ///   `_decoder.safetensors` (or `.pth`), such as `Weights/taesd3`.
    /// - Returns: The autoencoder, in float32 on the CPU.
    /// - Throws: `CheckpointError`, `NetworkError` or `StateMismatchError` for what does not fit.
    public static func open(_ path: String) throws -> Opened {
        let place = URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
        let settings = place.appendingPathComponent("config.json")
        if exists(settings) {
            if (try? String(contentsOf: settings, encoding: .utf8))?.contains("AutoencoderTiny")
                == true
            {
                return try TinyAutoencoder.load(
                    weights: state(inFolder: place, as: .tinyAutoencoder)
                )
            }
            return try AutoencoderKL.load(folder: place)
        }
        let (folder, name) = (place.deletingLastPathComponent(), place.lastPathComponent)
        for ending in ["safetensors", "pth"] {
            let encoder = folder.appendingPathComponent("\(name)_encoder.\(ending)")
            guard exists(encoder) else { continue }
            return try TinyAutoencoder.load(
                encoder: encoder,
                decoder: folder.appendingPathComponent("\(name)_decoder.\(ending)")
            )
        }
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder),
            !isFolder.boolValue
        {
            return try open(file: place)
        }
        throw CheckpointError(
            .notFound,
            file: place.path,
            "There is no autoencoder here: neither config.json in a folder of this name, nor "
                + "\(name)_encoder.safetensors beside it.",
            remedy: "Name a folder of diffusers, or a folder and \"taesd\" or \"taesd3\"."
        )
    }

    /// A file whose shapes tell all there is to know.
    private static func open(file: URL) throws -> Opened {
        let checkpoint = try Checkpoint(contentsOf: file)
        guard let found = checkpoint.recognizedWeights() else {
            throw unrecognized(file)
        }
        switch found.sizes {
        case .autoencoderKL(let sizes):
            // Such files have the scale of Stable Diffusion's first; later ones also a shift.
            guard sizes.latentChannels == 4 else {
                throw CheckpointError(
                    .unsupported,
                    file: file.path,
                    "It holds an autoencoder with latents of \(sizes.latentChannels) channels, "
                        + "but does not tell their scale.",
                    remedy: "Name the folder of diffusers that has its config.json instead."
                )
            }
            return try AutoencoderKL.load(
                configuration: .init(sizes),
                weights: checkpoint.state(found)
            )
        case .tinyAutoencoder(let sizes) where sizes.hasEncoder && sizes.hasDecoder:
            return try TinyAutoencoder.load(weights: checkpoint.state(found))
        default:
            throw unrecognized(file)
        }
    }

    private static func unrecognized(_ file: URL) -> CheckpointError {
        CheckpointError(
            .unsupported,
            file: file.path,
            "It holds no whole autoencoder that is known here.",
            remedy: "Look at it with `distill inspect`."
        )
    }

    /// The tensors of a folder of diffusers by native name; as they are where the model is not
    /// recognised, so that loading them tells what does not fit.
    static func state(inFolder folder: URL, as layout: WeightLayout) throws -> StateDictionary {
        guard let file = Checkpoint.weights(inFolder: folder) else {
            throw CheckpointError(
                .notFound,
                file: folder.path,
                "There is no diffusion_pytorch_model.safetensors or .bin beside config.json.",
                remedy: "Fetch the weights too."
            )
        }
        let checkpoint = try Checkpoint(contentsOf: file)
        guard let found = checkpoint.recognizedWeights(), found.layout.native == layout else {
            return checkpoint.state()
        }
        return try checkpoint.state(found)
    }
}
