import Torch

/// The nearest one of many points for each of a few, where the many do not fit into memory: they
/// come in portions.
package struct NearestSearch {
    private let points: FeaturePoints
    /// What all points are given relative to.
    private let center: Tensor
    /// For every point the squared distance to the nearest of those looked at, and the name of
    /// that one; nil before the first portion.
    package private(set) var nearest: [(square: Double, place: Int)?]

    /// Begins a search.
    ///
    /// - Parameter features: [N, F], the points whose neighbours are wanted.
    package init(for features: Tensor) {
        center = Moments.mean(of: features)
        points = FeaturePoints(features, center: center)
        nearest = Array(repeating: nil, count: features.size(along: 0))
    }

    /// Looks at a portion of the others.
    ///
    /// - Parameters:
    ///   - features: [M, F].
    ///   - places: What the M points are called in ``nearest``.
    package mutating func look(at features: Tensor, places: [Int]) {
        guard !places.isEmpty else { return }
        let others = FeaturePoints(features, center: center)
        for (position, found) in points.nearest(among: others).enumerated() {
            if let known = nearest[position], known.square <= found.square { continue }
            nearest[position] = (found.square, places[found.place])
        }
    }
}
