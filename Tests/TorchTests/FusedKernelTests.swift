import TestSupport
import Testing
import Torch

/// The steps as libtorch's operations compose them.
private enum Composed {
    static func norm(_ x: Tensor, shift: Tensor, scale: Tensor) -> Tensor {
        x.layerNormalized(width: x.size(along: -1), epsilon: 1e-6) * (scale + 1) + shift
    }

    static func attention(_ qkv: Tensor, headCount: Int) -> Tensor {
        let width = qkv.size(along: 2) / 3
        let headWidth = width / headCount
        let shape = [qkv.size(along: 0), qkv.size(along: 1), 3, headCount, headWidth]
        let parts = qkv.reshaped(shape).permuted(2, 0, 3, 1, 4)
        let scores = parts[0].matmul(parts[1].transposed(2, 3))
        let shares = (scores * (1 / Double(headWidth).squareRoot())).softmax(along: -1)
        return shares.matmul(parts[2]).transposed(1, 2).reshaped(shape[0], shape[1], width)
    }

    static func gelu(_ x: Tensor) -> Tensor {
        let u = (x + x.power(3) * 0.044715) * (2 / Double.pi).squareRoot()
        return x * 0.5 * (u.tanh() + 1)
    }
}

/// A size of the tests: batch, tokens, width, heads.
struct FusedCase: CustomTestStringConvertible {
    let batch: Int
    let tokens: Int
    let width: Int
    let headCount: Int

    var testDescription: String { "\(batch)×\(tokens)×\(width), \(headCount) heads" }

    static let all = [
        FusedCase(batch: 3, tokens: 1, width: 24, headCount: 1),
        FusedCase(batch: 2, tokens: 4, width: 24, headCount: 2),
        FusedCase(batch: 5, tokens: 4, width: 36, headCount: 3),
        FusedCase(batch: 1, tokens: 49, width: 36, headCount: 2),
        FusedCase(batch: 3, tokens: 49, width: 144, headCount: 6),
        FusedCase(batch: 2, tokens: 67, width: 144, headCount: 2),
        FusedCase(batch: 2, tokens: 256, width: 384, headCount: 6),
        FusedCase(batch: 1, tokens: 256, width: 1152, headCount: 16),
    ]
}

private let loops = ["AVX512-BF16", "AVX512", "AVX2", "portable"]

@Suite("Fused steps of a transformer block")
struct FusedKernelTests {
    private var generator = RandomGenerator(seed: 11)

    /// A leaf in the given type; its values are exact in that type.
    private mutating func leaf(_ shape: [Int], _ dtype: DType) -> Tensor {
        let x = generator.normal(shape).converted(to: dtype)
        x.requiresGradient = true
        return x
    }

    /// Expects a fused step and its gradients to agree with the same step in float64.
    private mutating func expectSame(
        _ label: String,
        inputs: [Tensor],
        tolerance: Double,
        fused: ([Tensor]) -> Tensor,
        composed: ([Tensor]) -> Tensor,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let exact = inputs.map { input in
            let copy = input.detached().converted(to: .float64)
            copy.requiresGradient = true
            return copy
        }
        for name in loops {
            _ = Engine.withFusedLoops(name) {
                let (y, expected) = (fused(inputs), composed(exact))
                let weights = generator.normal(y.shape).converted(to: y.dtype)
                let gradients = Tensor.gradients(of: [y], by: inputs, weights: [weights])
                let exactGradients = Tensor.gradients(
                    of: [expected],
                    by: exact,
                    weights: [weights.converted(to: .float64)]
                )
                expectClose(
                    y,
                    expected,
                    relative: tolerance,
                    "\(label), \(name)",
                    sourceLocation: sourceLocation
                )
                for (index, (a, b)) in zip(gradients, exactGradients).enumerated() {
                    guard let a, let b else {
                        Issue.record("\(label), \(name): no gradient \(index)")
                        continue
                    }
                    #expect(a.dtype == inputs[index].dtype)
                    expectClose(
                        a,
                        b,
                        relative: tolerance,
                        "\(label), \(name), gradient \(index)",
                        sourceLocation: sourceLocation
                    )
                }
                // Without gradients nothing is kept, and the values are the same.
                withoutGradient { expectIdentical(fused(inputs), y, "\(label), \(name)") }
            }
        }
    }

