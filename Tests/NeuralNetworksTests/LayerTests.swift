import Foundation
import NeuralNetworks
import TestSupport
import Testing
import Torch

/// Fills every parameter of a module with normal numbers.
private func randomize(_ module: Module, seed: UInt64 = 1) {
    var generator = RandomGenerator(seed: seed)
    for (_, tensor) in module.parameters() {
        Initialization.normal(tensor, deviation: 1, using: &generator)
    }
}

@Suite("Layers")
struct LayerTests {
    private var generator = RandomGenerator(seed: 30)

    /// What every layer must do: names, shapes, gradients for all its parameters, no leak.
    private func check(
        _ layer: Module,
        names: [String],
        input: Tensor,
        output: [Int],
        sourceLocation: SourceLocation = #_sourceLocation,
        _ forward: (Tensor) -> Tensor
    ) {
        randomize(layer)
        #expect(layer.state().names == names, sourceLocation: sourceLocation)
        let y = forward(input)
        #expect(y.shape == output, sourceLocation: sourceLocation)
        y.squared().sum().backward()
        for (name, tensor) in layer.parameters() {
            let gradient = tensor.gradient
            #expect(gradient?.shape == tensor.shape, "\(name)", sourceLocation: sourceLocation)
            let size = gradient?.norm().item ?? 0
            #expect(size > 0 && size.isFinite, "\(name)", sourceLocation: sourceLocation)
        }
        expectNoLeaks(sourceLocation: sourceLocation) { forward(input) }
    }

    @Test("linear")
    mutating func linear() {
        let layer = Linear(5, 3)
        let x = generator.normal([2, 4, 5])
        check(layer, names: ["weight", "bias"], input: x, output: [2, 4, 3]) { layer($0) }
        expectClose(layer(x), x.linear(weight: layer.weight, bias: layer.bias))
        let bare = Linear(5, 3, usesBias: false)
        check(bare, names: ["weight"], input: x, output: [2, 4, 3]) { bare($0) }
    }

    @Test("convolution")
    mutating func convolution() {
        let layer = Conv2d(
            inputChannels: 4,
            outputChannels: 6,
            kernelSize: 3,
            stride: 2,
            padding: 1,
            groups: 2
        )
        let x = generator.normal([2, 4, 7, 7])
        check(layer, names: ["weight", "bias"], input: x, output: [2, 6, 4, 4]) { layer($0) }
        #expect(layer.weight.shape == [6, 2, 3, 3])
        let expected = x.convolved(
            weight: layer.weight,
            bias: layer.bias,
            stride: 2,
            padding: 1,
            groups: 2
        )
        expectClose(layer(x), expected)
    }

    @Test("embedding")
    func embedding() {
        let layer = Embedding(count: 3, width: 4)
        let labels = Tensor([0, 2, 1, 2] as [Int], shape: [2, 2])
        check(layer, names: ["weight"], input: labels, output: [2, 2, 4]) { layer($0) }
        expectClose(layer(labels)[0][1], layer.weight[2])
    }

    @Test("layer norm, with and without scale and shift")
    mutating func layerNorm() {
        let x = generator.normal([3, 6]) * 4 - 2
        let layer = LayerNorm(6)
        expectClose(layer(x).mean(along: -1), .zeros([3]), absolute: 1e-6)
        check(layer, names: ["weight", "bias"], input: x, output: [3, 6]) { layer($0) }
        let plain = LayerNorm(6, epsilon: 1e-6, isAffine: false)
        #expect(plain.parameters().isEmpty)
        expectClose(plain(x), x.layerNormalized(width: 6, epsilon: 1e-6), relative: 1e-6)
    }

    @Test("group norm")
    mutating func groupNorm() {
        let layer = GroupNorm(groupCount: 2, channels: 4)
        let x = generator.normal([2, 4, 3, 3])
        expectClose(layer(x), x.groupNormalized(groups: 2), relative: 1e-6)
        check(layer, names: ["weight", "bias"], input: x, output: [2, 4, 3, 3]) { layer($0) }
    }

