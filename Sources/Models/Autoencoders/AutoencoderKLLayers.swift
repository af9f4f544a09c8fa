import NeuralNetworks
import Torch

// The parts of `AutoencoderKL`, with the names and the order of diffusers' state dictionary.
extension AutoencoderKL {
    private static let epsilon = 1e-6

    private static func norm(_ configuration: Configuration, _ channels: Int) -> GroupNorm {
        GroupNorm(
            groupCount: configuration.normGroupCount,
            channels: channels,
            epsilon: epsilon
        )
    }

    private static func convolution(_ inputs: Int, _ outputs: Int, stride: Int = 1) -> Conv2d {
        Conv2d(
            inputChannels: inputs,
            outputChannels: outputs,
            kernelSize: 3,
            stride: stride,
            padding: stride == 1 ? 1 : 0
        )
    }

    /// Norm, SiLU and 3×3 convolution, twice, added to the input: [B, C, H, W] → [B, C', H, W].
    final class ResidualBlock: Module {
        @Child("norm1") var firstNorm: GroupNorm
        @Child("conv1") var firstConvolution: Conv2d
        @Child("norm2") var secondNorm: GroupNorm
        @Child("conv2") var secondConvolution: Conv2d
        @Child("conv_shortcut") var shortcut: Conv2d?

        init(_ configuration: Configuration, _ inputs: Int, _ outputs: Int) {
            super.init()
            firstNorm = norm(configuration, inputs)
            firstConvolution = convolution(inputs, outputs)
            secondNorm = norm(configuration, outputs)
            secondConvolution = convolution(outputs, outputs)
            shortcut =
                inputs == outputs
                ? nil
                : Conv2d(inputChannels: inputs, outputChannels: outputs, kernelSize: 1)
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            var y = firstNorm(x).silu()  // [B, C, H, W]
            y = firstConvolution(y)  // [B, C', H, W]
            y = secondNorm(y).silu()  // [B, C', H, W]
            y = secondConvolution(y)  // [B, C', H, W]
            return (shortcut.map { $0(x) } ?? x) + y
        }
    }

    /// Attention between all places of a map, with one head, added to the input.
    ///
    /// Input shape: [B, C, H, W]. Output shape: the same.
    final class Attention: Module {
        @Child("group_norm") var groupNorm: GroupNorm
        @Child("to_q") var query: Linear
        @Child("to_k") var key: Linear
        @Child("to_v") var value: Linear
        @Child("to_out") var projection: [Linear]

        init(_ configuration: Configuration, _ channels: Int) {
            super.init()
            groupNorm = norm(configuration, channels)
            query = Linear(channels, channels)
            key = Linear(channels, channels)
            value = Linear(channels, channels)
            projection = [Linear(channels, channels)]
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            let (height, width) = (x.size(along: 2), x.size(along: 3))
            var y = groupNorm(x)  // [B, C, H, W]
            y = y.flattened(from: 2).transposed(1, 2).unsqueezed(1)  // [B, 1, H·W, C]
            y = .attention(query: query(y), key: key(y), value: value(y))  // [B, 1, H·W, C]
            y = projection[0](y).squeezed(1).transposed(1, 2)  // [B, C, H·W]
            return x + y.reshaped(x.size(along: 0), x.size(along: 1), height, width)
        }
    }

    /// Residual block, attention, residual block: [B, C, H, W] → [B, C, H, W].
    final class MiddleBlock: Module {
        @Child("attentions") var attentions: [Attention]
        @Child("resnets") var blocks: [ResidualBlock]

        init(_ configuration: Configuration, _ channels: Int) {
            super.init()
            attentions =
                configuration.hasMiddleAttention ? [Attention(configuration, channels)] : []
            blocks = (0..<2).map { _ in ResidualBlock(configuration, channels, channels) }
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            var x = blocks[0](x)
            for attention in attentions { x = attention(x) }
            return blocks[1](x)
        }
    }

    /// The convolution that a `Downsampler` and an `Upsampler` have under the name `conv`.
    class Resampler: Module {
        @Child("conv") var convolution: Conv2d

        init(_ channels: Int, stride: Int) {
            super.init()
            convolution = AutoencoderKL.convolution(channels, channels, stride: stride)
        }
    }

    /// Half the size: [B, C, H, W] → [B, C, H/2, W/2].
    final class Downsampler: Resampler {
        func callAsFunction(_ x: Tensor) -> Tensor {
            // Zeros only to the right and below, as in the original.
            convolution(x.padded([0, 1, 0, 1]))
        }
    }

