import NeuralNetworks
import Torch

/// MobileNetV2 (Sandler et al., CVPR 2018) of width 1 as torchvision has it: a small network for
/// photographs.
///
/// ```
/// Conv3×3 (stride 2) → 17 inverted residuals → Conv1×1 (1280) → mean over the map → Dropout
/// → Linear
/// inverted residual: [Conv1×1 (t× wider)] → Conv3×3 of each channel (stride s) → Conv1×1
/// ```
///
/// A batch norm follows every convolution, then ReLU6, but not after the last one of a block. A
/// block adds its input where the shape stays. State-dictionary names are torchvision's, so its
/// weights load.
///
/// The dropout (0.2) needs random numbers: `prepareStep` gives them, and without it nothing is
/// dropped.
///
/// Shape letters: B images, C channels, S×S pixels, K classes.
public final class MobileNetV2: Module, ImageClassifier {
    /// Size of a MobileNetV2.
    public typealias Configuration = LargeImageConfiguration

    /// A convolution with norm and ReLU6: `0`, `1`.
    final class ConvolutionNorm: MapLayer {
        @Child("0") var convolution: Conv2d
        @Child("1") var norm: BatchNorm2d

        init(_ inputs: Int, _ outputs: Int, kernelSize: Int, stride: Int = 1, groups: Int = 1) {
            super.init()
            convolution = Conv2d(
                inputChannels: inputs,
                outputChannels: outputs,
                kernelSize: kernelSize,
                stride: stride,
                padding: kernelSize / 2,
                groups: groups,
                usesBias: false
            )
            norm = BatchNorm2d(channels: outputs)
        }

        override func callAsFunction(_ x: Tensor) -> Tensor {
            norm(convolution(x)).clamped(to: 0...6)
        }
    }

    /// One inverted residual: [B, inputs, H, H] → [B, outputs, H/stride, H/stride].
    final class Block: MapLayer {
        private let expansion: ConvolutionNorm?
        private let depthwise: ConvolutionNorm
        private let projection: Conv2d
        private let norm: BatchNorm2d
        private let addsInput: Bool
        /// All of them, numbered in order.
        @Child("conv") private var layers: [Module]

        init(_ inputs: Int, _ outputs: Int, stride: Int, expansion factor: Int) {
            let width = inputs * factor
            expansion = factor == 1 ? nil : ConvolutionNorm(inputs, width, kernelSize: 1)
            depthwise = ConvolutionNorm(
                width,
                width,
                kernelSize: 3,
                stride: stride,
                groups: width
            )
            projection = Conv2d(width, outputs, kernelSize: 1)
            norm = BatchNorm2d(channels: outputs)
            addsInput = stride == 1 && inputs == outputs
            super.init()
            layers = [expansion, depthwise, projection, norm].compactMap { $0 }
        }

        override func callAsFunction(_ input: Tensor) -> Tensor {
            var x = expansion?(input) ?? input  // [B, inputs·factor, H, H]
            x = depthwise(x)  // [B, inputs·factor, H/stride, H/stride]
            x = norm(projection(x))  // [B, outputs, H/stride, H/stride]
            return addsInput ? x + input : x
        }
    }

    /// The linear layer behind the dropout: `classifier.1`.
    final class Classifier: Module {
        @Child("1") var linear: Linear

        init(_ inputs: Int, _ outputs: Int) {
            super.init()
            linear = Linear(inputs, outputs)
        }
    }

    /// Width factor t, output channels, number of blocks and stride of the first of every stage.
    private static let stages = [
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
        (6, 160, 3, 2), (6, 320, 1, 1),
    ]

    private static let dropProbability = 0.2
    private static let featureCount = 1280

    /// Size.
    public let configuration: Configuration
    @Child("features") var layers: [MapLayer]
    @Child var classifier: Classifier
    private var dropoutGenerator: RandomGenerator?

    /// Number of classes.
    public var classCount: Int { configuration.classCount }

    /// True: convolutions of single channels on a CPU are far faster.
    public var prefersChannelsLast: Bool { true }

    /// Makes a network with new weights.
    ///
    /// - Parameters:
    ///   - configuration: Size.
    ///   - generator: Source of the first weights.
    /// - Throws: `NetworkError` if the images are too small.
    public init(
        _ configuration: Configuration,
        using generator: inout RandomGenerator
    ) throws(NetworkError) {
        try configuration.validate("MobileNetV2")
        self.configuration = configuration
        super.init()
        var made: [MapLayer] = [
            ConvolutionNorm(configuration.channels, 32, kernelSize: 3, stride: 2)
        ]
        var inputs = 32
        for (factor, outputs, count, stride) in MobileNetV2.stages {
            for position in 0..<count {
                let stride = position == 0 ? stride : 1
                made.append(Block(inputs, outputs, stride: stride, expansion: factor))
                inputs = outputs
            }
        }
        made.append(ConvolutionNorm(inputs, MobileNetV2.featureCount, kernelSize: 1))
        layers = made
        classifier = Classifier(MobileNetV2.featureCount, configuration.classCount)
        initializeWeights(using: &generator)
    }

    /// Takes the random numbers of the next pass in training.
    public func prepareStep(using generator: RandomGenerator) { dropoutGenerator = generator }

    /// The mean over the last map: [B, C, S, S] → [B, 1280].
    public func features(_ x: Tensor) -> Tensor {
        let x = layers.reduce(x) { $1($0) }  // [B, 1280, S/32, S/32]
        return x.mean(axes: [2, 3])  // [B, 1280]
    }

    /// Scores before the softmax: [B, C, S, S] → [B, K].
    public func callAsFunction(_ x: Tensor) -> Tensor {
        classifier.linear(dropped(features(x)))
    }

    /// In training a random fifth of the features as zeros, and the others enlarged for them.
    private func dropped(_ x: Tensor) -> Tensor {
        guard isTraining, var generator = dropoutGenerator else { return x }
        let kept = generator.uniform(x.shape)
            .compared(.greaterOrEqual, to: MobileNetV2.dropProbability)
        let scale = 1 / (1 - MobileNetV2.dropProbability)
        return x * kept.converted(to: x.dtype, device: x.device) * scale
    }

    /// torchvision's first weights; norms keep scale 1 and shift 0.
    private func initializeWeights(using generator: inout RandomGenerator) {
        Initialization.heByFanOut(self, using: &generator)
        Initialization.normal(classifier.linear.weight, deviation: 0.01, using: &generator)
        // The bias starts at zero.
    }
}
