import NeuralNetworks
import Torch

/// ResNet (He et al., CVPR 2016) of two-layer blocks, with instance norms: ResNet-18 is the largest
/// network of the published evaluation.
///
/// ```
/// stem → 4 stages of blocks y = ReLU(F(x) + P(x)) → mean over the map → Linear
/// F: Conv3×3 (stride s) → norm → ReLU → Conv3×3 → norm
/// P: x itself, or Conv1×1 (stride s) → norm where the shape changes
/// ```
///
/// The stem depends on the size of the images: Conv3×3 up to 64 pixels; Conv3×3 and MaxPool3
/// (stride 2) up to 128; Conv7×7 (stride 2) and MaxPool3 (stride 2) above. A norm and a ReLU
/// follow its convolution. Stages 2 to 4 begin with stride 2.
///
/// State-dictionary names and first weights are those of vimar-gu/MinimaxDiffusion
/// (`train_models/resnet.py`).
///
/// Shape letters: B images, C channels, S×S pixels, W width, H×H pixels of a map, K classes.
public final class ResNet: ResidualNetwork {
    /// Size and shape of a ResNet; images have at least 9×9 pixels.
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
                kernelSize: kind == .large ? 7 : 3,
                stride: kind == .large ? 2 : 1
            )
            norm = ChannelNorm(configuration.norm, channels: configuration.width)
        }

        override func callAsFunction(_ x: Tensor) -> Tensor {
            var x = convolution(x)  // [B, W, S or S/2, S or S/2]
            x = norm(x)
            // The largest number and the ReLU can change places; on the smaller map it is faster.
            if kind != .small { x = x.maxPooled(kernelSize: 3, stride: 2, padding: 1) }
            return x.relu()  // [B, W, S, S], S/2 or S/4
        }
    }

    /// The way around a block that changes the shape: `downsample.0`, `downsample.1`.
    final class Downsample: Module {
        @Child("0") var convolution: Conv2d
        @Child("1") var norm: ChannelNorm

        init(_ inputs: Int, _ outputs: Int, stride: Int, norm: Configuration.Norm) {
            super.init()
            convolution = Conv2d(inputs, outputs, kernelSize: 1, stride: stride)
            self.norm = ChannelNorm(norm, channels: outputs)
        }

        func callAsFunction(_ x: Tensor) -> Tensor { norm(convolution(x)) }
    }

    /// One residual block.
    final class Block: MapLayer {
        @Child("conv1") var convolution1: Conv2d
        @Child("bn1") var norm1: ChannelNorm
        @Child("conv2") var convolution2: Conv2d
        @Child("bn2") var norm2: ChannelNorm
        @Child var downsample: Downsample?

        init(_ inputs: Int, _ outputs: Int, stride: Int, norm: Configuration.Norm) {
            super.init()
            convolution1 = Conv2d(inputs, outputs, kernelSize: 3, stride: stride)
            norm1 = ChannelNorm(norm, channels: outputs)
            convolution2 = Conv2d(outputs, outputs, kernelSize: 3)
            norm2 = ChannelNorm(norm, channels: outputs)
            downsample =
                stride == 1 && inputs == outputs
                ? nil : Downsample(inputs, outputs, stride: stride, norm: norm)
        }

        override func callAsFunction(_ x: Tensor) -> Tensor {
            let shortcut = downsample?(x) ?? x  // [B, outputs, H/stride, H/stride]
            var x = convolution1(x)  // [B, outputs, H/stride, H/stride]
            x = norm1(x).relu()
            x = norm2(convolution2(x))
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
        if let problem = configuration.problem(of: "ResNet", leastImageSize: 9) {
            throw NetworkError(code: .unfitSize, message: problem)
        }
        super.init(configuration, stem: Stem.init, block: Block.init, using: &generator)
    }
}
