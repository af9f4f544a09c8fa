import Training

/// What happens while a surrogate dataset is evaluated.
public enum EvaluationEvent: Sendable, Equatable {
    /// The checkpoint of an interrupted measurement was found.
    ///
    /// - Parameters:
    ///   - finishedSeeds: Number of seeds that need not be run again.
    ///   - epoch: Finished epochs of the next seed.
    case resumed(finishedSeeds: Int, epoch: Int)
    /// The checkpoint belongs to something else and is not used, for the reason given.
    case ignoredCheckpoint(String)
    /// Something happened in the run of a seed, the `position`-th (from 0) of `count`.
    case training(TrainingEvent, seed: Int, position: Int, count: Int)
    /// The run of a seed is done.
    case finished(seed: Int, position: Int, count: Int, last: Double, best: Double)
}

/// The caller stopped a measurement; with a checkpoint it can be resumed.
public struct EvaluationInterruption: Error, CustomStringConvertible, Sendable {
    /// Whether all that was done is saved.
    public let isSaved: Bool

    /// What to do next.
    public var description: String {
        isSaved
            ? "The evaluation was interrupted. Run the same command again to go on."
            : "The evaluation was interrupted, and nothing was saved."
    }
}