    /// Twice the size: [B, C, H, W] → [B, C, 2H, 2W].
    final class Upsampler: Resampler {
        func callAsFunction(_ x: Tensor) -> Tensor {
            let (height, width) = (2 * x.size(along: 2), 2 * x.size(along: 3))
            return convolution(x.interpolated(height: height, width: width, bilinear: false))
        }
    }

    /// A level of the encoder: residual blocks, then half the size unless it is the last.
    final class DownBlock: Module {
        @Child("resnets") var blocks: [ResidualBlock]
        @Child("downsamplers") var downsamplers: [Downsampler]

        init(_ configuration: Configuration, _ inputs: Int, _ outputs: Int, isLast: Bool) {
            super.init()
            blocks = (0..<configuration.layersPerBlock).map {
                ResidualBlock(configuration, $0 == 0 ? inputs : outputs, outputs)
            }
            downsamplers = isLast ? [] : [Downsampler(outputs, stride: 2)]
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            var x = x
            for block in blocks { x = block(x) }
            for downsampler in downsamplers { x = downsampler(x) }
            return x
        }
    }

    /// A level of the decoder: residual blocks, then twice the size unless it is the last.
    final class UpBlock: Module {
        @Child("resnets") var blocks: [ResidualBlock]
        @Child("upsamplers") var upsamplers: [Upsampler]

        init(_ configuration: Configuration, _ inputs: Int, _ outputs: Int, isLast: Bool) {
            super.init()
            blocks = (0...configuration.layersPerBlock).map {
                ResidualBlock(configuration, $0 == 0 ? inputs : outputs, outputs)
            }
            upsamplers = isLast ? [] : [Upsampler(outputs, stride: 1)]
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            var x = x
            for block in blocks { x = block(x) }
            for upsampler in upsamplers { x = upsampler(x) }
            return x
        }
    }

    /// Images to mean and log-variance: [B, C, H, W] → [B, 2c, H/f, W/f].
    final class Encoder: Module {
        @Child("conv_in") var input: Conv2d
        @Child("down_blocks") var downBlocks: [DownBlock]
        @Child("mid_block") var middle: MiddleBlock
        @Child("conv_norm_out") var outputNorm: GroupNorm
        @Child("conv_out") var output: Conv2d

        init(_ configuration: Configuration, widths: [Int], innermost: Int) {
            super.init()
            input = convolution(configuration.imageChannels, widths.first ?? innermost)
            downBlocks = widths.indices.map { level in
                DownBlock(
                    configuration,
                    widths[max(level - 1, 0)],
                    widths[level],
                    isLast: level == widths.count - 1
                )
            }
            middle = MiddleBlock(configuration, innermost)
            outputNorm = norm(configuration, innermost)
            output = convolution(innermost, 2 * configuration.latentChannels)
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            var x = input(x)  // [B, C₀, H, W]
            for block in downBlocks { x = block(x) }  // [B, Cₙ, H/f, W/f]
            x = middle(x)  // [B, Cₙ, H/f, W/f]
            x = outputNorm(x).silu()  // [B, Cₙ, H/f, W/f]
            return output(x)  // [B, 2c, H/f, W/f]
        }
    }

    /// Latents to images: [B, c, h, w] → [B, C, f·h, f·w].
    final class Decoder: Module {
        @Child("conv_in") var input: Conv2d
        @Child("up_blocks") var upBlocks: [UpBlock]
        @Child("mid_block") var middle: MiddleBlock
        @Child("conv_norm_out") var outputNorm: GroupNorm
        @Child("conv_out") var output: Conv2d

        init(_ configuration: Configuration, widths: [Int], innermost: Int) {
            super.init()
            let inwards = Array(widths.reversed())
            let outermost = inwards.last ?? innermost
            input = convolution(configuration.latentChannels, innermost)
            upBlocks = inwards.indices.map { level in
                UpBlock(
                    configuration,
                    inwards[max(level - 1, 0)],
                    inwards[level],
                    isLast: level == inwards.count - 1
                )
            }
            middle = MiddleBlock(configuration, innermost)
            outputNorm = norm(configuration, outermost)
            output = convolution(outermost, configuration.imageChannels)
        }

        /// The input, the middle, the levels, the output.
        var layerCount: Int { upBlocks.count + 3 }

        /// One of the layers.
        func layer(_ index: Int, _ x: Tensor) -> Tensor {
            switch index {
            case 0: input(x)  // [B, Cₙ, h, w]
            case 1: middle(x)  // [B, Cₙ, h, w]
            case layerCount - 1: output(outputNorm(x).silu())  // [B, C, f·h, f·w]
            default: upBlocks[index - 2](x)  // at last [B, C₀, f·h, f·w]
            }
        }
    }
}
