import TestSupport
import Testing
import Torch

@Suite("Norm, ReLU and pooling in one pass")
struct ConvNetFusedBlockTests {
    private let weight: Tensor
    private let bias: Tensor

    init() {
        var generator = RandomGenerator(seed: 11)
        weight = generator.normal([21]) + 1
        bias = generator.normal([21])
    }

    /// Images with 21 channels, which is no multiple of any vector, and a mean far from zero.
    private func images(_ height: Int, _ width: Int) -> Tensor {
        var generator = RandomGenerator(seed: 12)
        return generator.normal([3, 21, height, width]) * 2 + 5
    }

    private func single(_ x: Tensor, _ weight: Tensor, _ bias: Tensor) -> Tensor {
        x.groupNormalized(groups: 21, weight: weight, bias: bias).relu()
            .averagePooled(kernelSize: 2)
    }

    private func fused(_ x: Tensor, _ weight: Tensor, _ bias: Tensor) -> Tensor {
        x.instanceNormalizedRectifiedPooled(weight: weight, bias: bias)
    }

    private func trained(_ x: Tensor) -> Tensor {
        let copy = x.detached().copied()
        copy.requiresGradient = true
        return copy
    }

    private static let sizes = [(8, 8), (7, 9), (2, 2), (3, 2), (28, 28)]

    @Test("values are those of the single operations", arguments: sizes, [false, true])
    func values(_ size: (Int, Int), channelsLast: Bool) {
        let x = images(size.0, size.1)
        let result = fused(x.contiguous(channelsLast: channelsLast), weight, bias)
        expectClose(result, single(x, weight, bias), absolute: 2e-5)
    }