    @Test("Some instruction set is there, and the best is taken")
    func instructionSets() {
        #expect(loops.contains(Engine.fusedLoops))
        #expect(Engine.withFusedLoops("portable") { Engine.fusedLoops } == "portable")
        #expect(Engine.withFusedLoops("abacus") { 1 } == nil)
        #expect(Engine.fusedLoops != "portable" || Engine.withFusedLoops("AVX2") { 1 } == nil)
    }

    @Test("Normalising and modulating agrees with its parts", arguments: FusedCase.all)
    mutating func norm(_ size: FusedCase) {
        let shape = [size.batch, size.tokens, size.width]
        for (x, m, tolerance) in [
            (DType.float32, DType.float32, 1e-5), (.float32, .bfloat16, 1e-5),
            (.bfloat16, .bfloat16, 1e-2),
        ] {
            expectSame(
                "norm \(x) \(m)",
                inputs: [leaf(shape, x), leaf([size.batch, 6 * size.width], m)],
                tolerance: m == .bfloat16 ? 1e-2 : tolerance,
                fused: { inputs in
                    let parts = inputs[1].unsqueezed(1).chunked(6, along: 2)
                    return inputs[0].normalizedAndModulated(shift: parts[3], scale: parts[4])
                },
                composed: { inputs in
                    let parts = inputs[1].unsqueezed(1).chunked(6, along: 2)
                    return Composed.norm(inputs[0], shift: parts[3], scale: parts[4])
                }
            )
        }
    }

    @Test("Adding what is gated agrees with its parts", arguments: FusedCase.all)
    mutating func gate(_ size: FusedCase) {
        let shape = [size.batch, size.tokens, size.width]
        for (x, y, tolerance) in [
            (DType.float32, DType.float32, 1e-5), (.float32, .bfloat16, 1e-2),
            (.bfloat16, .bfloat16, 1e-2), (.bfloat16, .float32, 1e-2),
        ] {
            expectSame(
                "gate \(x) \(y)",
                inputs: [leaf(shape, x), leaf(shape, y), leaf([size.batch, 6 * size.width], y)],
                tolerance: tolerance,
                fused: { inputs in
                    let parts = inputs[2].unsqueezed(1).chunked(6, along: 2)
                    return inputs[0].addingGated(inputs[1], gate: parts[5])
                },
                composed: { inputs in
                    let parts = inputs[2].unsqueezed(1).chunked(6, along: 2)
                    return inputs[0] + parts[5] * inputs[1]
                }
            )
        }
    }

    @Test("Self-attention agrees with its parts", arguments: FusedCase.all)
    mutating func attention(_ size: FusedCase) {
        let shape = [size.batch, size.tokens, 3 * size.width]
        for (dtype, tolerance) in [(DType.float32, 1e-5), (.bfloat16, 1e-2)] {
            expectSame(
                "attention \(dtype)",
                inputs: [leaf(shape, dtype)],
                tolerance: tolerance,
                fused: { $0[0].selfAttention(headCount: size.headCount) },
                composed: { Composed.attention($0[0], headCount: size.headCount) }
            )
        }
    }

    @Test(
        "The tanh approximation of GELU agrees with its formula",
        arguments: [1, 15, 1000, 70_001]
    )
    mutating func gelu(_ count: Int) {
        for (dtype, tolerance) in [(DType.float32, 1e-5), (.bfloat16, 1e-2)] {
            let x = (generator.normal([count]) * 3).converted(to: dtype)
            x.requiresGradient = true
            expectSame(
                "GELU \(dtype)",
                inputs: [x],
                tolerance: tolerance,
                fused: { $0[0].gelu(tanhApproximation: true) },
                composed: { Composed.gelu($0[0]) }
            )
        }
    }

