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
