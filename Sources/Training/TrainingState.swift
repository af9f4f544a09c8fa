import Models
import NeuralNetworks
import Torch

/// How far a training run has come.
public struct TrainingRecord: Codable, Sendable, Equatable {
    /// The accuracy on the test set after some epochs.
    public struct Look: Codable, Sendable, Equatable {
        /// Number of finished epochs.
        public let epoch: Int
        /// Share of the test images whose class was found, 0 to 1.
        public let accuracy: Double
    }

    /// Number of finished steps.
    public internal(set) var step = 0
    /// Sum of the losses of this epoch's images so far.
    public internal(set) var lossSum = 0.0
    /// The looks at the test set, in order.
    public internal(set) var looks: [Look] = []

    /// A run that has not begun.
    public init() {}

    /// The accuracy at the last look.
    public var last: Double? { looks.last?.accuracy }
    /// The best accuracy of all looks: chosen on the test set, as published.
    public var best: Double? { looks.map(\.accuracy).max() }
}

/// A network in training, with all that is needed to go on after an interruption.
///
/// Random numbers depend on the seed and the number of the step alone, so that weights, optimizer
/// and record are the whole state: a run that is resumed ends with the same bits.
public final class TrainingState {
    /// The network.
    public let classifier: any ImageClassifier
    /// How far the run has come.
    public internal(set) var record = TrainingRecord()
    let optimizer: SGD

    /// Begins a run.
    ///
    /// - Parameters:
    ///   - classifier: The network, on the device where it is trained.
    ///   - options: How it is trained.
    public init(training classifier: any ImageClassifier, options: TrainingOptions) {
        self.classifier = classifier
        optimizer = SGD(
            classifier.trainableParameters(),
            learningRate: options.learningRate,
            momentum: options.momentum,
            weightDecay: options.weightDecay
        )
    }

    /// Weights (`model.…`) and momentum (`optimizer.…`); the tensors are those in use.
    public func tensors() -> StateDictionary {
        var state = classifier.state().addingPrefix("model.")
        state.merge(optimizer.state().addingPrefix("optimizer."))
        return state
    }

    /// Returns to a saved state.
    ///
    /// - Parameters:
    ///   - tensors: What `tensors()` returned then.
    ///   - record: The record of the same moment.
    /// - Throws: `StateMismatchError` if the tensors are those of another network.
    public func restore(
        _ tensors: StateDictionary,
        record: TrainingRecord
    ) throws(StateMismatchError) {
        try classifier.load(tensors.removingPrefix("model."))
        try optimizer.load(tensors.removingPrefix("optimizer."))
        self.record = record
    }
}
