import Torch

/// The directions in which points vary most (PCA).
public struct PrincipalComponents {
    /// The middle of the points: [1, F].
    public let mean: Tensor
    /// One direction a row, of length 1, the largest variance first: [K, F].
    ///
    /// The largest of its numbers is positive, so that the directions are the same on every machine.
    public let directions: Tensor
    /// The variance along each direction, divided by n − 1.
    public let variances: [Double]

    /// Finds the directions of some points.
    ///
    /// Traps for fewer than two points or more directions than numbers of a point.
    ///
    /// - Parameters:
    ///   - points: [N, F].
    ///   - count: K, the number of directions.
    public init(of points: Tensor, count: Int = 2) {
        let (rows, columns) = (points.size(along: 0), points.size(along: 1))
        guard rows > 1, (1...columns).contains(count) else {
            trap("PrincipalComponents: \(count) directions of points \(points.shape)")
        }
        let x = points.converted(to: .float64, device: .cpu)
        mean = x.mean(along: 0, keepingAxis: true)
        let centred = x - mean
        let found: (values: Tensor, vectors: Tensor)
        if columns <= rows {
            found = (centred.transposed(0, 1).matmul(centred)).symmetricEigendecomposition()
        } else {
            // The smaller of the two products has the same eigenvalues; its vectors are mapped back.
            let (values, vectors) = centred.matmul(centred.transposed(0, 1))
                .symmetricEigendecomposition()
            found = (values, centred.transposed(0, 1).matmul(vectors))
        }
        // Eigenvalues rise. Fewer points than directions leave some without any variance.
        let available = found.values.size(along: 0)
        let order = (0..<count).map { max(available - 1 - $0, 0) }
        var v = found.vectors.gathered(order, along: 1).transposed(0, 1)  // [K, F]
        v = v / v.norm(axes: [1], keepingAxes: true).clamped(to: 1e-30...Double.infinity)
        let peaks = v.magnitude().argmax(along: 1, keepingAxis: true)
        directions = v * v.elements(at: peaks, along: 1).sign()
        variances = found.values.gathered(order).values(as: Double.self)
            .map { max($0, 0) / Double(rows - 1) }
    }

    /// Places of points along the directions: [N, F] → [N, K], float64.
    public func projected(_ points: Tensor) -> Tensor {
        (points.converted(to: .float64, device: .cpu) - mean).matmul(directions.transposed(0, 1))
    }
}
