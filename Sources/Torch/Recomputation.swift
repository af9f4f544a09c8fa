import CTorch

extension Tensor {
    /// The result of `body`, whose intermediate results are not kept for the gradient but computed
    /// once more when it is asked for: memory for time.
    ///
    /// Gradients are those of `body(inputs)`: to the last bit, as far as its operations are
    /// deterministic. The second computation runs under the autocast of the first; it must not
    /// draw random numbers of its own. Nothing is computed twice inside `withoutGradient`.
    ///
    /// Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost".
    ///
    /// - Parameters:
    ///   - inputs: At least one tensor, kept until the gradient is computed.
    ///   - parameters: Every trained tensor that `body` uses besides; its gradient would be
    ///     missing without being named here.
    ///   - body: The computation. On a GPU the second one runs on a thread of libtorch's.
    /// - Returns: One tensor.
    package static func recomputing(
        _ inputs: [Tensor],
        parameters: [Tensor],
        _ body: @escaping ([Tensor]) -> Tensor
    ) -> Tensor {
        let context = Unmanaged.passRetained(RecomputedBody(body)).toOpaque()
        return of("recomputing", list: inputs + parameters) { handles, result in
            ct_recomputed(
                handles,
                inputs.count + parameters.count,
                inputs.count,
                { context, handles, count in
                    let inputs = (0..<count).map { Tensor(owning: handles[$0]) }
                    return RecomputedBody.of(context).body(inputs).copiedReference()
                },
                { context in Unmanaged<RecomputedBody>.fromOpaque(context).release() },
                context,
                &result
            )
        }
    }

    /// A reference to the same native tensor that the caller has to free.
    private func copiedReference() -> OpaquePointer {
        var reference: OpaquePointer? = nil
        Tensor.run("copiedReference", self) { ct_tensor_copy_reference(handle, &reference) }
        guard let reference else { trap("copiedReference: no result") }
        return reference
    }
}

/// A closure as an object, so that C can keep it.
private final class RecomputedBody {
    let body: ([Tensor]) -> Tensor

    init(_ body: @escaping ([Tensor]) -> Tensor) { self.body = body }

    static func of(_ context: UnsafeMutableRawPointer) -> RecomputedBody {
        Unmanaged<RecomputedBody>.fromOpaque(context).takeUnretainedValue()
    }
}
