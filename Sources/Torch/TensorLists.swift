import CTorch

/// Operations on many tensors at once, in place: what optimizers and averages are made of.
package enum TensorLists {
    /// x ← x + scale·y, each with its own partner.
    package static func add(_ x: [Tensor], _ y: [Tensor], scaledBy scale: Double) {
        pairwise("add", x, y) { ct_foreach_add($0, $1, $2, scale) }
    }

    /// x ← y, each with its own partner.
    package static func copy(_ x: [Tensor], from y: [Tensor]) {
        pairwise("copy", x, y) { ct_foreach_copy($0, $1, $2) }
    }

    /// x ← x + weight·(y − x), each with its own partner.
    package static func interpolate(_ x: [Tensor], to y: [Tensor], weight: Double) {
        pairwise("interpolate", x, y) { ct_foreach_lerp($0, $1, $2, weight) }
    }

    /// x ← x + value, for each.
    package static func add(_ value: Double, to x: [Tensor]) {
        guard !x.isEmpty else { return }
        let status = Tensor.withHandles(x) { ct_foreach_add_scalar($0, x.count, value) }
        check("add", status, x)
    }

    /// x ← factor·x, for each.
    package static func multiply(_ x: [Tensor], by factor: Double) {
        guard !x.isEmpty else { return }
        let status = Tensor.withHandles(x) { ct_foreach_mul_scalar($0, x.count, factor) }
        check("multiply", status, x)
    }

    /// The Euclidean norm over all elements of all tensors, a scalar.
    package static func totalNorm(_ x: [Tensor]) -> Tensor {
        guard !x.isEmpty else { return Tensor(0) }
        return Tensor.of("totalNorm", list: x) { ct_foreach_total_norm($0, x.count, &$1) }
    }

    /// One fused update as `torch.optim.AdamW`, with the numbers of steps already increased.
    ///
    /// - Parameters:
    ///   - parameters: What is trained; the other lists have one entry for each of them.
    ///   - gradients: Their gradients.
    ///   - moments: The averages of gradients and of their squares.
    ///   - steps: The number of this update, scalars.
    ///   - learningRate: η.
    ///   - betas: β₁ and β₂.
    ///   - weightDecay: λ.
    ///   - epsilon: Added to the root of the second moment.
    package static func adamW(
        _ parameters: [Tensor],
        gradients: [Tensor],
        moments: (first: [Tensor], second: [Tensor]),
        steps: [Tensor],
        learningRate: Double,
        betas: (Double, Double),
        weightDecay: Double,
        epsilon: Double
    ) {
        let status = Tensor.withHandles(parameters) { handles in
            Tensor.withHandles(gradients) { gradients in
                Tensor.withHandles(moments.first) { first in
                    Tensor.withHandles(moments.second) { second in
                        Tensor.withHandles(steps) { steps in
                            ct_fused_adamw(
                                handles,
                                gradients,
                                first,
                                second,
                                steps,
                                parameters.count,
                                learningRate,
                                betas.0,
                                betas.1,
                                weightDecay,
                                epsilon
                            )
                        }
                    }
                }
            }
        }
        check("AdamW.step", status, parameters)
    }

    /// One fused update as `torch.optim.SGD`.
    ///
    /// - Parameters:
    ///   - parameters: What is trained.
    ///   - gradients: Their gradients.
    ///   - buffers: Their momentum; none without.
    ///   - learningRate: η.
    ///   - momentum: μ.
    ///   - weightDecay: λ.
    package static func sgd(
        _ parameters: [Tensor],
        gradients: [Tensor],
        buffers: [Tensor],
        learningRate: Double,
        momentum: Double,
        weightDecay: Double
    ) {
        let status = Tensor.withHandles(parameters) { handles in
            Tensor.withHandles(gradients) { gradients in
                Tensor.withHandles(buffers) { moving in
                    ct_fused_sgd(
                        handles,
                        gradients,
                        buffers.isEmpty ? nil : moving,
                        parameters.count,
                        learningRate,
                        momentum,
                        weightDecay,
                        false
                    )
                }
            }
        }
        check("SGD.step", status, parameters)
    }

    private static func pairwise(
        _ operation: StaticString,
        _ x: [Tensor],
        _ y: [Tensor],
        _ body: (UnsafePointer<OpaquePointer>, UnsafePointer<OpaquePointer>, Int) -> Int32
    ) {
        guard x.count == y.count else {
            trap("\(operation): lists of \(x.count) and \(y.count) tensors")
        }
        guard !x.isEmpty else { return }
        let status = Tensor.withHandles(x) { first in
            Tensor.withHandles(y) { second in body(first, second, x.count) }
        }
        check(operation, status, x + y)
    }
}
