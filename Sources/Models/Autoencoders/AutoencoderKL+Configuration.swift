import Foundation
import Torch

extension AutoencoderKL {
    /// Size and shape, coded like the `config.json` of diffusers.
    ///
    /// Keys that are missing there have the defaults of diffusers; keys that do not change the
    /// computation are ignored.
    public struct Configuration: Sendable, Equatable {
        /// C, channels of the images.
        public var imageChannels = 3
        /// c, channels of the latents.
        public var latentChannels = 4
        /// Channels of every level, from the image inwards; each but the first halves the map.
        public var blockChannels = [128, 256, 512, 512]
        /// Residual blocks of a level of the encoder; those of the decoder have one more.
        public var layersPerBlock = 2
        /// Groups of every group norm; a divisor of all channels.
        public var normGroupCount = 32
        /// Pixels a side of the images it was trained on.
        public var sampleSize = 256
        /// What latents are multiplied with for the diffusion model.
        public var scalingFactor = 0.18215
        /// What is subtracted from latents before that.
        public var shiftFactor: Double?
        /// Mean of each channel, for autoencoders that state it instead of a shift.
        public var latentsMean: [Double]?
        /// Deviation of each channel, stated together with the mean.
        public var latentsDeviation: [Double]?
        /// Whether a 1×1 convolution follows the encoder.
        public var usesQuantConvolution = true
        /// Whether a 1×1 convolution goes before the decoder.
        public var usesPostQuantConvolution = true
        /// Whether encoder and decoder have attention in the middle.
        public var hasMiddleAttention = true

        /// The autoencoder of Stable Diffusion (f8, 4 channels): sd-vae-ft-ema and -mse.
        public init() {}

        /// f, pixels of an image for one position of its latent, a side.
        public var downsampling: Int { 1 << (blockChannels.count - 1) }

        /// Shift and scale between latents and the diffusion model.
        public var scaling: LatentScaling {
            guard let latentsMean, let latentsDeviation else {
                return LatentScaling(shift: [shiftFactor ?? 0], scale: [scalingFactor])
            }
            // As the pipelines of diffusers do: (z − mean)·factor/deviation.
            return LatentScaling(
                shift: latentsMean,
                scale: latentsDeviation.map { scalingFactor / $0 }
            )
        }

        /// What is wrong with these settings, or nil.
        public var problem: String? {
            let sizes = [imageChannels, latentChannels, layersPerBlock, normGroupCount, sampleSize]
            if (sizes + blockChannels).contains(where: { !(1...65_536).contains($0) }) {
                return "every size must be from 1 to 65536"
            }
            guard (1...16).contains(blockChannels.count) else {
                return "block_out_channels must list 1 to 16 levels, but has \(blockChannels.count)"
            }
            if let channels = blockChannels.first(where: { $0 % normGroupCount != 0 }) {
                return "block_out_channels: \(channels) is no multiple of the \(normGroupCount) "
                    + "groups of norm_num_groups"
            }
            if !(scalingFactor.isFinite && scalingFactor > 0) {
                return "scaling_factor must be above 0, but is \(scalingFactor)"
            }
            if let mean = latentsMean, let deviation = latentsDeviation {
                if mean.count != latentChannels || deviation.count != latentChannels {
                    return "latents_mean and latents_std must have one number for each of the "
                        + "\(latentChannels) latent channels, but have \(mean.count) and "
                        + "\(deviation.count)"
                }
                if let value = deviation.first(where: { !($0 > 0) }) {
                    return "latents_std must be above 0, but has \(value)"
                }
            }
            return nil
        }
    }
}

extension AutoencoderKL.Configuration: Codable {
    private enum CodingKeys: String, CodingKey {
        case className = "_class_name"
        case imageChannels = "in_channels"
        case outputChannels = "out_channels"
        case latentChannels = "latent_channels"
        case blockChannels = "block_out_channels"
        case downBlockTypes = "down_block_types"
        case upBlockTypes = "up_block_types"
        case layersPerBlock = "layers_per_block"
        case activation = "act_fn"
        case normGroupCount = "norm_num_groups"
        case sampleSize = "sample_size"
        case scalingFactor = "scaling_factor"
        case shiftFactor = "shift_factor"
        case latentsMean = "latents_mean"
        case latentsDeviation = "latents_std"
        case usesQuantConvolution = "use_quant_conv"
        case usesPostQuantConvolution = "use_post_quant_conv"
        case hasMiddleAttention = "mid_block_add_attention"
    }

