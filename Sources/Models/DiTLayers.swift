import Foundation
import NeuralNetworks
import Torch

/// Cuts an image into patches and embeds each: [B, C, H, W] → [B, T, D].
final class PatchEmbedder: Module {
    @Child("proj") var projection: Conv2d

    init(_ configuration: DiT.Configuration) {
        super.init()
        projection = Conv2d(
            inputChannels: configuration.channels,
            outputChannels: configuration.hiddenSize,
            kernelSize: configuration.patchSize,
            stride: configuration.patchSize
        )
    }

    /// The convolution as the matrix product it is: its patches do not overlap, and the tokens
    /// come out one after another.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let weight = projection.weight  // [D, C, p, p]
        let (p, shape) = (weight.size(along: 2), x.shape)
        let (rows, columns) = (shape[2] / p, shape[3] / p)
        var x = x.reshaped(shape[0], shape[1], rows, p, columns, p)
        x = x.permuted(0, 2, 4, 1, 3, 5)  // [B, H/p, W/p, C, p, p]
        x = x.reshaped(shape[0], rows * columns, shape[1] * p * p)  // [B, T, C·p·p]
        return x.linear(weight: weight.flattened(from: 1), bias: projection.bias)  // [B, T, D]
    }
}

/// Embeds a timestep: cosines and sines of 128 frequencies, then two layers.
///
/// Input shape: [B]. Output shape: [B, D].
final class TimestepEmbedder: Module {
    private let frequencyCount = 128
    @Buffer(isPersistent: false) var frequencies: Tensor
    @Child("mlp.0") var first: Linear
    @Child("mlp.2") var second: Linear

    init(width: Int) {
        super.init()
        let step = -log(10_000) / Double(frequencyCount)
        frequencies = Tensor((0..<frequencyCount).map { Float(exp(step * Double($0))) })
        first = Linear(2 * frequencyCount, width)
        second = Linear(width, width)
    }

    func callAsFunction(_ timesteps: Tensor) -> Tensor {
        var x = features(timesteps)  // [B, 256]
        x = first(x).silu()  // [B, D]
        return second(x)  // [B, D]
    }

    /// [cos(t·f), sin(t·f)], f_k = 10000^(-k/128): [B] → [B, 256].
    func features(_ timesteps: Tensor) -> Tensor {
        let angles = timesteps.converted(to: .float32).unsqueezed(1) * frequencies
        return .concatenated([angles.cos(), angles.sin()], along: 1)
    }
}

/// A row for each class and one for "no class": [B] → [B, D].
final class LabelEmbedder: Module {
    @Child("embedding_table") var table: Embedding

    init(_ configuration: DiT.Configuration) {
        super.init()
        table = Embedding(count: configuration.classCount + 1, width: configuration.hiddenSize)
    }

    func callAsFunction(_ labels: Tensor) -> Tensor { table(labels) }
}

/// Self-attention over tokens: [B, T, D] → [B, T, D].
final class Attention: Module {
    private let headCount: Int
    @Child("qkv") var inputs: Linear
    @Child("proj") var projection: Linear
    @Parameter("gamma1") var inputScale: Tensor?
    @Parameter("gamma2") var outputScale: Tensor?

    init(width: Int, headCount: Int, isScaled: Bool) {
        self.headCount = headCount
        super.init()
        inputs = Linear(width, 3 * width)
        projection = Linear(width, width)
        inputScale = isScaled ? .ones([3 * width]) : nil
        outputScale = isScaled ? .ones([width]) : nil
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        var x = inputs(x)  // [B, T, 3D]
        if let inputScale { x = x.scaled(by: inputScale) }  // [B, T, 3D]
        x = x.selfAttention(headCount: headCount)  // [B, T, D]
        x = projection(x)  // [B, T, D]
        if let outputScale { x = x.scaled(by: outputScale) }  // [B, T, D]
        return x
    }
}

/// Two layers with a GELU (tanh approximation) between them: [B, T, D] → [B, T, D].
final class MLP: Module {
    @Child("fc1") var first: Linear
    @Child("fc2") var second: Linear

    init(width: Int, hiddenWidth: Int) {
        super.init()
        first = Linear(width, hiddenWidth)
        second = Linear(hiddenWidth, width)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        var x = first(x)  // [B, T, 4D]
        x = x.gelu(tanhApproximation: true)  // [B, T, 4D]
        return second(x)  // [B, T, D]
    }
}

/// Attention and MLP, each with its input shifted and scaled and its output gated by the
/// condition (adaLN-Zero): [B, T, D] → [B, T, D].
final class DiTBlock: Module {
    private let width: Int
    @Child("attn") var attention: Attention
    @Child("mlp") var mlp: MLP
    @Child("adaLN_modulation.1") var modulation: Linear
    @Parameter("gamma1") var attentionScale: Tensor?
    @Parameter("gamma2") var mlpScale: Tensor?

    init(_ configuration: DiT.Configuration, isScaled: Bool) {
        width = configuration.hiddenSize
        super.init()
        attention = Attention(
            width: width,
            headCount: configuration.headCount,
            isScaled: isScaled
        )
        mlp = MLP(
            width: width,
            hiddenWidth: Int(Double(width) * configuration.mlpRatio)
        )
        modulation = Linear(width, 6 * width)
        attentionScale = isScaled ? .ones([width]) : nil
        mlpScale = isScaled ? .ones([width]) : nil
    }

    func callAsFunction(_ x: Tensor, condition: Tensor) -> Tensor {
        // Six vectors [B, 1, D]: shift, scale and gate of the attention, then of the MLP.
        var m = modulation(condition).unsqueezed(1).chunked(6, along: 2)
        if let attentionScale { m[2] = attentionScale * m[2] }
        if let mlpScale { m[5] = mlpScale * m[5] }
        var x = x
        x = x.addingGated(attention(x.normalizedAndModulated(shift: m[0], scale: m[1])), gate: m[2])
        x = x.addingGated(mlp(x.normalizedAndModulated(shift: m[3], scale: m[4])), gate: m[5])
        return x  // [B, T, D]
    }
}

/// The last layer: tokens to patches, [B, T, D] → [B, T, p·p·2C].
final class FinalLayer: Module {
    @Child("linear") var linear: Linear
    @Child("adaLN_modulation.1") var modulation: Linear

    init(_ configuration: DiT.Configuration) {
        super.init()
        let p = configuration.patchSize
        linear = Linear(configuration.hiddenSize, p * p * configuration.outputChannels)
        modulation = Linear(configuration.hiddenSize, 2 * configuration.hiddenSize)
    }

    func callAsFunction(_ x: Tensor, condition: Tensor) -> Tensor {
        let m = modulation(condition).unsqueezed(1).chunked(2, along: 2)  // 2 × [B, 1, D]
        let x = x.normalizedAndModulated(shift: m[0], scale: m[1])  // [B, T, D]
        return linear(x)  // [B, T, p·p·2C]
    }
}
