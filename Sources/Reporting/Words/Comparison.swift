/// Whether one accuracy differs from another by more than the seeds explain, by Welch's test.
package enum Comparison: Equatable, Sendable {
    /// The first is higher by this fraction, and chance is an unlikely reason.
    case higher(by: Double)
    /// The first is lower by this fraction, and chance is an unlikely reason.
    case lower(by: Double)
    /// The difference (first minus second) may be due to the seeds.
    case withinNoise(difference: Double)
    /// One of the two has a single seed, so its spread is not known.
    case unknownSpread(difference: Double)

    package init(_ first: AccuracyResult.Accuracy, _ second: AccuracyResult.Accuracy) {
        let difference = first.mean - second.mean
        guard min(first.values.count, second.values.count) > 1 else {
            self = .unknownSpread(difference: difference)
            return
        }
        // Without any spread on both sides no seed explains the difference.
        let probability = Significance.welch(first.values, second.values) ?? 0
        if probability >= Significance.level {
            self = .withinNoise(difference: difference)
        } else {
            self = difference > 0 ? .higher(by: difference) : .lower(by: -difference)
        }
    }

    /// A sentence about the two methods with their difference in percentage points.
    package func sentence(_ first: String, _ second: String) -> String {
        func points(_ difference: Double) -> String {
            "\(Words.points(abs(difference))) percentage points"
        }
        switch self {
        case .higher(let difference):
            return
                "\(first) is \(points(difference)) above \(second), more than the seeds explain (Welch's test, p < 0.05)."
        case .lower(let difference):
            return
                "\(first) is \(points(difference)) below \(second), more than the seeds explain (Welch's test, p < 0.05)."
        case .withinNoise(let difference):
            return
                "The difference of \(points(difference)) between \(first) and \(second) may be due to the seeds (Welch's test, p ≥ 0.05): neither is shown to be better."
        case .unknownSpread(let difference):
            let relation = difference < 0 ? "below" : "above"
            return
                "\(first) is \(points(difference)) \(relation) \(second), but with a single seed the spread is unknown, so this may be due to chance."
        }
    }
}