    private static let className = "AutoencoderKL"
    private static let downBlock = "DownEncoderBlock2D"
    private static let upBlock = "UpDecoderBlock2D"

    /// Reads a `config.json` of diffusers.
    ///
    /// - Parameter decoder: Where it comes from.
    /// - Throws: `DecodingError` for a value of another kind, and for an autoencoder with blocks or
    ///   activations that this model does not have.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, _ missing: Value) throws -> Value {
            try values.decodeIfPresent(Value.self, forKey: key) ?? missing
        }
        func require(_ isRight: Bool, _ key: CodingKeys, _ text: String) throws {
            guard !isRight else { return }
            throw DecodingError.dataCorruptedError(
                forKey: key,
                in: values,
                debugDescription: "\(key.rawValue): \(text)"
            )
        }
        let name = try value(.className, Self.className)
        try require(
            name == Self.className,
            .className,
            "it describes a model of the kind \(name), but \(Self.className) is expected."
        )
        imageChannels = try value(.imageChannels, 3)
        let outputChannels = try value(.outputChannels, 3)
        try require(
            outputChannels == imageChannels,
            .outputChannels,
            "it is \(outputChannels), but must equal in_channels, which is \(imageChannels)."
        )
        latentChannels = try value(.latentChannels, 4)
        blockChannels = try value(.blockChannels, [64])
        for (key, kind) in [
            (CodingKeys.downBlockTypes, Self.downBlock), (.upBlockTypes, Self.upBlock),
        ] {
            let types = try value(key, [kind])
            let others = types.filter { $0 != kind }
            try require(
                others.isEmpty,
                key,
                "blocks of the kind \(others.first ?? "") are not supported, only \(kind)."
            )
            try require(
                types.count == blockChannels.count,
                key,
                "it lists \(types.count) blocks, but block_out_channels \(blockChannels.count)."
            )
        }
        layersPerBlock = try value(.layersPerBlock, 1)
        let activation = try value(.activation, "silu")
        try require(
            ["silu", "swish"].contains(activation),
            .activation,
            "the activation \(activation) is not supported, only silu."
        )
        normGroupCount = try value(.normGroupCount, 32)
        // Some files state height and width.
        if let sides = try? values.decode([Int].self, forKey: .sampleSize) {
            sampleSize = sides.max() ?? 32
        } else {
            sampleSize = try value(.sampleSize, 32)
        }
        scalingFactor = try value(.scalingFactor, 0.18215)
        shiftFactor = try values.decodeIfPresent(Double.self, forKey: .shiftFactor)
        latentsMean = try values.decodeIfPresent([Double].self, forKey: .latentsMean)
        latentsDeviation = try values.decodeIfPresent([Double].self, forKey: .latentsDeviation)
        usesQuantConvolution = try value(.usesQuantConvolution, true)
        usesPostQuantConvolution = try value(.usesPostQuantConvolution, true)
        hasMiddleAttention = try value(.hasMiddleAttention, true)
    }

    /// Writes what diffusers reads.
    ///
    /// - Parameter encoder: Where it goes.
    /// - Throws: `EncodingError` if the encoder cannot hold a number.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(Self.className, forKey: .className)
        try values.encode(imageChannels, forKey: .imageChannels)
        try values.encode(imageChannels, forKey: .outputChannels)
        try values.encode(latentChannels, forKey: .latentChannels)
        try values.encode(blockChannels, forKey: .blockChannels)
        try values.encode(blockChannels.map { _ in Self.downBlock }, forKey: .downBlockTypes)
        try values.encode(blockChannels.map { _ in Self.upBlock }, forKey: .upBlockTypes)
        try values.encode(layersPerBlock, forKey: .layersPerBlock)
        try values.encode("silu", forKey: .activation)
        try values.encode(normGroupCount, forKey: .normGroupCount)
        try values.encode(sampleSize, forKey: .sampleSize)
        try values.encode(scalingFactor, forKey: .scalingFactor)
        try values.encodeIfPresent(shiftFactor, forKey: .shiftFactor)
        try values.encodeIfPresent(latentsMean, forKey: .latentsMean)
        try values.encodeIfPresent(latentsDeviation, forKey: .latentsDeviation)
        try values.encode(usesQuantConvolution, forKey: .usesQuantConvolution)
        try values.encode(usesPostQuantConvolution, forKey: .usesPostQuantConvolution)
        try values.encode(hasMiddleAttention, forKey: .hasMiddleAttention)
    }
}
