import CTorch

// Steps of a transformer block that are one pass over memory on the processor, forwards and
// backwards, for float32 and bfloat16. Elsewhere they are composed of the operations they stand
// for, and so are the second derivatives of all of them.
extension Tensor {
    /// LN(x)·(1 + scale) + shift, the normalisation without a learned affine part.
    ///
    /// Inside `withAutocast` the result has autocast's type, since a matrix product follows.
    ///
    /// - Parameters:
    ///   - shift: [B, 1, D] for an x of [B, T, D].
    ///   - scale: [B, 1, D].
    ///   - epsilon: Added to the variance.
    /// - Returns: [B, T, D].
    package func normalizedAndModulated(
        shift: Tensor,
        scale: Tensor,
        epsilon: Double = 1e-6
    ) -> Tensor {
        Tensor.of("normalizedAndModulated", self, shift, scale) {
            ct_norm_modulate(handle, shift.handle, scale.handle, epsilon, &$0)
        }
    }

    /// x + gate·y, with y of the shape of x, [B, T, D], and gate [B, 1, D].
    package func addingGated(_ y: Tensor, gate: Tensor) -> Tensor {
        Tensor.of("addingGated", self, y, gate) {
            ct_add_gated(handle, y.handle, gate.handle, &$0)
        }
    }

    /// This tensor, [..., D], times a vector of scale factors, [D].
    ///
    /// Inside `withAutocast` the result has autocast's type, like that of the matrix products
    /// around it.
    package func scaled(by vector: Tensor) -> Tensor {
        Tensor.of("scaled", self, vector) { ct_scale_rows(handle, vector.handle, &$0) }
    }

    /// softmax(q·kᵀ/√(D/heads))·v, with q, k and v side by side in this tensor.
    ///
    /// - Parameter headCount: Number of heads, a divisor of D.
    /// - Returns: [B, T, D] for a tensor of [B, T, 3·D], whose last axis is (3, heads, D/heads).
    package func selfAttention(headCount: Int) -> Tensor {
        Tensor.of("selfAttention", self) { ct_self_attention(handle, Int64(headCount), &$0) }
    }
}

extension Engine {
    /// The instruction set of the fused loops, for example "AVX512-BF16".
    public static var fusedLoops: String {
        var name: UnsafePointer<CChar>? = nil
        withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: UnsafePointer<CChar>.self, capacity: 1) {
                check("fusedLoops", ct_kernels_name($0))
            }
        }
        return name.map { String(cString: $0) } ?? "unknown"
    }

    /// Runs `body` with the loops of another instruction set on this thread; for tests.
    ///
    /// - Parameters:
    ///   - name: "AVX512-BF16", "AVX512", "AVX2", "portable", or "none" for what other devices do.
    ///   - body: The work.
    /// - Returns: What `body` returns; nil, without a run, if the processor lacks the instructions.
    package static func withFusedLoops<Result>(
        _ name: String,
        _ body: () throws -> Result
    ) rethrows -> Result? {
        var found = false
        check("withFusedLoops", ct_kernels_choose(name, &found))
        guard found else { return nil }
        defer { check("withFusedLoops", ct_kernels_choose(nil, &found)) }
        return try body()
    }
}
