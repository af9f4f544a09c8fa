import NeuralNetworks
import Torch

/// ResNet with average pooling (Kim et al., ICML 2022): ResNetAP-10 is the main network of the
/// published evaluation.
///
/// A `ResNet` whose convolutions all have stride 1: means of windows make the maps smaller.
///
/// ```
/// stem → 4 stages of blocks y = ReLU(F(x) + P(x)) → mean over the map → Linear
/// F: Conv3×3 → norm → ReLU → AvgPool s → Conv3×3 → norm
/// P: x itself, or Conv1×1 → AvgPool s → norm where the shape changes
/// ```
///
/// The stem depends on the size of the images: Conv3×3 up to 64 pixels; Conv3×3 and AvgPool2 up to
/// 128; Conv7×7 and AvgPool4 above. A norm and a ReLU follow its convolution. Stages 2 to 4 begin
/// with s = 2.
///
/// State-dictionary names and first weights are those of vimar-gu/MinimaxDiffusion
/// (`train_models/resnet_ap.py`).
///
/// Shape letters: B images, C channels, S×S pixels, W width, H×H pixels of a map, K classes.
public final class ResNetAP: ResidualNetwork {
    /// Size and shape of a ResNetAP; images have at least 16×16 pixels.
    public typealias Configuration = ResNetConfiguration

    /// The layers in front of the blocks: `layer0`.
    final class Stem: MapLayer {
        @Child("conv1") var convolution: Conv2d
        @Child("bn1") var norm: ChannelNorm
        private let kind: Configuration.Stem

        init(_ configuration: Configuration) {
            kind = configuration.stem
            super.init()
            convolution = Conv2d(
                configuration.channels,
                configuration.width,
                kernelSize: kind == .large ? 7 : 3
            )
            norm = ChannelNorm(configuration.norm, channels: configuration.width)
        }

        override func callAsFunction(_ x: Tensor) -> Tensor {
            var x = convolution(x)  // [B, W, S, S]
            x = norm(x).relu()
            switch kind {
            case .small: return x
            case .middle: return x.averagePooled(kernelSize: 2)  // [B, W, S/2, S/2]
            case .large: return x.averagePooled(kernelSize: 4)  // [B, W, S/4, S/4]
            }
        }
    }

    /// The way around a block that changes the shape: `downsample.0`, `downsample.2`; the pooling
    /// between them has no weights.
    final class Downsample: Module {
        @Child("0") var convolution: Conv2d
        @Child("2") var norm: ChannelNorm
        private let stride: Int

        init(_ inputs: Int, _ outputs: Int, stride: Int, norm: Configuration.Norm) {
            self.stride = stride
            super.init()
            convolution = Conv2d(inputs, outputs, kernelSize: 1)
            self.norm = ChannelNorm(norm, channels: outputs)
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            // The published order is convolution, mean. Of single pixels both are the same, and
            // on the smaller map the convolution takes a part of the time.
            norm(convolution(x.averagePooled(kernelSize: stride)))
        }
    }

    /// One residual block.
    final class Block: MapLayer {
        @Child("conv1") var convolution1: Conv2d
        @Child("bn1") var norm1: ChannelNorm
        @Child("conv2") var convolution2: Conv2d
        @Child("bn2") var norm2: ChannelNorm
        @Child var downsample: Downsample?
        private let stride: Int

        init(_ inputs: Int, _ outputs: Int, stride: Int, norm: Configuration.Norm) {
            self.stride = stride
            super.init()
            convolution1 = Conv2d(inputs, outputs, kernelSize: 3)
            norm1 = ChannelNorm(norm, channels: outputs)
            convolution2 = Conv2d(outputs, outputs, kernelSize: 3)
            norm2 = ChannelNorm(norm, channels: outputs)
            downsample =
                stride == 1 && inputs == outputs
                ? nil : Downsample(inputs, outputs, stride: stride, norm: norm)
        }

        override func callAsFunction(_ x: Tensor) -> Tensor {
            let shortcut = downsample?(x) ?? x  // [B, outputs, H/stride, H/stride]
            var x = convolution1(x)  // [B, outputs, H, H]
            x = norm1(x).relu()
            if stride > 1 { x = x.averagePooled(kernelSize: stride) }
            x = norm2(convolution2(x))  // [B, outputs, H/stride, H/stride]
            return (x + shortcut).relu()
        }
    }

    /// Makes a network with new weights.
    ///
    /// - Parameters:
    ///   - configuration: Size and shape.
    ///   - generator: Source of the first weights.
    /// - Throws: `NetworkError` if there is no such depth or the images are too small.
    public init(
        _ configuration: Configuration,
        using generator: inout RandomGenerator
    ) throws(NetworkError) {
        if let problem = configuration.problem(of: "ResNetAP", leastImageSize: 16) {
            throw NetworkError(code: .unfitSize, message: problem)
        }
        super.init(configuration, stem: Stem.init, block: Block.init, using: &generator)
    }
}
