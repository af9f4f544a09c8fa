import Testing
import Torch

/// Expects max|a − b| ≤ absolute + relative·max|b|, and equal shapes.
///
/// Infinities and NaN must stand at the same places in both.
///
/// - Parameters:
///   - a: What was computed.
///   - b: What is expected.
///   - relative: Allowed error as a share of the largest magnitude in `b`.
///   - absolute: Allowed error besides.
///   - label: Put in front of the message, for example the tensor's name.
///   - sourceLocation: Where the expectation stands.
public func expectClose(
    _ a: Tensor,
    _ b: Tensor,
    relative: Double = 0,
    absolute: Double = 0,
    _ label: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let head = label.isEmpty ? "" : label + ": "
    guard a.shape == b.shape else {
        Issue.record(
            "\(head)shape \(a.shape), expected \(b.shape)",
            sourceLocation: sourceLocation
        )
        return
    }
    let computed: [Double] = a.detached().converted(to: .float64, device: .cpu).values()
    let expected: [Double] = b.detached().converted(to: .float64, device: .cpu).values()
    let scale = expected.filter(\.isFinite).map(abs).max() ?? 0
    let allowed = absolute + relative * scale

    var worst = (error: -1.0, place: 0)
    for (place, (x, y)) in zip(computed, expected).enumerated() {
        let error = x == y || (x.isNaN && y.isNaN) ? 0 : abs(x - y)
        let finite = error.isFinite ? error : .infinity
        if finite > worst.error { worst = (finite, place) }
    }
    guard worst.error > allowed else { return }
    Issue.record(
        """
        \(head)shape \(a.shape): the largest error \(worst.error) is above \(allowed) \
        (relative \(relative), absolute \(absolute), max|b| \(scale)) at index \
        \(index(of: worst.place, in: a.shape)): \(computed[worst.place]), expected \
        \(expected[worst.place])
        """,
        sourceLocation: sourceLocation
    )
}

/// Expects numbers in row-major order, within an absolute error.
public func expectValues(
    _ a: Tensor,
    _ values: [Double],
    shape: [Int]? = nil,
    absolute: Double = 1e-6,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let shape = shape ?? [values.count]
    expectClose(
        a,
        Tensor(values, shape: shape),
        absolute: absolute,
        sourceLocation: sourceLocation
    )
}

/// Expects the same element types, shapes and bits.
public func expectIdentical(
    _ a: Tensor,
    _ b: Tensor,
    _ label: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let head = label.isEmpty ? "" : label + ": "
    guard a.dtype == b.dtype, a.shape == b.shape else {
        Issue.record(
            "\(head)\(a.dtype)\(a.shape), expected \(b.dtype)\(b.shape)",
            sourceLocation: sourceLocation
        )
        return
    }
    let (computed, expected) = (a.detached().bytes(), b.detached().bytes())
    guard let place = zip(computed, expected).enumerated().first(where: { $1.0 != $1.1 })?.offset
    else { return }
    let element = place / a.dtype.byteCount
    let x: [Double] = a.detached().converted(to: .float64, device: .cpu).values()
    let y: [Double] = b.detached().converted(to: .float64, device: .cpu).values()
    Issue.record(
        """
        \(head)shape \(a.shape): the first different element is at index \
        \(index(of: element, in: a.shape)): \(x[element]), expected \(y[element])
        """,
        sourceLocation: sourceLocation
    )
}

private func index(of place: Int, in shape: [Int]) -> [Int] {
    var rest = place
    var index = [Int]()
    for size in shape.reversed() {
        index.insert(rest % size, at: 0)
        rest /= size
    }
    return index
}

/// Expects that `body` frees as many tensor references as it makes.
///
/// Only this thread is counted, so that tests may run beside each other.
public func expectNoLeaks<Result>(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Result
) rethrows {
    let before = Engine.threadTensorBalance
    _ = try body()
    let left = Engine.threadTensorBalance - before
    #expect(left == 0, "\(left) tensors are left", sourceLocation: sourceLocation)
}
