import TestSupport
import Testing
import Torch

@Suite("What fused steps keep to")
struct FusedKernelPropertyTests {
    private var generator = RandomGenerator(seed: 12)

    private mutating func leaf(_ shape: [Int], _ dtype: DType) -> Tensor {
        generator.leaf(shape, dtype)
    }

    @Test("Some instruction set is there, and the best is taken")
    func instructionSets() {
        #expect(fusedLoops.contains(Engine.fusedLoops))
        #expect(Engine.withFusedLoops("portable") { Engine.fusedLoops } == "portable")
        #expect(Engine.withFusedLoops("none") { Engine.fusedLoops } == "none")
        #expect(fusedLoops.contains(Engine.fusedLoops))
        #expect(Engine.withFusedLoops("abacus") { 1 } == nil)
        #expect(Engine.fusedLoops != "portable" || Engine.withFusedLoops("AVX2") { 1 } == nil)
    }

    private static func has(_ name: String) -> Bool {
        Engine.withFusedLoops(name) { true } == true
    }

    // Where a processor lacks a set, the tests below pass over its loops: these are then skipped.
    @Test("The loops for AVX2 run here", .enabled(if: has("AVX2"), "the processor lacks AVX2"))
    func runsAVX2() { expectLoops("AVX2") }

    @Test(
        "The loops for AVX512 run here",
        .enabled(if: has("AVX512"), "the processor lacks AVX512")
    )
    func runsAVX512() { expectLoops("AVX512") }

    @Test(
        "The loops for AVX512-BF16 run here",
        .enabled(if: has("AVX512-BF16"), "the processor lacks AVX512-BF16")
    )
    func runsAVX512BF16() { expectLoops("AVX512-BF16") }

    private func expectLoops(_ name: String) {
        #expect(Engine.withFusedLoops(name) { Engine.fusedLoops } == name)
    }

    @Test("Extreme values stay what they are")
    func extremes() {
        let infinity = Float.infinity
        let values: [Float] = [-infinity, -1e30, -100, -0.0, 0, 100, 1e30, infinity, .nan]
        for name in fusedLoops {
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

    @Test("Whatever bits say that a value is no number, the softmax passes it on")
    func unusualBits() {
        // The exponential makes an exponent of its argument's last bits, which are all set here.
        let bits = Tensor(bytes: [UInt8](repeating: 0xFF, count: 32), shape: [8], dtype: .float32)
        for name in fusedLoops {
            _ = Engine.withFusedLoops(name) {
                let qkv = Tensor.ones([2, 1, 24])
                qkv[0][0].sliced(0..<8).copy(from: bits)
                let found: [Float] = qkv.selfAttention(headCount: 1).values()
                #expect(found.prefix(8).allSatisfy { $0.isNaN }, "\(name): \(found)")
                #expect(found.dropFirst(8).allSatisfy { $0 == 1 }, "\(name): \(found)")
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
        let odd = generator.normal([2, 3, 18]).converted(to: .bfloat16)
        expectClose(
            odd.selfAttention(headCount: 2),
            Composed.attention(odd.converted(to: .float64), headCount: 2),
            relative: 1e-2
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
        let factors = leaf([24], .float32)
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
            let x = qkv.scaled(by: factors).selfAttention(headCount: 2)
            let y = x.normalizedAndModulated(shift: parts[0], scale: parts[1])
            return x.addingGated(y.gelu(tanhApproximation: true), gate: parts[2])
        }
        let composed = try penalty { qkv, parts in
            let x = Composed.attention(qkv * factors, headCount: 2)
            let y = Composed.norm(x, shift: parts[0], scale: parts[1])
            return x + parts[2] * Composed.gelu(y)
        }
        for (a, b) in zip(fused, composed) { expectClose(a, b, relative: 1e-4) }
    }

    @Test("The number of threads does not change a bit")
    mutating func threads() {
        let qkv = leaf([5, 33, 3 * 48], .bfloat16)
        let m = leaf([5, 96], .bfloat16)
        let (weight, factors) = (leaf([144, 144], .bfloat16), leaf([144], .float32))
        func run() -> [Tensor] {
            let parts = m.unsqueezed(1).chunked(2, along: 2)
            var x = withAutocast(.bfloat16) {
                qkv.linear(weight: weight, bias: factors).scaled(by: factors)
            }
            x = x.selfAttention(headCount: 4)
            var y = x.normalizedAndModulated(shift: parts[0], scale: parts[1])
            y = x.addingGated(y.gelu(tanhApproximation: true), gate: parts[1])
            let gradients = Tensor.gradients(of: [y.squared().sum()], by: [qkv, m, factors])
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
