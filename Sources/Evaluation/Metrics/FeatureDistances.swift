import Torch

/// Points in feature space, ready for distances in float64.
///
/// |a − b|² is computed as |a|² + |b|² − 2a·b, a matrix product. So that little is lost to
/// rounding, all points are given relative to one centre.
package struct FeaturePoints {
    /// [N, F], float64, relative to the centre.
    let values: Tensor
    /// Their squared lengths, [N].
    let squares: Tensor

    /// Takes features.
    ///
    /// - Parameters:
    ///   - features: [N, F].
    ///   - center: [F], float64; points of one distance must have the same.
    package init(_ features: Tensor, center: Tensor) {
        values = features.converted(to: .float64) - center
        squares = values.norm(axes: [1]).squared()
    }

    private init(values: Tensor, squares: Tensor) {
        self.values = values
        self.squares = squares
    }

    /// Two sets with the mean of the second as their centre.
    static func pair(_ first: Tensor, _ second: Tensor) -> (FeaturePoints, FeaturePoints) {
        let center = Moments.mean(of: second)
        return (FeaturePoints(first, center: center), FeaturePoints(second, center: center))
    }

    /// Number of points.
    var count: Int { values.size(along: 0) }

    /// Some of the points.
    func selecting(_ indices: [Int]) -> FeaturePoints {
        FeaturePoints(values: values.gathered(indices), squares: squares.gathered(indices))
    }

    /// Calls `body` with blocks of the squared distances to other points: at most 32 MB, whatever
    /// the numbers of points.
    ///
    /// NB: what `body` keeps belongs into tensors that were made before: new small ones between
    /// the blocks leave holes in the memory that the next block does not fit in.
    ///
    /// - Parameters:
    ///   - others: M points with the same centre.
    ///   - body: Called with the places of some points and their squared distances, [b, M].
    /// - Throws: What `body` throws.
    func forEachBlock(
        to others: FeaturePoints,
        _ body: (Range<Int>, Tensor) throws -> Void
    ) rethrows {
        let size = max(16, 4_194_304 / max(1, others.count))
        let columns = others.values.transposed(0, 1)
        for start in stride(from: 0, to: count, by: size) {
            let range = start..<min(start + size, count)
            let x = values[range].matmul(columns)  // [b, M]
            x.multiply(by: -2)
            x.add(squares[range].unsqueezed(1))
            x.add(others.squares)
            x.clamp(to: 0...Double.infinity)
            try body(range, x)
        }
    }

    /// For every point the nearest ones of others.
    ///
    /// - Parameters:
    ///   - k: How many are wanted, at most the number of others.
    ///   - others: Points with the same centre.
    /// - Returns: Squared distances in rising order and places, both [N, k].
    func nearest(_ k: Int, among others: FeaturePoints) -> (squares: Tensor, places: Tensor) {
        nearest(k, among: others) { _, squares in squares }
    }

    /// For every point the nearest one of others: its squared distance and its place.
    func nearest(among others: FeaturePoints) -> [(square: Double, place: Int)] {
        FeaturePoints.first(nearest(1, among: others))
    }

    /// For every point the nearest other one of the same set: its squared distance and its place.
    func nearestOther() -> [(square: Double, place: Int)] {
        FeaturePoints.first(nearestOthers(1))
    }

    private static func first(
        _ nearest: (squares: Tensor, places: Tensor)
    ) -> [(square: Double, place: Int)] {
        let squares: [Double] = nearest.squares.sliced(0..<1, along: 1).flattened().values()
        let places: [Int] = nearest.places.sliced(0..<1, along: 1).flattened().values()
        return zip(squares, places).map { (square: $0, place: $1) }
    }

    /// For every point the nearest other ones of the same set.
    ///
    /// - Parameter k: How many are wanted, fewer than there are points.
    /// - Returns: Squared distances in rising order and places, both [N, k].
    func nearestOthers(_ k: Int) -> (squares: Tensor, places: Tensor) {
        nearestOthers(k) { _ in }
    }

    /// For every point the nearest other ones of the same set.
    ///
    /// - Parameters:
    ///   - k: How many are wanted, fewer than there are points.
    ///   - progress: Hears how many points are done; an error ends the work.
    /// - Returns: Squared distances in rising order and places, both [N, k].
    /// - Throws: What `progress` throws.
    func nearestOthers(
        _ k: Int,
        progress: (Int) throws -> Void
    ) rethrows -> (squares: Tensor, places: Tensor) {
        let columns = Tensor.range(to: Double(count), dtype: .int64)
        let infinity = Tensor([Double.infinity], shape: [])
        return try nearest(k, among: self) { range, squares in
            try progress(range.lowerBound)
            let isSelf = columns.compared(.equal, to: columns[range].unsqueezed(1))
            return Tensor.choose(isSelf, infinity, else: squares)
        }
    }

    private func nearest(
        _ k: Int,
        among others: FeaturePoints,
        masked: (Range<Int>, Tensor) throws -> Tensor
    ) rethrows -> (squares: Tensor, places: Tensor) {
        let result = (
            squares: Tensor.empty([count, k], dtype: .float64),
            places: Tensor.empty([count, k], dtype: .int64)
        )
        try forEachBlock(to: others) { range, squares in
            let (values, indices) = try masked(range, squares).top(k, along: 1, largest: false)
            result.squares[range].copy(from: values)
            result.places[range].copy(from: indices)
        }
        return result
    }
}