    @Test("Extreme values stay what they are")
    func extremes() {
        let infinity = Float.infinity
        let values: [Float] = [-infinity, -1e30, -100, -0.0, 0, 100, 1e30, infinity, .nan]
        for name in loops {
            _ = Engine.withFusedLoops(name) {
                let x = Tensor(values).converted(to: .bfloat16)
                x.requiresGradient = true
                let y = x.gelu(tanhApproximation: true)
                let found: [Double] = y.detached().converted(to: .float64).values()
                #expect(found[0...4].allSatisfy { abs($0) < 1e-30 }, "\(name): \(found)")
                #expect(found[5] == 100 && found[6] > 9e29 && found[7] == .infinity)
                #expect(found[8].isNaN)
                y.backward(weights: .ones([9], dtype: .bfloat16))
                let slopes: [Double] = x.gradient?.converted(to: .float64).values() ?? []
                #expect(slopes.prefix(3).allSatisfy { abs($0) < 1e-30 }, "\(name): \(slopes)")
                #expect(slopes.dropFirst(3).prefix(5) == [0.5, 0.5, 1, 1, 1])
                #expect(slopes.last?.isNaN == true)
                // A value that is not a number spreads as far as it must and no further.
                let qkv = Tensor.zeros([2, 5, 24], dtype: .bfloat16)
                qkv[1][2].fill(with: .nan)
                let heads = qkv.selfAttention(headCount: 2).converted(to: .float32)
                #expect(heads[0].isEqual(to: .zeros([5, 8])))
                let spread: [Double] = heads[1].converted(to: .float64).values()
                #expect(spread.allSatisfy { $0.isNaN }, "\(name)")
                // Scores far from 0 make the softmax a choice, not an overflow.
                let large = Tensor.full([1, 3, 24], 300, dtype: .bfloat16)
                let mean = large.selfAttention(headCount: 1).converted(to: .float32)
                expectClose(mean, .full([1, 3, 8], 300), relative: 1e-2)
            }
        }
    }

    @Test("Inputs that do not lie in one piece are read right")
    mutating func strides() {
        let wide = leaf([3, 7, 60], .float32)
        let columns = leaf([24, 2, 3], .float32)
        let x = wide.sliced(5..<29, along: 2)
        let vectors = columns.permuted(2, 1, 0)  // [3, 2, 24]
        let (shift, scale) = (vectors.sliced(0..<1, along: 1), vectors.sliced(1..<2, along: 1))
        let y = wide.sliced(30..<54, along: 2)
        let fused = x.normalizedAndModulated(shift: shift, scale: scale)
            .addingGated(y, gate: shift)
        let composed = Composed.norm(x, shift: shift, scale: scale) + shift * y
        expectClose(fused.detached(), composed.detached(), relative: 1e-5)
        let weights = generator.normal([7, 24, 3]).permuted(2, 0, 1)
        for (a, b) in zip(
            Tensor.gradients(of: [fused], by: [wide, columns], weights: [weights]),
            Tensor.gradients(of: [composed], by: [wide, columns], weights: [weights])
        ) {
            guard let a, let b else {
                Issue.record("no gradient")
                continue
            }
            expectClose(a, b, relative: 1e-5)
        }
    }

    @Test("Other element types and shapes are composed of libtorch's operations")
    mutating func composition() {
        let x = generator.normal([2, 3, 8]).converted(to: .float64)
        let vectors = generator.normal([1, 1, 8]).converted(to: .float64)
        expectClose(
            x.normalizedAndModulated(shift: vectors, scale: vectors),
            Composed.norm(x, shift: vectors, scale: vectors),
            relative: 1e-12
        )
        expectClose(x.addingGated(x, gate: vectors), x + vectors * x, relative: 1e-12)
        let qkv = generator.normal([2, 3, 24])
        expectClose(
            qkv.converted(to: .float64).selfAttention(headCount: 2),
            Composed.attention(qkv.converted(to: .float64), headCount: 2),
            relative: 1e-12
        )
        // Heads of odd width hold no pairs of bfloat16 numbers.
        expectClose(
            generator.normal([2, 3, 18]).converted(to: .bfloat16).selfAttention(headCount: 2),
            .zeros([2, 3, 6]),
            absolute: 4
        )
        #expect(Tensor.zeros([0, 4, 24]).selfAttention(headCount: 2).shape == [0, 4, 8])
    }

