import NeuralNetworks
import Torch

/// ConvNet-d (Gidaris & Komodakis, CVPR 2018), on which dataset distillation is measured.
///
/// ```
/// d × [Conv3×3 → GroupNorm(W groups, that is instance norm) → ReLU → AvgPool2] → Linear
/// ```
///
/// Other norms and poolings are variants of it. The linear layer sees the flattened map. State-dictionary names and first weights are those of
/// vimar-gu/MinimaxDiffusion (`train_models/convnet.py`).
///
/// Shape letters: B images, C channels, S×S pixels, W width, s = ⌊S/2ᵈ⌋ pixels of the last map,
/// K classes.
public final class ConvNet: Module, ImageClassifier {
    /// Size and shape of a ConvNet.
    public struct Configuration: Codable, Sendable, Equatable {
        /// What normalises the map of a block.
        public enum Norm: String, Codable, Sendable, CaseIterable {
            /// Each channel of each image by itself: the published evaluation.
            case instance
            /// Each channel over the batch, with running statistics for tests.
            case batch
            /// Nothing.
            case none
        }

        /// How a block ends.
        public enum Pooling: String, Codable, Sendable, CaseIterable {
            /// The mean of 2×2 pixels: the published evaluation.
            case average
            /// The maximum of 2×2 pixels.
            case maximum
            /// The map keeps its size.
            case none
        }

        /// S, pixels a side; at least 2ᵈ.
        public var imageSize: Int
        /// C, channels of the images.
        public var channels: Int
        /// K, number of classes.
        public var classCount: Int
        /// d, number of blocks; each halves the map if it pools.
        public var depth: Int
        /// W, channels of every block.
        public var width: Int
        /// What normalises the map of a block.
        public var norm: Norm
        /// How a block ends.
        public var pooling: Pooling
        /// Pixels of padding of the first convolution; with 3 the map of an image of 28 pixels has 32, as
        /// in the published code for grey images (Zhao et al., ICLR 2021).
        public var firstPadding: Int

        /// Describes a ConvNet; the published width is 128, with instance norm and average pooling.
        public init(
            imageSize: Int,
            channels: Int = 3,
            classCount: Int,
            depth: Int,
            width: Int = 128,
            norm: Norm = .instance,
            pooling: Pooling = .average,
            firstPadding: Int = 1
        ) {
            self.imageSize = imageSize
            self.channels = channels
            self.classCount = classCount
            self.depth = depth
            self.width = width
            self.norm = norm
            self.pooling = pooling
            self.firstPadding = firstPadding
        }

        /// s, pixels a side of the map that the classifier sees.
        public var mapSize: Int {
            let first = imageSize + 2 * (firstPadding - 1)
            if pooling == .none { return first }
            return depth < Int.bitWidth ? first >> depth : 0
        }

        /// F = W·s², width of the features.
        public var featureCount: Int { width * mapSize * mapSize }

        /// The largest depth for images of a size.
        static func greatestDepth(imageSize: Int) -> Int {
            imageSize < 1 ? 0 : Int.bitWidth - 1 - imageSize.leadingZeroBitCount
        }

        /// What is wrong with these sizes, or nil.
        public var problem: String? {
            if [imageSize, channels, classCount, depth, width].contains(where: { $0 < 1 }) {
                return "Image size, channels, classes, depth and width of a ConvNet must be at "
                    + "least 1; they are \(imageSize), \(channels), \(classCount), \(depth) and "
                    + "\(width)."
            }
            if mapSize < 1 {
                let greatest = Configuration.greatestDepth(imageSize: imageSize)
                return "ConvNet-\(depth) halves the image \(depth) times, and nothing is left of "
                    + "images of \(imageSize)×\(imageSize) pixels. "
                    + (greatest > 0
                        ? "Use convnet-\(greatest) or a smaller depth, or larger images."
                        : "Use images of at least 2×2 pixels.")
            }
            return nil
        }
    }

    /// The blocks' layers, named as in the reference: `layers.conv.d`, `layers.norm.d`.
    final class Layers: Module {
        @Child("conv") var convolutions: [Conv2d]
        @Child("norm") var norms: [ChannelNorm]

        init(_ configuration: Configuration) {
            super.init()
            let width = configuration.width
            convolutions = (0..<configuration.depth).map { block in
                Conv2d(
                    inputChannels: block == 0 ? configuration.channels : width,
                    outputChannels: width,
                    kernelSize: 3,
                    padding: block == 0 ? configuration.firstPadding : 1
                )
            }
            norms = (0..<configuration.depth).compactMap { _ in
                switch configuration.norm {
                case .instance: ChannelNorm(.instance, channels: width)
                case .batch: ChannelNorm(.batch, channels: width)
                case .none: nil
                }
            }
        }
    }

    /// Size and shape.
    public let configuration: Configuration
    @Child var layers: Layers
    @Child var classifier: Linear

    /// Number of classes.
    public var classCount: Int { configuration.classCount }

    /// Makes a network with PyTorch's default initialisation.
    ///
    /// - Parameters:
    ///   - configuration: Size and shape.
    ///   - generator: Source of the first weights.
    /// - Throws: `NetworkError` if the depth does not fit the image size.
    public init(
        _ configuration: Configuration,
        using generator: inout RandomGenerator
    ) throws(NetworkError) {
        if let problem = configuration.problem {
            throw NetworkError(code: .unfitSize, message: problem)
        }
        self.configuration = configuration
        super.init()
        layers = Layers(configuration)
        classifier = Linear(configuration.featureCount, configuration.classCount)
        initializeWeights(using: &generator)
    }

    /// The flattened map of the last block: [B, C, S, S] → [B, W·s·s].
    public func features(_ x: Tensor) -> Tensor {
        var x = x
        for index in 0..<configuration.depth { x = block(index, x) }  // [B, W, s, s]
        return x.flattened(from: 1)  // [B, W·s·s]
    }

    /// One block: [B, C or W, H, H] → [B, W, ⌊H/2⌋, ⌊H/2⌋], or [B, W, H, H] without pooling.
    package func block(_ index: Int, _ x: Tensor) -> Tensor {
        var x = layers.convolutions[index](x)  // [B, W, H, H]
        let norm = configuration.norm == .none ? nil : layers.norms[index]
        if case .instance(let norm) = norm, configuration.pooling == .average {
            // Norm, ReLU and pooling: as single operations they take half of the time on a CPU.
            return x.instanceNormalizedRectifiedPooled(weight: norm.weight, bias: norm.bias)
        }
        x = (norm?(x) ?? x).relu()
        switch configuration.pooling {
        case .average: return x.averagePooled(kernelSize: 2)
        case .maximum: return x.maxPooled(kernelSize: 2, stride: 2)
        case .none: return x
        }
    }

    /// True: the norm, ReLU and pooling of a block are one pass in that order, and convolutions
    /// are faster.
    public var prefersChannelsLast: Bool { true }

    /// Scores before the softmax: [B, C, S, S] → [B, K].
    public func callAsFunction(_ x: Tensor) -> Tensor { classifier(features(x)) }

    /// PyTorch's defaults: uniform in ±1/√inputs; the norms keep scale 1 and shift 0.
    private func initializeWeights(using generator: inout RandomGenerator) {
        for layer in layers.convolutions {
            Initialization.pytorchDefault(
                weight: layer.weight,
                bias: layer.bias,
                using: &generator
            )
        }
        Initialization.pytorchDefault(
            weight: classifier.weight,
            bias: classifier.bias,
            using: &generator
        )
    }
}
