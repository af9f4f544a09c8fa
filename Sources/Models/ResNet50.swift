import NeuralNetworks
import Torch

/// ResNet-50 (He et al., CVPR 2016) as torchvision has it: a network for photographs, of
/// three-layer blocks with batch norms.
///
/// ```
/// Conv7×7 (stride 2) → BatchNorm → ReLU → MaxPool3 (stride 2)
/// → 4 stages of 3, 4, 6, 3 blocks y = ReLU(F(x) + P(x)) → mean over the map → Linear
/// F: Conv1×1 → norm → ReLU → Conv3×3 (stride s) → norm → ReLU → Conv1×1 (×4 wider) → norm
/// P: x itself, or Conv1×1 (stride s) → norm where the shape changes
/// ```
///
/// Stages 2 to 4 begin with stride 2, in the 3×3 convolution ("version 1.5", as in torchvision;
/// the paper has it in the first 1×1). State-dictionary names are torchvision's, so its weights
/// load. First weights as there: He's normal numbers by the fan out.
///
/// Shape letters: B images, C channels, S×S pixels, K classes.
public final class ResNet50: Module, ImageClassifier {
    /// Size of a ResNet-50.
    public typealias Configuration = LargeImageConfiguration

    /// One residual block: [B, inputs, H, H] → [B, 4·width, H/stride, H/stride].
    final class Bottleneck: Module {
        @Child("conv1") var convolution1: Conv2d
        @Child("bn1") var norm1: BatchNorm2d
        @Child("conv2") var convolution2: Conv2d
        @Child("bn2") var norm2: BatchNorm2d
        @Child("conv3") var convolution3: Conv2d
        @Child("bn3") var norm3: BatchNorm2d
        @Child var downsample: ResNet.Downsample?

        init(_ inputs: Int, width: Int, stride: Int) {
            super.init()
            let outputs = 4 * width
            convolution1 = Conv2d(inputs, width, kernelSize: 1)
            norm1 = BatchNorm2d(channels: width)
            convolution2 = Conv2d(width, width, kernelSize: 3, stride: stride)
            norm2 = BatchNorm2d(channels: width)
            convolution3 = Conv2d(width, outputs, kernelSize: 1)
            norm3 = BatchNorm2d(channels: outputs)
            downsample =
                stride == 1 && inputs == outputs
                ? nil : ResNet.Downsample(inputs, outputs, stride: stride, norm: .batch)
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            let shortcut = downsample?(x) ?? x  // [B, 4·width, H/stride, H/stride]
            var x = convolution1(x)  // [B, width, H, H]
            x = norm1(x).relu()
            x = convolution2(x)  // [B, width, H/stride, H/stride]
            x = norm2(x).relu()
            x = norm3(convolution3(x))  // [B, 4·width, H/stride, H/stride]
            return (x + shortcut).relu()
        }
    }

    /// Size.
    public let configuration: Configuration
    @Child("conv1") var stemConvolution: Conv2d
    @Child("bn1") var stemNorm: BatchNorm2d
    @Child("layer1") var stage1: [Bottleneck]
    @Child("layer2") var stage2: [Bottleneck]
    @Child("layer3") var stage3: [Bottleneck]
    @Child("layer4") var stage4: [Bottleneck]
    @Child("fc") var classifier: Linear

    /// Number of classes.
    public var classCount: Int { configuration.classCount }

    /// True: convolutions on a CPU are faster, and batch norms no slower.
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
        try configuration.validate("ResNet-50")
        self.configuration = configuration
        super.init()
        stemConvolution = Conv2d(configuration.channels, 64, kernelSize: 7, stride: 2)
        stemNorm = BatchNorm2d(channels: 64)
        stage1 = ResNet50.stage(inputs: 64, width: 64, blockCount: 3, stride: 1)
        stage2 = ResNet50.stage(inputs: 256, width: 128, blockCount: 4, stride: 2)
        stage3 = ResNet50.stage(inputs: 512, width: 256, blockCount: 6, stride: 2)
        stage4 = ResNet50.stage(inputs: 1024, width: 512, blockCount: 3, stride: 2)
        classifier = Linear(2048, configuration.classCount)
        Initialization.residual(self, classifier: classifier, using: &generator)
    }

    private static func stage(
        inputs: Int,
        width: Int,
        blockCount: Int,
        stride: Int
    ) -> [Bottleneck] {
        (0..<blockCount).map { position in
            position == 0
                ? Bottleneck(inputs, width: width, stride: stride)
                : Bottleneck(4 * width, width: width, stride: 1)
        }
    }

    /// The mean over the last map: [B, C, S, S] → [B, 2048].
    public func features(_ x: Tensor) -> Tensor {
        var x = stemConvolution(x)  // [B, 64, S/2, S/2]
        x = stemNorm(x).relu()
        x = x.maxPooled(kernelSize: 3, stride: 2, padding: 1)  // [B, 64, S/4, S/4]
        x = stage1.reduce(x) { $1($0) }  // [B, 256, S/4, S/4]
        x = stage2.reduce(x) { $1($0) }  // [B, 512, S/8, S/8]
        x = stage3.reduce(x) { $1($0) }  // [B, 1024, S/16, S/16]
        x = stage4.reduce(x) { $1($0) }  // [B, 2048, S/32, S/32]
        return x.mean(axes: [2, 3])  // [B, 2048]
    }

    /// Scores before the softmax: [B, C, S, S] → [B, K].
    public func callAsFunction(_ x: Tensor) -> Tensor { classifier(features(x)) }
}
