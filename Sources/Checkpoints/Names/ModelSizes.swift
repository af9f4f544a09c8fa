/// What the shapes of a checkpoint's tensors say about its model.
public enum ModelSizes: Sendable, Equatable {
    /// A Diffusion Transformer.
    case dit(DiT)
    /// Stable Diffusion's autoencoder and its family.
    case autoencoderKL(AutoencoderKL)
    /// TAESD or TAESD3.
    case tinyAutoencoder(TinyAutoencoder)

    /// Sizes of a Diffusion Transformer.
    public struct DiT: Sendable, Equatable {
        /// Latent positions a side; from the table of positions, or else of `config.json`.
        public var inputSize: Int
        /// Latent positions a side of a token.
        public var patchSize: Int
        /// Channels of the input.
        public var channels: Int
        /// Width of a token.
        public var hiddenSize: Int
        /// Number of blocks.
        public var depth: Int
        /// Number of attention heads: no shape tells it, the width of a published model does.
        public var headCount: Int
        /// Width of the hidden layer of a block's MLP, relative to that of a token.
        public var mlpRatio: Double
        /// Number of classes, without the one that means "no class".
        public var classCount: Int
        /// Whether the variance is predicted too.
        public var learnsVariance: Bool
        /// Number of first blocks with DiffFit scale factors.
        public var scaledBlockCount: Int
        /// The sizes above that are guesses, by their names here.
        public var guesses: [String]
    }

    /// Sizes of an `AutoencoderKL`.
    public struct AutoencoderKL: Sendable, Equatable {
        /// Channels of the images.
        public var imageChannels: Int
        /// Channels of the latents.
        public var latentChannels: Int
        /// Channels of every level, from the image inwards.
        public var blockChannels: [Int]
        /// Residual blocks of a level of the encoder.
        public var layersPerBlock: Int
        /// Groups of every group norm: no shape tells it, so 32 unless `config.json` does.
        public var normGroupCount: Int
        /// Whether 1×1 convolutions stand between encoder, latents and decoder.
        public var usesQuantConvolutions: Bool
        /// Whether encoder and decoder have attention in the middle.
        public var hasMiddleAttention: Bool
        /// The sizes above that are guesses, by their names here.
        public var guesses: [String]
    }

    /// Sizes of a TAESD.
    public struct TinyAutoencoder: Sendable, Equatable {
        /// Channels of the images: of the encoder, or of the decoder where it stands alone.
        public var imageChannels: Int
        /// Channels of the latents.
        public var latentChannels: Int
        /// Channels inside.
        public var width: Int
        /// Whether there is an encoder.
        public var hasEncoder: Bool
        /// Whether there is a decoder.
        public var hasDecoder: Bool
    }
}

extension ModelSizes: CustomStringConvertible {
    /// The model in a few words: "DiT-XL/2, 28 blocks of width 1152, …".
    public var description: String {
        switch self {
        case .dit(let sizes): sizes.description
        case .autoencoderKL(let sizes):
            "AutoencoderKL, \(sizes.imageChannels) image channels, \(sizes.latentChannels) latent "
                + "channels, levels of \(sizes.blockChannels.map { "\($0)" }.joined(separator: ", "))"
                + " channels, \(sizes.layersPerBlock) blocks a level"
        case .tinyAutoencoder(let sizes):
            "TAESD, \(sizes.imageChannels) image channels, \(sizes.latentChannels) latent channels"
                + ", width \(sizes.width)"
                + (sizes.hasEncoder ? "" : ", decoder only")
                + (sizes.hasDecoder ? "" : ", encoder only")
        }
    }
}

extension ModelSizes.DiT {
    /// The published models: width, depth, heads.
    static let published: [(name: String, width: Int, depth: Int, headCount: Int)] = [
        ("DiT-S", 384, 12, 6), ("DiT-B", 768, 12, 12), ("DiT-L", 1024, 24, 16),
        ("DiT-XL", 1152, 28, 16),
    ]

    /// The published name, `DiT-XL/2`; nil for another depth or width.
    public var name: String? {
        ModelSizes.DiT.published.first { $0.width == hiddenSize && $0.depth == depth }
            .map { "\($0.name)/\(patchSize)" }
    }

    /// The model in a few words.
    public var description: String {
        let heads =
            (headCount == 1 ? "1 head" : "\(headCount) heads")
            + (guesses.contains("headCount") ? " (a guess)" : "")
        let input = "\(inputSize)×\(inputSize)×\(channels)"
        let scales =
            scaledBlockCount == 0 ? "" : ", scale factors in the first \(scaledBlockCount) blocks"
        return "\(name ?? "DiT"), \(depth) blocks of width \(hiddenSize), \(heads), patch "
            + "\(patchSize), input \(input)"
            + (guesses.contains("inputSize") ? " (the size is a guess)" : "")
            + ", \(classCount) classes\(scales)"
    }
}
