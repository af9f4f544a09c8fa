import TestSupport
import Testing
import Torch

/// The steps as libtorch's operations compose them.
enum Composed {
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

/// The instruction sets that the loops are made for.
let fusedLoops = ["AVX512-BF16", "AVX512", "AVX2", "portable"]

extension RandomGenerator {
    /// A leaf in the given type; its values are exact in that type.
    mutating func leaf(_ shape: [Int], _ dtype: DType) -> Tensor {
        let x = normal(shape).converted(to: dtype)
        x.requiresGradient = true
        return x
    }
}

@Suite("Fused steps of a transformer block")
struct FusedKernelTests {
    private var generator = RandomGenerator(seed: 11)

    private mutating func leaf(_ shape: [Int], _ dtype: DType) -> Tensor {
        generator.leaf(shape, dtype)
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
        for name in fusedLoops {
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

    @Test("Scale factors for every row agree with their product", arguments: FusedCase.all)
    mutating func scale(_ size: FusedCase) {
        let shape = [size.batch, size.tokens, size.width]
        for (x, vector, tolerance) in [
            (DType.float32, DType.float32, 1e-5), (.bfloat16, .bfloat16, 1e-2),
            (.bfloat16, .float32, 1e-2),
        ] {
            expectSame(
                "scale \(x) \(vector)",
                inputs: [leaf(shape, x), leaf([size.width], vector)],
                tolerance: tolerance,
                fused: { inputs in
                    let y = withAutocast(x) { inputs[0].scaled(by: inputs[1]) }
                    #expect(y.dtype == x)
                    return y
                },
                composed: { $0[0] * $0[1] }
            )
        }
    }

    @Test("A linear layer in bfloat16 agrees with its formula", arguments: FusedCase.all)
    mutating func linear(_ size: FusedCase) {
        for weight in [DType.float32, .bfloat16] {
            // Values that are exact in bfloat16, whatever the type they are stored in.
            func exact(_ shape: [Int], _ dtype: DType) -> Tensor {
                let x = generator.normal(shape).converted(to: .bfloat16).converted(to: dtype)
                x.requiresGradient = true
                return x
            }
            expectSame(
                "linear \(weight)",
                inputs: [
                    exact([size.batch, size.tokens, size.width], .bfloat16),
                    exact([size.width + 7, size.width], weight),
                    exact([size.width + 7], .float32),
                ],
                tolerance: 1e-2,
                fused: { inputs in
                    withAutocast(.bfloat16) { inputs[0].linear(weight: inputs[1], bias: inputs[2]) }
                },
                composed: { $0[0].matmul($0[1].transposed(0, 1)) + $0[2] }
            )
        }
    }

    @Test("The gradient of a bias is summed in float32, and frozen weights get none")
    mutating func biasGradient() {
        let x = generator.normal([4000, 16]).converted(to: .bfloat16)
        let weight = generator.normal([40, 16]).converted(to: .bfloat16)
        let bias = Tensor.zeros([40])
        bias.requiresGradient = true
        let weights = generator.uniform([4000, 40]).converted(to: .bfloat16)
        withAutocast(.bfloat16) { x.linear(weight: weight, bias: bias) }.backward(weights: weights)
        let sums = weights.converted(to: .float64).sum(axes: [0])
        expectClose(bias.gradient ?? .zeros([1]), sums, relative: 1e-6)
        #expect(x.gradient == nil && weight.gradient == nil)
    }
}
