import Torch

/// A way in which programs name the tensors of a model.
public enum WeightLayout: String, CaseIterable, Sendable {
    /// facebookresearch/DiT and, with scale factors, vimar-gu/MinimaxDiffusion; native.
    case dit
    /// `DiTTransformer2DModel` of diffusers.
    case diffusersDiT = "dit-diffusers"
    /// `AutoencoderKL` of diffusers; native.
    case autoencoderKL = "autoencoder-kl"
    /// `AutoencoderKL` of diffusers with the attention's names before 0.18.
    case deprecatedAutoencoderKL = "autoencoder-kl-deprecated"
    /// `AutoencoderKL` of CompVis/latent-diffusion.
    case latentDiffusionAutoencoder = "autoencoder-ldm"
    /// TAESD or TAESD3, encoder and decoder in one file; native.
    case tinyAutoencoder = "taesd"
    /// The published encoder of madebyollin/taesd.
    case tinyEncoder = "taesd-encoder"
    /// The published decoder of madebyollin/taesd.
    case tinyDecoder = "taesd-decoder"
    /// `AutoencoderTiny` of diffusers.
    case diffusersTinyAutoencoder = "taesd-diffusers"

    /// The layout in plain words.
    public var title: String {
        switch self {
        case .dit: "names of facebookresearch/DiT"
        case .diffusersDiT: "DiT with the names of diffusers"
        case .autoencoderKL: "AutoencoderKL with the names of diffusers"
        case .deprecatedAutoencoderKL: "AutoencoderKL with old names of diffusers"
        case .latentDiffusionAutoencoder: "AutoencoderKL with the names of latent-diffusion"
        case .tinyAutoencoder: "TAESD, encoder and decoder"
        case .tinyEncoder: "TAESD, the encoder alone"
        case .tinyDecoder: "TAESD, the decoder alone"
        case .diffusersTinyAutoencoder: "TAESD with the names of diffusers"
        }
    }

    /// The layout with the names that the models here have.
    public var native: WeightLayout {
        switch self {
        case .dit, .diffusersDiT: .dit
        case .autoencoderKL, .deprecatedAutoencoderKL, .latentDiffusionAutoencoder: .autoencoderKL
        case .tinyAutoencoder, .tinyEncoder, .tinyDecoder, .diffusersTinyAutoencoder:
            .tinyAutoencoder
        }
    }

    var table: NameTable {
        switch self {
        case .dit: .dit
        case .diffusersDiT: .diffusersDiT
        case .autoencoderKL: .autoencoderKL
        case .deprecatedAutoencoderKL: .deprecatedAutoencoderKL
        case .latentDiffusionAutoencoder: .latentDiffusionAutoencoder
        case .tinyAutoencoder: .tinyAutoencoder
        case .tinyEncoder: .tinyEncoder
        case .tinyDecoder: .tinyDecoder
        case .diffusersTinyAutoencoder: .diffusersTinyAutoencoder
        }
    }

    /// Names that a checkpoint of this layout has, and those of no other layout have all.
    var signature: [String] {
        switch self {
        case .dit:
            ["x_embedder.proj.weight", "t_embedder.mlp.0.weight", "final_layer.linear.weight"]
        case .diffusersDiT:
            ["pos_embed.proj.weight", "transformer_blocks.0.ff.net.2.weight", "proj_out_2.weight"]
        case .autoencoderKL:
            ["encoder.down_blocks.0.resnets.0.conv1.weight", "decoder.conv_in.weight"]
        case .deprecatedAutoencoderKL:
            ["encoder.mid_block.attentions.0.query.weight", "decoder.conv_in.weight"]
        case .latentDiffusionAutoencoder:
            ["encoder.down.0.block.0.conv1.weight", "decoder.conv_in.weight"]
        case .tinyAutoencoder:
            ["encoder.0.weight", "encoder.1.conv.0.weight", "decoder.1.weight"]
        case .tinyEncoder: ["0.weight", "1.conv.0.weight", "2.weight", "14.weight"]
        case .tinyDecoder: ["1.weight", "3.conv.0.weight", "7.weight", "19.weight"]
        case .diffusersTinyAutoencoder:
            ["encoder.layers.0.weight", "encoder.layers.1.conv.0.weight"]
        }
    }

    /// What may precede every name, when the model is a part of a larger one.
    var prefixes: [String] {
        switch self {
        case .latentDiffusionAutoencoder: ["first_stage_model."]
        case .autoencoderKL, .deprecatedAutoencoderKL: ["vae."]
        default: []
        }
    }

    /// How names begin that stand beside the model and are no part of it.
    var ignored: [String] {
        self == .latentDiffusionAutoencoder ? ["loss.", "model_ema."] : []
    }

    /// Layouts in the order in which they are tried: one whose names include another's is first.
    static let inOrder: [WeightLayout] =
        [.deprecatedAutoencoderKL] + allCases.filter { $0 != .deprecatedAutoencoderKL }

    /// What wrappers of modules put before every name: data-parallel training and `torch.compile`.
    static let wrappers = ["", "module.", "_orig_mod.", "model.", "module._orig_mod."]

    /// Names native tensors as this layout does.
    ///
    /// - Parameters:
    ///   - state: Tensors by native name.
    ///   - file: The file they are meant for, for messages.
    /// - Returns: The tensors by the names of this layout; several may be views of one.
    /// - Throws: `CheckpointError` that lists the tensors for which this layout has no name.
    package func exported(
        _ state: StateDictionary,
        for file: String
    ) throws(CheckpointError) -> StateDictionary {
        let result = table.exported(state)
        guard result.unknown.isEmpty else {
            throw CheckpointError(
                .unsupported,
                file: file,
                "The layout \(rawValue) has no place for "
                    + "\(CheckpointError.list(result.unknown)).",
                remedy: "Choose a layout of the same model with room for them."
            )
        }
        return result.state
    }
}

extension CheckpointError {
    /// The first names of a list.
    static func list(_ names: [String]) -> String {
        let shown = names.prefix(5).joined(separator: ", ")
        return names.count > 5 ? "\(shown) and \(names.count - 5) more" : shown
    }
}
