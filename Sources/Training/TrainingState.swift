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
        /// The same on images held back from training; nil without any.
        public let heldBackAccuracy: Double?

        /// Notes an accuracy.
        public init(epoch: Int, accuracy: Double, heldBackAccuracy: Double? = nil) {
            self.epoch = epoch
            self.accuracy = accuracy
            self.heldBackAccuracy = heldBackAccuracy
        }
    }

    /// Number of finished steps.
    public internal(set) var step = 0
    /// Sum of the losses of this epoch's images so far.
    public internal(set) var lossSum = 0.0
    /// The looks at the test set, in order.
    public internal(set) var looks: [Look] = []
    /// What the last look found: row = class of the image, column = class that was found, numbers
    /// of test images.
    public internal(set) var confusion: [[Int]] = []

    /// A run that has not begun.
    public init() {}

    /// Adds a look at the test set.
    package mutating func note(_ look: Look) { looks.append(look) }

    /// The accuracy at the last look.
    public var last: Double? { looks.last?.accuracy }
    /// The best accuracy of all looks: chosen on the test set, as published.
    public var best: Double? { looks.map(\.accuracy).max() }
    /// The accuracy at the look where the images held back were classified best; of equal ones the
    /// latest.
    public var chosenOnHeldBack: Double? {
        looks.max {
            ($0.heldBackAccuracy ?? 0) <= ($1.heldBackAccuracy ?? 0) && $0.epoch < $1.epoch
        }?
        .accuracy
    }
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
    let optimizer: any Optimizer

    /// Begins a run.
    ///
    /// - Parameters:
    ///   - classifier: The network, on the device where it is trained.
    ///   - options: How it is trained.
    public init(training classifier: any ImageClassifier, options: TrainingOptions) {
        self.classifier = classifier
        let parameters = classifier.trainableParameters()
        switch options.update {
        case .sgd:
            optimizer = SGD(
                parameters,
                learningRate: options.learningRate,
                momentum: options.momentum,
                weightDecay: options.weightDecay
            )
        case .adamW:
            optimizer = AdamW(
                parameters,
                learningRate: options.learningRate,
                configuration: .init(
                    weightDecay: options.weightDecay,
                    decaysOnlyMatrices: true
                )
            )
        }
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
