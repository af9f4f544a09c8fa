import Foundation
import Torch

/// First values of parameters.
public enum Initialization {
    /// Normal numbers with mean 0.
    public static func normal(
        _ tensor: Tensor,
        deviation: Double,
        using generator: inout RandomGenerator
    ) {
        let values = generator.normal(tensor.shape) * deviation
        withoutGradient { tensor.copy(from: values) }
    }

    /// Uniform numbers in ±bound.
    public static func uniform(
        _ tensor: Tensor,
        bound: Double,
        using generator: inout RandomGenerator
    ) {
        let values = generator.uniform(tensor.shape) * (2 * bound) - bound
        withoutGradient { tensor.copy(from: values) }
    }

    /// Uniform numbers in ±√(6/(inputs + outputs)) of the matrix [outputs, rest] (Glorot, 2010).
    public static func xavierUniform(_ tensor: Tensor, using generator: inout RandomGenerator) {
        let outputs = tensor.size(along: 0)
        let inputs = tensor.count / outputs
        uniform(tensor, bound: (6 / Double(inputs + outputs)).squareRoot(), using: &generator)
    }

    /// PyTorch's default for linear layers and convolutions: weight and bias uniform in
    /// ±1/√inputs.
    public static func pytorchDefault(
        weight: Tensor,
        bias: Tensor?,
        using generator: inout RandomGenerator
    ) {
        let inputs = weight.count / weight.size(along: 0)
        let bound = 1 / Double(inputs).squareRoot()
        uniform(weight, bound: bound, using: &generator)
        if let bias { uniform(bias, bound: bound, using: &generator) }
    }

    /// PyTorch's defaults for every layer of a model that has a weight with two or more axes;
    /// norms keep scale 1 and shift 0.
    public static func pytorchDefault(_ model: Module, using generator: inout RandomGenerator) {
        let named = model.parameters()
        let tensors = Dictionary(uniqueKeysWithValues: named.map { ($0.name, $0.tensor) })
        for (name, weight) in named where weight.rank > 1 {
            let bias = tensors[String(name.dropLast("weight".count)) + "bias"]
            pytorchDefault(weight: weight, bias: bias, using: &generator)
        }
    }

    /// Normal numbers with deviation √(2/(k·k·outputs)) for every convolution of a model (He et
    /// al., ICCV 2015, by the fan out).
    public static func heByFanOut(_ model: Module, using generator: inout RandomGenerator) {
        for (_, weight) in model.parameters() where weight.rank == 4 {
            let fanOut = weight.size(along: 0) * weight.size(along: 2) * weight.size(along: 3)
            normal(weight, deviation: (2 / Double(fanOut)).squareRoot(), using: &generator)
        }
    }

    /// First weights of residual networks: He's normal numbers for the convolutions, PyTorch's usual
    /// ones for the classifier; norms keep scale 1 and shift 0.
    public static func residual(
        _ model: Module,
        classifier: Linear,
        using generator: inout RandomGenerator
    ) {
        heByFanOut(model, using: &generator)
        pytorchDefault(weight: classifier.weight, bias: classifier.bias, using: &generator)
    }

    /// Every element the same.
    public static func constant(_ tensor: Tensor, _ value: Double) {
        withoutGradient { tensor.fill(with: value) }
    }
}
