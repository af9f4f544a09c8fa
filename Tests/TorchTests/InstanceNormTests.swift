import TestSupport
import Testing
import Torch

/// Maps in channels-last order take our loops; in the usual order they take libtorch's.
@Suite("Instance norm of channels-last maps")
struct InstanceNormTests {
    private static let shapes = [[3, 5, 4, 4], [2, 64, 7, 9], [1, 3, 28, 28], [4, 20, 3, 2]]

    /// Leaves: maps, scale, shift, and what the gradient weighs.
    private func leaves(_ shape: [Int], _ dtype: DType, channelsLast: Bool) -> [Tensor] {
        var generator = RandomGenerator(seed: 24)
        let x = (generator.normal(shape) * 2 + 3).converted(to: dtype)
        let weight = generator.normal([shape[1]]) + 1
        let bias = generator.normal([shape[1]])
        let incoming = generator.normal(shape).converted(to: dtype)
        return [x, weight, bias, incoming].map { tensor in
            let isMap = tensor.rank == 4
            let leaf = isMap ? tensor.contiguous(channelsLast: channelsLast) : tensor
            leaf.requiresGradient = true
            return leaf
        }
    }

    private func normed(_ leaves: [Tensor]) -> Tensor {
        leaves[0].groupNormalized(
            groups: leaves[0].size(along: 1),
            weight: leaves[1],
            bias: leaves[2],
            epsilon: 1e-5
        )
    }

    @Test("values and gradients are libtorch's", arguments: shapes, [DType.float32, .bfloat16])
    func gradients(_ shape: [Int], dtype: DType) throws {
        func results(channelsLast: Bool) throws -> [Tensor] {
            let leaves = leaves(shape, dtype, channelsLast: channelsLast)
            let y = normed(leaves)
            #expect(y.dtype == dtype)
            #expect(y.isContiguous(channelsLast: channelsLast))
            let found = Tensor.gradients(
                of: [y],
                by: Array(leaves[0...2]),
                weights: [leaves[3].detached()]
            )
            return try [y.detached()] + found.map { try #require($0) }
        }
        let (found, expected) = try (results(channelsLast: true), results(channelsLast: false))
        for (found, expected) in zip(found, expected) {
            expectClose(found, expected, relative: dtype == .float32 ? 2e-6 : 8e-3)
            #expect(found.dtype == expected.dtype)
        }
    }

    @Test("gradients can be differentiated", arguments: shapes)
    func secondGradients(_ shape: [Int]) throws {
        func results(channelsLast: Bool) throws -> [Tensor] {
            let leaves = leaves(shape, .float32, channelsLast: channelsLast)
            let first = Tensor.gradients(
                of: [normed(leaves)],
                by: [leaves[0], leaves[1]],
                weights: [leaves[3]],
                creatingGraph: true
            )
            let slopes = try first.map { try #require($0) }
            let second = Tensor.gradients(
                of: [slopes[0].squared().sum() + slopes[1].squared().sum()],
                by: [leaves[0], leaves[1], leaves[3]]
            )
            return try second.map { try #require($0) }
        }
        let (found, expected) = try (results(channelsLast: true), results(channelsLast: false))
        for (found, expected) in zip(found, expected) {
            expectClose(found, expected, relative: 1e-4)
        }
    }

    @Test("norms of several channels, or without a scale, are libtorch's in either order")
    func others() {
        var generator = RandomGenerator(seed: 25)
        let x = generator.normal([2, 6, 5, 5])
        let last = x.contiguous(channelsLast: true)
        expectClose(
            last.groupNormalized(groups: 6, weight: nil, bias: nil, epsilon: 1e-5),
            x.groupNormalized(groups: 6, weight: nil, bias: nil, epsilon: 1e-5),
            relative: 1e-5
        )
        let (weight, bias) = (generator.normal([6]), generator.normal([6]))
        expectClose(
            last.groupNormalized(groups: 3, weight: weight, bias: bias, epsilon: 1e-5),
            x.groupNormalized(groups: 3, weight: weight, bias: bias, epsilon: 1e-5),
            relative: 1e-5
        )
    }
}
