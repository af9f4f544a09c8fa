/// What happens in a training run.
public enum TrainingEvent: Sendable, Equatable {
    /// A step is done.
    ///
    /// - Parameters:
    ///   - step: Number of finished steps.
    ///   - of: Number of all steps.
    ///   - loss: Mean loss of the batch.
    ///   - learningRate: Step size that was used.
    case step(Int, of: Int, loss: Double, learningRate: Double)
    /// An epoch is done, with the mean loss over its images.
    case epoch(Int, of: Int, loss: Double)
    /// The test set was looked at after so many epochs.
    case looked(epoch: Int, accuracy: Double)
}

/// What to do after an event.
public enum ProgressDisposition: Sendable {
    /// Goes on.
    case `continue`
    /// Stops at once; the state can be saved and resumed.
    case stop
}