    @Test("batch norm keeps running statistics in training and uses them in evaluation")
    mutating func batchNorm() {
        let layer = BatchNorm2d(channels: 3, momentum: 0.5)
        let x = generator.normal([8, 3, 4, 4]) * 2 + 5
        #expect(
            layer.state().names == [
                "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
            ]
        )
        let normal = layer(x)
        expectClose(normal.mean(axes: [0, 2, 3]), .zeros([3]), absolute: 1e-5)
        expectClose(layer.runningMean, x.mean(axes: [0, 2, 3]) * 0.5, relative: 1e-5)
        expectClose(
            layer.runningVariance,
            x.variance(axes: [0, 2, 3]) * 0.5 + 0.5,
            relative: 1e-5
        )
        _ = layer(x)
        #expect(layer.batchCount.item == 2)
        layer.setTraining(false)
        let mean = layer.runningMean.copied()
        let y = layer(x)
        #expect(layer.batchCount.item == 2)
        expectIdentical(layer.runningMean, mean)
        let deviation = (layer.runningVariance.reshaped(3, 1, 1) + 1e-5).sqrt()
        expectClose(y, (x - mean.reshaped(3, 1, 1)) / deviation, relative: 1e-5)
        #expect(!layer.runningMean.requiresGradient)
    }
}

@Suite("First values of parameters")
struct InitializationTests {
    private var generator = RandomGenerator(seed: 31, purpose: .initialization)

    private func moments(_ x: Tensor) -> (mean: Double, deviation: Double, largest: Double) {
        (x.mean().item, x.variance().item.squareRoot(), x.magnitude().max().item)
    }

    @Test("normal and uniform numbers have the moments asked for")
    mutating func moments() {
        let x = Tensor.zeros([300, 200])
        x.requiresGradient = true
        Initialization.normal(x, deviation: 0.02, using: &generator)
        let normal = moments(x)
        #expect(abs(normal.mean) < 5 * 0.02 / 245)
        #expect(abs(normal.deviation / 0.02 - 1) < 0.015)
        #expect(x.requiresGradient)
        Initialization.uniform(x, bound: 0.5, using: &generator)
        let uniform = moments(x)
        #expect(uniform.largest <= 0.5 && uniform.largest > 0.4999)
        #expect(abs(uniform.deviation / (0.5 / sqrt(3)) - 1) < 0.01)
        #expect(abs(uniform.mean) < 5 * 0.29 / 245)
    }

    @Test("Glorot's and PyTorch's bounds follow from the sizes")
    mutating func bounds() {
        let matrix = Tensor.zeros([30, 60])
        Initialization.xavierUniform(matrix, using: &generator)
        let bound = (6.0 / 90).squareRoot()
        #expect(moments(matrix).largest <= bound && moments(matrix).largest > 0.98 * bound)
        // A convolution's kernel counts as the matrix [outputs, everything else].
        let kernel = Tensor.zeros([30, 15, 2, 2])
        Initialization.xavierUniform(kernel, using: &generator)
        #expect(moments(kernel).largest <= bound && moments(kernel).largest > 0.98 * bound)

        let bias = Tensor.zeros([1000])
        let weight = Tensor.zeros([1000, 4, 5, 5])
        Initialization.pytorchDefault(weight: weight, bias: bias, using: &generator)
        #expect(moments(weight).largest <= 0.1 && moments(weight).largest > 0.0999)
        #expect(moments(bias).largest <= 0.1 && moments(bias).largest > 0.099)
        Initialization.constant(bias, 3)
        expectClose(bias, .full([1000], 3))
    }

    @Test("a seed means the same values")
    func determinism() {
        func draw() -> Tensor {
            var generator = RandomGenerator(seed: 5, purpose: .initialization)
            let x = Tensor.zeros([17, 3])
            Initialization.xavierUniform(x, using: &generator)
            return x
        }
        expectIdentical(draw(), draw())
    }
}
