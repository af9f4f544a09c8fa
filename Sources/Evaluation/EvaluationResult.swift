/// What was measured, with all that is needed to compare it with other results.
///
/// Accuracies are fractions between 0 and 1.
public struct EvaluationResult: Codable, Sendable, Equatable {
    /// One set of images.
    public struct Dataset: Codable, Sendable, Equatable {
        /// Where it was read from.
        public let path: String
        /// What tells it from every other set.
        public let fingerprint: String
        /// Number of images.
        public let images: Int
    }

    /// What made the training set.
    public let method: String
    /// Training images of one class; the rounded mean where classes differ.
    public let imagesPerClass: Int
    /// The network.
    public let network: String
    /// The protocol, with what differs from it: `gu-hard-28+epochs=300`.
    public let evaluationProtocol: String
    /// Number of classes.
    public let classes: Int
    /// What the network was trained on.
    public let train: Dataset
    /// What it was tested on.
    public let test: Dataset
    /// One run for each.
    public let seeds: [Int]
    /// Number of epochs of a run.
    public let epochs: Int
    /// How often the test set was looked at in a run.
    public let evaluations: Int
    /// Type in which the network was computed.
    public let precision: String
    /// Where it was computed.
    public let device: String
    /// Accuracy after the last epoch.
    public let last: Accuracy
    /// Best accuracy of all looks: the epoch is chosen on the test set, as published.
    public let best: Accuracy
    /// The epoch whose accuracy is reported; nil in results of older versions: the last.
    public let selection: EvaluationOptions.Selection?
    /// Accuracy at the epochs that images held back have chosen; nil if none were.
    public let selected: Accuracy?
    /// Number of training images that were held back.
    public let heldBackImages: Int?
    /// How the training images were chosen from more; nil: all of them.
    public let choice: String?
    /// What labelled the training images; nil: their classes.
    public let teacher: Teacher.Record?
    /// Names of the classes, in the order of `perClass` and `confusion`.
    public let classNames: [String]?
    /// Share of each class's test images that were right after the last epoch, mean over the seeds.
    public let perClass: [Double]?
    /// Test images by their class (row) and the class that was found (column) after the last epoch,
    /// summed over the seeds; nil for more than 100 classes.
    public let confusion: [[Int]]?
    /// Time of all runs.
    public let seconds: Double
    /// Largest memory in use meanwhile.
    public let peakMemoryBytes: Int

    private enum CodingKeys: String, CodingKey {
        case method, imagesPerClass, network
        case evaluationProtocol = "protocol"
        case classes, train, test, seeds, epochs, evaluations, precision, device, last, best
        case selection, selected, heldBackImages, choice, teacher, classNames, perClass, confusion
        case seconds, peakMemoryBytes
    }

    /// The accuracy that is reported: after the last epoch unless another was asked for.
    public var headline: Accuracy {
        switch selection ?? .last {
        case .last: last
        case .best: best
        case .holdout: selected ?? last
        }
    }
}