    @Test("Autocast makes what a matrix product reads bfloat16, and nothing else")
    mutating func autocast() {
        let x = generator.normal([2, 3, 24])
        let vectors = generator.normal([2, 1, 24])
        withAutocast(.bfloat16) {
            #expect(x.normalizedAndModulated(shift: vectors, scale: vectors).dtype == .bfloat16)
            #expect(x.addingGated(x.converted(to: .bfloat16), gate: vectors).dtype == .float32)
            #expect(x.selfAttention(headCount: 2).dtype == .bfloat16)
        }
        #expect(x.normalizedAndModulated(shift: vectors, scale: vectors).dtype == .float32)
        #expect(x.selfAttention(headCount: 2).dtype == .float32)
    }

    @Test("Second derivatives agree with those of the parts")
    mutating func secondDerivatives() throws {
        let (qkv, m) = (leaf([2, 5, 24], .float32), leaf([2, 24], .float32))
        func penalty(
            _ step: (Tensor, [Tensor]) -> Tensor
        ) throws -> [Tensor] {
            let y = step(qkv, m.unsqueezed(1).chunked(3, along: 2))
            let gradients = Tensor.gradients(
                of: [y.squared().sum()],
                by: [qkv, m],
                creatingGraph: true
            )
            let norms = try gradients.map { try #require($0).squared().sum() }
            return try Tensor.gradients(of: [norms[0] + norms[1]], by: [qkv, m]).map {
                try #require($0)
            }
        }
        let fused = try penalty { qkv, parts in
            let x = qkv.selfAttention(headCount: 2)
            let y = x.normalizedAndModulated(shift: parts[0], scale: parts[1])
            return x.addingGated(y.gelu(tanhApproximation: true), gate: parts[2])
        }
        let composed = try penalty { qkv, parts in
            let x = Composed.attention(qkv, headCount: 2)
            let y = Composed.norm(x, shift: parts[0], scale: parts[1])
            return x + parts[2] * Composed.gelu(y)
        }
        for (a, b) in zip(fused, composed) { expectClose(a, b, relative: 1e-4) }
    }

    @Test("The number of threads does not change a bit")
    mutating func threads() {
        let qkv = leaf([5, 33, 3 * 48], .bfloat16)
        let m = leaf([5, 96], .bfloat16)
        func run() -> [Tensor] {
            let parts = m.unsqueezed(1).chunked(2, along: 2)
            let x = qkv.selfAttention(headCount: 4)
            var y = x.normalizedAndModulated(shift: parts[0], scale: parts[1])
            y = x.addingGated(y.gelu(tanhApproximation: true), gate: parts[1])
            let gradients = Tensor.gradients(of: [y.squared().sum()], by: [qkv, m])
            return [y] + gradients.compactMap { $0 }
        }
        let count = Engine.threadCount
        defer { Engine.threadCount = count }
        Engine.threadCount = 1
        let alone = run()
        Engine.threadCount = 3
        for (a, b) in zip(alone, run()) { expectIdentical(a, b) }
    }

    @Test("Nothing is left behind")
    mutating func leaks() {
        let qkv = leaf([2, 9, 72], .bfloat16)
        let m = leaf([2, 48], .bfloat16)
        let before = Engine.threadTensorBalance
        for _ in 0..<20 {
            let parts = m.unsqueezed(1).chunked(2, along: 2)
            let x = qkv.selfAttention(headCount: 2)
            let y = x.normalizedAndModulated(shift: parts[0], scale: parts[1])
            x.addingGated(y.gelu(tanhApproximation: true), gate: parts[1]).sum().backward()
            (qkv.gradient, m.gradient) = (nil, nil)
        }
        #expect(Engine.threadTensorBalance == before)
    }
}
