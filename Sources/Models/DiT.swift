import Checkpoints
import NeuralNetworks
import Torch

/// The Diffusion Transformer (Peebles & Xie, ICCV 2023, "Scalable Diffusion Models with
/// Transformers"): predicts noise and variance of an image or latent, given time and class.
///
/// State-dictionary names are those of facebookresearch/DiT, so that its checkpoints load.
/// With scale factors ("DiffFit", Xie et al., ICCV 2023) it is the model that Minimax Diffusion
/// fine-tunes.
///
/// Shape letters: B images, C channels, H×W pixels, p patch side, T = H·W/p² tokens, D width.
public final class DiT: Module {
    /// Size and shape of a DiT.
    public struct Configuration: Codable, Sendable, Equatable {
        /// Pixels (or latent positions) a side; a multiple of the patch size.
        public var inputSize: Int
        /// Pixels a side of one token.
        public var patchSize: Int
        /// C, channels of the input.
        public var channels: Int
        /// D, width of a token; a multiple of four and of the head count.
        public var hiddenSize: Int
        /// Number of blocks.
        public var depth: Int
        /// Number of attention heads.
        public var headCount: Int
        /// Width of the hidden layer of a block's MLP, relative to D.
        public var mlpRatio: Double
        /// Number of classes; the label `classCount` means "no class".
        public var classCount: Int
        /// Whether the variance is predicted too: 2C output channels instead of C.
        public var learnsVariance: Bool
        /// Number of first blocks with DiffFit scale factors.
        public var scaledBlockCount: Int

        /// Describes a DiT; the defaults are the published ones for 256 px latents.
        public init(
            inputSize: Int = 32,
            patchSize: Int = 2,
            channels: Int = 4,
            hiddenSize: Int,
            depth: Int,
            headCount: Int,
            mlpRatio: Double = 4,
            classCount: Int = 1000,
            learnsVariance: Bool = true,
            scaledBlockCount: Int = 0
        ) {
            self.inputSize = inputSize
            self.patchSize = patchSize
            self.channels = channels
            self.hiddenSize = hiddenSize
            self.depth = depth
            self.headCount = headCount
            self.mlpRatio = mlpRatio
            self.classCount = classCount
            self.learnsVariance = learnsVariance
            self.scaledBlockCount = scaledBlockCount
        }

        /// DiT-S: 12 blocks of width 384.
        public static func small(patchSize: Int) -> Configuration {
            Configuration(patchSize: patchSize, hiddenSize: 384, depth: 12, headCount: 6)
        }

        /// DiT-B: 12 blocks of width 768.
        public static func base(patchSize: Int) -> Configuration {
            Configuration(patchSize: patchSize, hiddenSize: 768, depth: 12, headCount: 12)
        }

        /// DiT-L: 24 blocks of width 1024.
        public static func large(patchSize: Int) -> Configuration {
            Configuration(patchSize: patchSize, hiddenSize: 1024, depth: 24, headCount: 16)
        }

        /// DiT-XL: 28 blocks of width 1152.
        public static func extraLarge(patchSize: Int) -> Configuration {
            Configuration(patchSize: patchSize, hiddenSize: 1152, depth: 28, headCount: 16)
        }

        /// The same model with the scale factors of the published fine-tuning: in the first 14
        /// blocks, whatever the depth.
        public func withScaleFactors(blockCount: Int = 14) -> Configuration {
            var copy = self
            copy.scaledBlockCount = min(blockCount, depth)
            return copy
        }

        /// Channels of the output: C, or 2C with the variance.
        public var outputChannels: Int { learnsVariance ? 2 * channels : channels }

        /// Number of tokens T.
        public var tokenCount: Int { (inputSize / patchSize) * (inputSize / patchSize) }

        /// What is wrong with these sizes, or nil.
        public var problem: String? {
            let sizes = [inputSize, patchSize, channels, hiddenSize, depth, headCount, classCount]
            if sizes.contains(where: { $0 < 1 }) { return "every size must be at least 1" }
            if inputSize % patchSize != 0 {
                return "the input size \(inputSize) is no multiple of the patch size \(patchSize)"
            }
            if hiddenSize % 4 != 0 {
                return "the hidden size \(hiddenSize) is no multiple of 4"
            }
            if hiddenSize % headCount != 0 {
                return "the hidden size \(hiddenSize) is no multiple of the \(headCount) heads"
            }
            return nil
        }
    }

    /// Size and shape.
    public let configuration: Configuration
    /// Keeps only the input of every block for the gradient, and computes the rest of it once more
    /// in the backward pass: far less memory for one more forward pass.
    ///
    /// Gradients are the same.
    public var recomputesActivations = false
    @Parameter("pos_embed", isConstant: true) var positions: Tensor
    @Child("x_embedder") var patchEmbedder: PatchEmbedder
    @Child("t_embedder") var timestepEmbedder: TimestepEmbedder
    @Child("y_embedder") var labelEmbedder: LabelEmbedder
    @Child("blocks") var blocks: [DiTBlock]
    @Child("final_layer") var finalLayer: FinalLayer