    @Test("gradients are those of the single operations", arguments: sizes, [false, true])
    func gradients(_ size: (Int, Int), channelsLast: Bool) throws {
        let x = images(size.0, size.1).contiguous(channelsLast: channelsLast)
        var generator = RandomGenerator(seed: 13)
        let incoming = generator.normal(single(x, weight, bias).shape)
        func gradients(_ body: (Tensor, Tensor, Tensor) -> Tensor) -> [Tensor?] {
            let inputs = [x, weight, bias].map(trained)
            return Tensor.gradients(
                of: [body(inputs[0], inputs[1], inputs[2])],
                by: inputs,
                weights: [incoming]
            )
        }
        for (found, expected) in zip(gradients(fused), gradients(single)) {
            expectClose(try #require(found), try #require(expected), absolute: 1e-4)
        }
    }

    @Test("what is no number is not hidden: it spreads as in the single operations")
    func notNumbers() throws {
        for dtype in [DType.float32, .bfloat16] {
            let x = images(8, 8).contiguous(channelsLast: true)
            x[1][4][2][3].fill(with: .nan)
            func results(_ body: (Tensor, Tensor, Tensor) -> Tensor) -> [Tensor?] {
                let inputs = [x.converted(to: dtype), weight, bias].map(trained)
                let y = body(inputs[0], inputs[1], inputs[2]).converted(to: .float32)
                let values: [Tensor?] = [y]
                return values + Tensor.gradients(of: [y.sum()], by: inputs)
            }
            let (found, expected) = (results(fused), results(single))
            for (found, expected) in zip(found, expected) {
                expectClose(
                    try #require(found).converted(to: .float32),
                    try #require(expected).converted(to: .float32),
                    relative: dtype == .float32 ? 1e-4 : 1e-1
                )
            }
            let y: [Float] = try #require(found[0]).detached().values()
            #expect(y.filter(\.isNaN).count == 16)
        }
    }

    @Test("in bfloat16 it is as near to float32 as the single operations")
    func bfloat16() {
        let x = images(14, 14).converted(to: .bfloat16)
        let exact = single(x.converted(to: .float32), weight, bias)
        let result = fused(x, weight, bias)
        #expect(result.dtype == .bfloat16)
        // Half of the last of eight bits.
        let bound = exact.magnitude().max().item / 256
        expectClose(result.converted(to: .float32), exact, absolute: bound)
    }

    @Test("the gradient can be differentiated", arguments: [false, true])
    func secondDerivative(channelsLast: Bool) throws {
        let x = images(4, 6).contiguous(channelsLast: channelsLast)
        func second(_ body: (Tensor, Tensor, Tensor) -> Tensor) throws -> [Tensor?] {
            let inputs = [x, weight, bias].map(trained)
            let y = body(inputs[0], inputs[1], inputs[2])
            let first = Tensor.gradients(
                of: [y.squared().sum()],
                by: inputs,
                creatingGraph: true
            ).map { $0?.squared().sum() }
            let sum = try first.reduce(Tensor(0)) { $0 + (try #require($1)) }
            return Tensor.gradients(of: [sum], by: inputs)
        }
        for (found, expected) in try zip(second(fused), second(single)) {
            expectClose(try #require(found), try #require(expected), relative: 1e-4)
        }
    }

    /// The derivative of ⟨u, ∂y/∂x·v⟩ by x, scale and v, as gradient matching needs it.
    private func mixed(
        _ body: (Tensor, Tensor, Tensor) -> Tensor,
        _ x: Tensor,
        creatingGraph: Bool = false
    ) -> (inputs: [Tensor], gradients: [Tensor?]) {
        var generator = RandomGenerator(seed: 14)
        let inputs = [x, weight].map(trained)
        let y = body(inputs[0], inputs[1], bias)
        let incoming = trained(generator.normal(y.shape))
        let cotangent = generator.normal(x.shape)
        let first = Tensor.gradients(
            of: [y],
            by: [inputs[0]],
            weights: [incoming],
            creatingGraph: true
        )
        let by = inputs + [incoming]
        return (
            by,
            Tensor.gradients(
                of: first.compactMap { $0 },
                by: by,
                weights: [cotangent],
                creatingGraph: creatingGraph
            )
        )
    }

    @Test("the derivative of the gradient is that of the single operations", arguments: sizes)
    func mixedDerivative(_ size: (Int, Int)) throws {
        let x = images(size.0, size.1).contiguous(channelsLast: true)
        let (found, expected) = (mixed(fused, x).gradients, mixed(single, x).gradients)
        for (found, expected) in zip(found, expected) {
            expectClose(try #require(found), try #require(expected), absolute: 2e-4)
        }
    }

    @Test("in bfloat16 the derivative of the gradient is as near to float32 as its own steps")
    func mixedDerivativeInBFloat16() throws {
        let x = (images(14, 14) - 5).converted(to: .bfloat16).contiguous(channelsLast: true)
        let found = mixed(fused, x).gradients
        let exact = mixed(fused, x.converted(to: .float32)).gradients
        for (found, exact) in zip(found, exact) {
            let exact = try #require(exact)
            // Two results with eight bits, of inputs with eight bits.
            let bound = exact.magnitude().max().item / 64
            let result = try #require(found).converted(to: .float32)
            expectClose(result, exact, absolute: bound)
        }
    }

    @Test("a third derivative is that of the single operations")
    func thirdDerivative() throws {
        func third(_ body: (Tensor, Tensor, Tensor) -> Tensor) throws -> [Tensor?] {
            let x = images(4, 6).contiguous(channelsLast: true)
            let (inputs, second) = mixed(body, x, creatingGraph: true)
            let sum = try second.map { try #require($0).squared().sum() }
            return Tensor.gradients(of: [sum[0] + sum[1] + sum[2]], by: inputs)
        }
        for (found, expected) in try zip(third(fused), third(single)) {
            expectClose(try #require(found), try #require(expected), relative: 1e-3)
        }
    }

    @Test("a frozen input takes no part")
    func frozen() throws {
        let x = images(6, 6)
        let trainedWeight = trained(weight)
        let gradients = Tensor.gradients(
            of: [fused(x, trainedWeight, bias).sum()],
            by: [trainedWeight]
        )
        #expect(try #require(gradients[0]).shape == [21])
        #expect(!fused(x, weight, bias).requiresGradient)
    }

    @Test("no tensor is left")
    func leaks() {
        let x = images(6, 6)
        expectNoLeaks {
            let inputs = [x, weight, bias].map(trained)
            fused(inputs[0], inputs[1], inputs[2]).sum().backward()
            _ = mixed(fused, x.contiguous(channelsLast: true))
        }
    }
}
