import CTorch

extension Tensor {
    /// Whether operations on this tensor are recorded for gradients.
    public var requiresGradient: Bool {
        get {
            var value = false
            Tensor.run("requiresGradient", self) { ct_requires_grad_get(handle, &value) }
            return value
        }
        set { Tensor.run("requiresGradient", self) { ct_requires_grad_set(handle, newValue) } }
    }

    /// The same memory without its history.
    public func detached() -> Tensor { Tensor.of("detached", self) { ct_detach(handle, &$0) } }

    /// The gradient collected by `backward`; nil before the first.
    ///
    /// A new one must have the shape, type and device of this tensor. It is shared, not copied,
    /// unless its elements lie in another order in memory.
    public var gradient: Tensor? {
        get {
            var result: OpaquePointer? = nil
            Tensor.run("gradient", self) { ct_grad_get(handle, &result) }
            return result.map { Tensor(owning: $0) }
        }
        set {
            Tensor.run("gradient", self, newValue) { ct_grad_set(handle, newValue?.handle) }
        }
    }

    /// Adds the gradients of this tensor to every leaf it was computed from.
    ///
    /// - Parameters:
    ///   - weights: What the gradient is multiplied with; not needed for a scalar.
    ///   - retainingGraph: Keeps the history for another pass.
    ///   - creatingGraph: Records the pass itself, for second derivatives.
    public func backward(
        weights: Tensor? = nil,
        retainingGraph: Bool = false,
        creatingGraph: Bool = false
    ) {
        Tensor.run("backward", self, weights) {
            ct_backward(handle, weights?.handle, retainingGraph || creatingGraph, creatingGraph)
        }
    }

    /// Gradients of outputs with respect to chosen inputs; leaves collect nothing.
    ///
    /// - Parameters:
    ///   - outputs: Scalars, or tensors with `weights`.
    ///   - inputs: What to differentiate by.
    ///   - weights: What the outputs' gradients are multiplied with, one for each output.
    ///   - retainingGraph: Keeps the history for another pass.
    ///   - creatingGraph: Records the pass itself, for second derivatives.
    /// - Returns: One gradient an input; nil where an output does not depend on it.
    public static func gradients(
        of outputs: [Tensor],
        by inputs: [Tensor],
        weights: [Tensor]? = nil,
        retainingGraph: Bool = false,
        creatingGraph: Bool = false
    ) -> [Tensor?] {
        if let weights, weights.count != outputs.count {
            trap(
                "gradients: \(weights.count) weights were given for \(outputs.count) outputs; "
                    + "each output needs one"
            )
        }
        var results = [OpaquePointer?](repeating: nil, count: inputs.count)
        let status = results.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return 0 }
            return withHandles(outputs) { outputHandles in
                withHandles(inputs) { inputHandles in
                    withHandles(weights ?? []) { weightHandles in
                        weightHandles.withMemoryRebound(
                            to: OpaquePointer?.self,
                            capacity: Swift.max(outputs.count, 1)
                        ) {
                            ct_grad(
                                outputHandles,
                                outputs.count,
                                inputHandles,
                                inputs.count,
                                weights == nil ? nil : $0,
                                retainingGraph || creatingGraph,
                                creatingGraph,
                                base
                            )
                        }
                    }
                }
            }
        }
        check("gradients", status, outputs + inputs)
        return results.map { $0.map { Tensor(owning: $0) } }
    }
}

// NB: these modes are thread-local in libtorch, and a task may change threads where it awaits.
// Hence every scope takes a synchronous closure.

/// Runs `body` without recording operations for gradients.
public func withoutGradient<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withGradientMode(false, body)
}

/// Runs `body` with operations recorded, also inside a scope without gradients.
public func withGradient<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withGradientMode(true, body)
}

private func withGradientMode<Result>(
    _ enabled: Bool,
    _ body: () throws -> Result
) rethrows -> Result {
    var previous = true
    check("gradient mode", ct_grad_mode_get(&previous))
    check("gradient mode", ct_grad_mode_set(enabled))
    // Autocast remembers a cast of a weight that was made without a history, and the weight may
    // have been updated meanwhile: neither must be used where gradients are recorded.
    if enabled && !previous { check("gradient mode", ct_autocast_forget()) }
    defer {
        check("gradient mode", ct_grad_mode_set(previous))
        if previous && !enabled { check("gradient mode", ct_autocast_forget()) }
    }
    return try body()
}

/// Runs `body` in libtorch's inference mode: faster, but its tensors can never take part in
/// anything that is differentiated.
public func withInference<Result>(_ body: () throws -> Result) rethrows -> Result {
    var guardian: UnsafeMutableRawPointer? = nil
    check("inference mode", ct_inference_begin(&guardian))
    defer {
        if let guardian { check("inference mode", ct_inference_end(guardian)) }
        // Casts that autocast made of weights here can take part in nothing outside.
        check("inference mode", ct_autocast_forget())
    }
    return try body()
}

/// Runs `body` with matrix products and convolutions in a lower precision.
///
/// - Parameters:
///   - dtype: `bfloat16` or `float16`; nil or `float32` changes nothing.
///   - device: Where the work runs.
///   - body: The work; the casts of trainable weights are cached until it ends.
/// - Returns: What `body` returns.
public func withAutocast<Result>(
    _ dtype: DType?,
    on device: Device = .cpu,
    _ body: () throws -> Result
) rethrows -> Result {
    guard let dtype, dtype != .float32 else { return try body() }
    var wasEnabled = false
    var previous: Int32 = 0
    let kind = device.kind.rawValue
    check("autocast", ct_autocast_get(kind, &wasEnabled, &previous))
    check("autocast", ct_autocast_set(kind, true, dtype.rawValue))
    check("autocast", ct_autocast_enter())
    defer {
        check("autocast", ct_autocast_leave())
        check("autocast", ct_autocast_set(kind, wasEnabled, previous))
    }
    return try body()
}
