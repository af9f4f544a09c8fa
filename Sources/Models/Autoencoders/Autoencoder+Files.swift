import Checkpoints
import Foundation
import NeuralNetworks
import Torch

extension AutoencoderKL {
    /// Reads a folder of diffusers: `config.json` beside `diffusion_pytorch_model.safetensors` or
    /// `.bin`.
    ///
    /// The attention's names may be those before diffusers 0.18, as in the published
    /// `sd-vae-ft-ema` and `sd-vae-ft-mse`.
    ///
    /// - Parameter folder: The folder, `vae` in most repositories.
    /// - Returns: The model, in float32 on the CPU, in evaluation mode, frozen.
    /// - Throws: `CheckpointError` for a missing or damaged file, `NetworkError` for settings that
    ///   are not supported, `StateMismatchError` for weights of another model.
    public static func load(folder: URL) throws -> AutoencoderKL {
        try load(
            configuration: configuration(contentsOf: folder.appendingPathComponent("config.json")),
            weights: AutoencoderFiles.state(inFolder: folder, as: .autoencoderKL)
        )
    }

    /// Makes a model with weights.
    ///
    /// - Parameters:
    ///   - configuration: Size and shape.
    ///   - weights: Tensors by the names of diffusers.
    /// - Returns: The model, in float32 on the CPU, in evaluation mode, frozen.
    /// - Throws: `NetworkError` or `StateMismatchError` for what does not fit.
    public static func load(
        configuration: Configuration,
        weights: StateDictionary
    ) throws -> AutoencoderKL {
        let model = try AutoencoderKL(configuration)
        try model.load(weights)
        model.freeze()
        model.setTraining(false)
        return model
    }

    /// Reads a `config.json` of diffusers.
    ///
    /// - Parameter url: The file.
    /// - Returns: The settings, checked.
    /// - Throws: `CheckpointError` if the file cannot be read, `NetworkError` for settings that
    ///   are not supported.
    public static func configuration(contentsOf url: URL) throws -> Configuration {
        let file = try FileMapping(contentsOf: url)
        do {
            let data = withExtendedLifetime(file) { Data(file.bytes) }
            let configuration = try JSONDecoder().decode(Configuration.self, from: data)
            guard let problem = configuration.problem else { return configuration }
            throw NetworkError(code: .unfitSettings, message: problem)
        } catch {
            throw NetworkError(
                code: .unfitSettings,
                message: "\(url.path): the settings of the autoencoder cannot be used: "
                    + "\(reason(error)) Expected the config.json of an AutoencoderKL of diffusers."
            )
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NetworkError: error.message + "."
        case DecodingError.dataCorrupted(let context): context.debugDescription
        case DecodingError.typeMismatch(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")): "
                + context.debugDescription
        default: "\(error)."
        }
    }
}

extension TinyAutoencoder {
    /// Reads the two published files of TAESD or TAESD3.
    ///
    /// - Parameters:
    ///   - encoder: For example `taesd3_encoder.safetensors`.
    ///   - decoder: For example `taesd3_decoder.safetensors`.
    /// - Returns: The model, in float32 on the CPU, in evaluation mode, frozen.
    /// - Throws: `CheckpointError` for a missing or damaged file, `StateMismatchError` for weights
    ///   of another model.
    public static func load(encoder: URL, decoder: URL) throws -> TinyAutoencoder {
        var state = try Checkpoint(contentsOf: encoder).state().addingPrefix("encoder.")
        state.merge(try Checkpoint(contentsOf: decoder).state().addingPrefix("decoder."))
        return try load(weights: state)
    }

    /// Makes a model with weights.
    ///
    /// - Parameter state: Tensors by the published names, behind `encoder.` and `decoder.`.
    /// - Returns: The model, in float32 on the CPU, in evaluation mode, frozen.
    /// - Throws: `StateMismatchError` for weights of another model.
    public static func load(weights state: StateDictionary) throws -> TinyAutoencoder {
        // The files carry no settings; the sizes tell them.
        let first = state["encoder.0.weight"]?.shape ?? []
        let last = state["encoder.14.weight"]?.shape ?? []
        var configuration = Configuration()
        if first.count == 4, last.count == 4 {
            configuration = Configuration(
                imageChannels: first[1],
                latentChannels: last[0],
                width: first[0]
            )
        }
        let model = try TinyAutoencoder(configuration)
        try model.load(state)
        model.freeze()
        model.setTraining(false)
        return model
    }

    /// Reads `NAME_encoder.safetensors` and `NAME_decoder.safetensors` of a folder.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - name: `taesd` or `taesd3`.
    /// - Returns: The model, in float32 on the CPU, in evaluation mode, frozen.
    /// - Throws: As `load(encoder:decoder:)`.
    public static func load(folder: URL, name: String) throws -> TinyAutoencoder {
        try load(
            encoder: folder.appendingPathComponent("\(name)_encoder.safetensors"),
            decoder: folder.appendingPathComponent("\(name)_decoder.safetensors")
        )
    }
}

extension AutoencoderKL.Configuration {
    /// Size and shape as a checkpoint's tensors tell them; the rest is that of Stable Diffusion.
    ///
    /// - Parameter sizes: What the shapes say.
    public init(_ sizes: ModelSizes.AutoencoderKL) {
        self.init()
        imageChannels = sizes.imageChannels
        latentChannels = sizes.latentChannels
        blockChannels = sizes.blockChannels
        layersPerBlock = sizes.layersPerBlock
        normGroupCount = sizes.normGroupCount
        usesQuantConvolution = sizes.usesQuantConvolutions
        usesPostQuantConvolution = sizes.usesQuantConvolutions
        hasMiddleAttention = sizes.hasMiddleAttention
    }
}
