import TestSupport
import Testing
import Torch

/// Maps in the usual order take our loops; in channels-last order they take libtorch's.
@Suite("Pooling along rows")
struct PoolingTests {
    enum Kind: CaseIterable {
        case mean, largest

        func callAsFunction(_ x: Tensor) -> Tensor {
            switch self {
            case .mean: x.averagePooled(kernelSize: 2)
            case .largest: x.maxPooled(kernelSize: 3, stride: 2, padding: 1)
            }
        }
    }

    private static let sizes = [(8, 8), (2, 2), (4, 34), (112, 112), (7, 9), (1, 1), (6, 5)]

    private func map(_ height: Int, _ width: Int, _ dtype: DType = .float32) -> Tensor {
        var generator = RandomGenerator(seed: 21)
        // ReLU makes many equal numbers.
        return generator.normal([3, 5, height, width]).relu().converted(to: dtype)
    }

    private func trained(_ x: Tensor) -> Tensor {
        let copy = x.detached().copied()
        copy.requiresGradient = true
        return copy
    }

    @Test("values", arguments: sizes, [DType.float32, .bfloat16])
    func values(_ size: (Int, Int), dtype: DType) {
        let x = map(size.0, size.1, dtype)
        for kind in Kind.allCases where kind == .largest || min(size.0, size.1) > 1 {
            let found = kind(x)
            let expected = kind(x.contiguous(channelsLast: true))
            #expect(found.shape == expected.shape)
            #expect(found.dtype == dtype)
            expectClose(
                found,
                expected,
                relative: kind == .largest ? 0 : dtype == .float32 ? 1e-6 : 4e-3
            )
        }
    }

    @Test("gradients, and the gradients of gradients", arguments: Kind.allCases, sizes)
    func gradients(_ kind: Kind, _ size: (Int, Int)) throws {
        guard kind == .largest || min(size.0, size.1) > 1 else { return }
        var generator = RandomGenerator(seed: 22)
        let incoming = generator.normal(kind(map(size.0, size.1)).shape)
        func derivatives(channelsLast: Bool) throws -> [Tensor] {
            let x = trained(map(size.0, size.1).contiguous(channelsLast: channelsLast))
            let weights = trained(incoming)
            let first = Tensor.gradients(
                of: [kind(x).exp()],
                by: [x],
                weights: [weights],
                creatingGraph: true
            )
            let slope = try #require(first[0])
            let second = Tensor.gradients(of: [slope.squared().sum()], by: [x, weights])
            return [slope.detached(), try #require(second[0]), try #require(second[1])]
        }
        let found = try derivatives(channelsLast: false)
        for (found, expected) in try zip(found, derivatives(channelsLast: true)) {
            expectClose(found, expected, relative: 1e-5)
        }
    }

    @Test("what is not a number is the largest, and of nothing but −∞ that is the largest")
    func notANumber() {
        var numbers = [Float](repeating: -.infinity, count: 36)
        numbers[14] = .nan
        numbers[35] = 2
        let x = Tensor(numbers, shape: [1, 1, 6, 6])
        let found: [Float] = Kind.largest(x).values()
        let expected: [Float] = Kind.largest(x.contiguous(channelsLast: true)).values()
        #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
        #expect(found.contains { $0.isNaN } && found.contains(-.infinity) && found.contains(2))
    }
}
