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
        squares = values.squared().sum(along: 1)
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

    /// Calls `body` with blocks of the squared distances to other points: at most 64 MB, whatever
    /// the numbers of points.
    ///
    /// - Parameters:
    ///   - others: M points with the same centre.
    ///   - body: Called with the places of some points and their squared distances, [b, M].
    func forEachBlock(to others: FeaturePoints, _ body: (Range<Int>, Tensor) -> Void) {
        let size = max(16, 8_388_608 / max(1, others.count))
        let columns = others.values.transposed(0, 1)
        for start in stride(from: 0, to: count, by: size) {
            let range = start..<min(start + size, count)
            let x = values[range].matmul(columns)  // [b, M]
            x.multiply(by: -2)
            x.add(squares[range].unsqueezed(1))
            x.add(others.squares)
            x.clamp(to: 0...Double.infinity)
            body(range, x)
        }
    }

    /// For every point the nearest ones of others.
    ///
    /// - Parameters:
    ///   - k: How many are wanted, at most the number of others.
    ///   - others: Points with the same centre.
    /// - Returns: Squared distances in rising order and places, both [N, k].
    func nearest(_ k: Int, among others: FeaturePoints) -> (squares: Tensor, places: Tensor) {
        var parts = [(Tensor, Tensor)]()
        forEachBlock(to: others) { _, squares in
            let (values, indices) = squares.top(k, along: 1, largest: false)
            parts.append((values, indices))
        }
        return (.concatenated(parts.map(\.0)), .concatenated(parts.map(\.1)))
    }

    /// For every point the nearest other ones of the same set.
    ///
    /// - Parameter k: How many are wanted, fewer than there are points.
    /// - Returns: Squared distances in rising order and places, both [N, k].
    func nearestOthers(_ k: Int) -> (squares: Tensor, places: Tensor) {
        let columns = Tensor.range(to: Double(count), dtype: .int64)
        let infinity = Tensor([Double.infinity], shape: [])
        var parts = [(Tensor, Tensor)]()
        forEachBlock(to: self) { range, squares in
            let isSelf = columns.unsqueezed(0).compared(
                .equal,
                to: columns[range].unsqueezed(1)
            )
            let (values, indices) = Tensor.choose(isSelf, infinity, else: squares)
                .top(k, along: 1, largest: false)
            parts.append((values, indices))
        }
        return (.concatenated(parts.map(\.0)), .concatenated(parts.map(\.1)))
    }
}