    /// Makes a model with the published initialisation.
    ///
    /// Traps if the sizes do not fit each other; see `Configuration.problem`.
    ///
    /// - Parameters:
    ///   - configuration: Size and shape.
    ///   - generator: Source of the first weights.
    public init(_ configuration: Configuration, using generator: inout RandomGenerator) {
        self.configuration = configuration
        super.init()
        build()
        initializeWeights(using: &generator)
    }

    /// Makes a model whose weights are loaded afterwards.
    ///
    /// Nothing is drawn, which takes long for a large one. Scale factors are one; all other
    /// weights mean nothing yet.
    ///
    /// Traps if the sizes do not fit each other; see `Configuration.problem`.
    ///
    /// - Parameter configuration: Size and shape.
    public init(awaitingWeights configuration: Configuration) {
        self.configuration = configuration
        super.init()
        build()
        for (name, tensor) in parameters() where DiT.isScaleFactor(name) {
            Initialization.constant(tensor, 1)
        }
    }

    private func build() {
        if let problem = configuration.problem { trap("DiT: \(problem)") }
        positions = PositionTable.sineCosine(
            side: configuration.inputSize / configuration.patchSize,
            width: configuration.hiddenSize
        )
        patchEmbedder = PatchEmbedder(configuration)
        timestepEmbedder = TimestepEmbedder(width: configuration.hiddenSize)
        labelEmbedder = LabelEmbedder(configuration)
        blocks = (0..<configuration.depth).map {
            DiTBlock(configuration, isScaled: $0 < configuration.scaledBlockCount)
        }
        finalLayer = FinalLayer(configuration)
    }

    /// Predicts noise and variance.
    ///
    /// - Parameters:
    ///   - x: [B, C, H, W].
    ///   - timesteps: [B], the t of the 1000-step process, int64 or float32.
    ///   - labels: [B], int64; `classCount` for "no class".
    /// - Returns: [B, 2C, H, W]: ε, then the variance's interpolation weights; only ε if the
    ///   model learns no variance.
    public func callAsFunction(_ x: Tensor, timesteps: Tensor, labels: Tensor) -> Tensor {
        let c = condition(timesteps: timesteps, labels: labels)  // [B, D]
        var x = patchEmbedder(x) + positions  // [B, T, D]
        for block in blocks { x = applied(block, to: x, condition: c) }  // [B, T, D]
        x = finalLayer(x, condition: c)  // [B, T, p·p·2C]
        return unpatchified(x)  // [B, 2C, H, W]
    }

    private func applied(_ block: DiTBlock, to x: Tensor, condition c: Tensor) -> Tensor {
        guard recomputesActivations else { return block(x, condition: c) }
        let parameters = block.trainableParameters().map(\.tensor)
        return .recomputing([x, c], parameters: parameters) { block($0[0], condition: $0[1]) }
    }

    /// The vector that steers every block: [B] and [B] → SiLU(t + y), [B, D].
    func condition(timesteps: Tensor, labels: Tensor) -> Tensor {
        (timestepEmbedder(timesteps) + labelEmbedder(labels)).silu()
    }

    /// [B, T, p·p·C'] → [B, C', H, W].
    private func unpatchified(_ x: Tensor) -> Tensor {
        let p = configuration.patchSize
        let side = configuration.inputSize / p
        var x = x.reshaped(-1, side, side, p, p, configuration.outputChannels)
        x = x.permuted(0, 5, 1, 3, 2, 4)  // [B, C', side, p, side, p]
        return x.reshaped(
            -1,
            configuration.outputChannels,
            configuration.inputSize,
            configuration.inputSize
        )
    }

    /// The published initialisation (DiT, `initialize_weights`).
    private func initializeWeights(using generator: inout RandomGenerator) {
        for (name, tensor) in parameters() where name != "pos_embed" {
            if name.contains("adaLN_modulation") || name.hasPrefix("final_layer.linear") {
                // Zero, so that every block starts as the identity and the output as zero.
                Initialization.constant(tensor, 0)
            } else if name.hasPrefix("y_embedder")
                || name.hasPrefix("t_embedder.mlp.")
                    && name.hasSuffix("weight")
            {
                Initialization.normal(tensor, deviation: 0.02, using: &generator)
            } else if name.contains("gamma") {
                // One, so that a scaled block starts as the block of the checkpoint.
                Initialization.constant(tensor, 1)
            } else if name.hasSuffix("weight") {
                // Also the patch convolution, as the matrix it is.
                Initialization.xavierUniform(tensor, using: &generator)
            } else {
                Initialization.constant(tensor, 0)
            }
        }
    }
}

extension DiT {
    /// Names of the parameters that the published fine-tuning trains (DiffFit): biases, scale
    /// factors and the label table. ("norm" is part of the rule, but no tensor has it.)
    public static func isFineTuned(_ name: String) -> Bool {
        ["bias", "norm", "gamma", "y_embed"].contains { name.contains($0) }
    }

    /// Whether a checkpoint without scale factors may lack this name.
    public static func isScaleFactor(_ name: String) -> Bool { name.contains("gamma") }
}
