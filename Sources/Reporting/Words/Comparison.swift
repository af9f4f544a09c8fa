/// Whether one accuracy differs from another by more than the spread over seeds explains.
///
/// Two accuracies differ beyond the deviations when the difference of their means is larger than
/// the sum of their sample deviations, so that the intervals "mean ± deviation" do not touch.
package enum Comparison: Equatable, Sendable {
    /// The first is higher by this fraction, more than both deviations together.
    case higher(by: Double)
    /// The first is lower by this fraction, more than both deviations together.
    case lower(by: Double)
    /// The difference (first minus second) is no larger than both deviations together.
    case withinDeviations(difference: Double)
    /// One of the two has a single seed, so its spread is not known.
    case unknownDeviation(difference: Double)

    package init(_ first: AccuracyResult.Accuracy, _ second: AccuracyResult.Accuracy) {
        let difference = first.mean - second.mean
        guard let spread = first.deviation, let otherSpread = second.deviation else {
            self = .unknownDeviation(difference: difference)
            return
        }
        if abs(difference) <= spread + otherSpread {
            self = .withinDeviations(difference: difference)
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
                "\(first) is \(points(difference)) above \(second), more than the sum of their standard deviations."
        case .lower(let difference):
            return
                "\(first) is \(points(difference)) below \(second), more than the sum of their standard deviations."
        case .withinDeviations(let difference):
            return
                "The difference of \(points(difference)) between \(first) and \(second) is within the sum of their standard deviations: neither is shown to be better."
        case .unknownDeviation(let difference):
            let relation = difference < 0 ? "below" : "above"
            return
                "\(first) is \(points(difference)) \(relation) \(second), but with a single seed the spread is unknown, so this may be due to chance."
        }
    }
}
