import Torch
import Training

/// How well a generated set covers a real one, and stays within it, by nearest neighbours.
///
/// Every point has a ball that reaches to its k-th nearest other point of its own set. Precision
/// and recall are those of Kynkäänniemi et al. (NeurIPS 2019), density and coverage those of
/// Naeem et al. (ICML 2020), computed as in clovaai/generative-evaluation-prdc.
public struct PrecisionRecall: Sendable, Equatable {
    /// k.
    public let neighbours: Int
    /// For every generated point, in how many real balls it lies.
    public let realBallCounts: [Int]
    /// For every real point, whether it lies in the ball of a generated one.
    public let isRecalled: [Bool]
    /// For every real point, whether its own ball holds a generated one.
    public let isCovered: [Bool]

    /// Share of the generated points that lie in a real ball: 0 to 1.
    public var precision: Double {
        PrecisionRecall.share(realBallCounts.map { $0 > 0 })
    }

    /// Share of the real points that lie in a generated ball: 0 to 1.
    public var recall: Double { PrecisionRecall.share(isRecalled) }

    /// Mean number of real balls that hold a generated point, divided by k; about 1 for a set
    /// drawn like the real one, more where it keeps to the crowded places.
    public var density: Double {
        Double(realBallCounts.reduce(0, +)) / Double(neighbours * realBallCounts.count)
    }

    /// Share of the real points whose ball holds a generated one: 0 to 1.
    ///
    /// NB: fewer generated points cover less, however good they are.
    public var coverage: Double { PrecisionRecall.share(isCovered) }

    /// Measures two sets of features.
    ///
    /// - Parameters:
    ///   - generated: [N, F].
    ///   - real: [M, F].
    ///   - neighbours: k; published: 5 for density and coverage, 3 for precision and recall.
    /// - Throws: `TrainingError` if a set has no more than k points.
    public init(
        generated: Tensor,
        real: Tensor,
        neighbours: Int = 5
    ) throws(TrainingError) {
        let (points, realPoints) = FeaturePoints.pair(generated, real)
        try self.init(generated: points, real: realPoints, neighbours: neighbours)
    }

    /// Measures two sets of points.
    init(
        generated: FeaturePoints,
        real: FeaturePoints,
        neighbours: Int
    ) throws(TrainingError) {
        try PrecisionRecall.validate(
            neighbours: neighbours,
            generatedCount: generated.count,
            realCount: real.count
        )
        // A point on the surface is outside: a set that is a part of the real one has many such
        // points, and rounding must not decide.
        let surface = 1 - 1e-9
        let realRadii =
            real.nearestOthers(neighbours).squares.selected(neighbours - 1, along: 1)
            * surface
        let radii =
            generated.nearestOthers(neighbours).squares.selected(neighbours - 1, along: 1)
            * surface
        var counts = [Tensor]()
        var nearest = Tensor.full([real.count], .infinity, dtype: .float64)
        var recalled = Tensor.zeros([real.count], dtype: .uint8)
        generated.forEachBlock(to: real) { range, squares in
            counts.append(squares.compared(.less, to: realRadii).sum(along: 1))
            let isInside = squares.compared(.less, to: radii[range].unsqueezed(1))
            recalled = recalled.maximum(isInside.converted(to: .uint8).max(along: 0))
            nearest = nearest.minimum(squares.min(along: 0))
        }
        self.neighbours = neighbours
        realBallCounts = Tensor.concatenated(counts).values()
        isRecalled = recalled.values(as: UInt8.self).map { $0 == 1 }
        isCovered = nearest.compared(.less, to: realRadii).values()
    }

    /// Makes sure that every point has so many neighbours.
    static func validate(
        neighbours: Int,
        generatedCount: Int,
        realCount: Int
    ) throws(TrainingError) {
        let smallest = min(generatedCount, realCount)
        guard neighbours >= 1 else {
            throw TrainingError(
                .invalidOption,
                "The number of neighbours must be at least 1; it is \(neighbours)."
            )
        }
        guard smallest > neighbours else {
            let hint =
                smallest > 1
                ? "Use at most \(smallest - 1) neighbours, or more images."
                : "Use more images."
            throw TrainingError(
                .malformedSet,
                "Neighbour number \(neighbours) of every image is asked for, but there are "
                    + "\(generatedCount) surrogate images and \(realCount) real ones. \(hint)"
            )
        }
    }

    static func share(_ flags: [Bool]) -> Double {
        Double(flags.count { $0 }) / Double(flags.count)
    }
}
