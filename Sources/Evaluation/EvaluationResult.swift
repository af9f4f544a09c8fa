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

    /// The same measurement over several seeds.
    public struct Accuracy: Codable, Sendable, Equatable {
        /// One value a seed, in the order of the seeds.
        public let values: [Double]
        /// Their mean.
        public let mean: Double
        /// Their deviation, divided by n − 1; nil (null) for one seed.
        public let sampleDeviation: Double?
        /// Their deviation, divided by n, as published.
        public let populationDeviation: Double

        /// Summarises one or more values.
        public init(_ values: [Double]) {
            self.values = values
            let count = Double(values.count)
            let mean = values.reduce(0, +) / count
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            self.mean = mean
            sampleDeviation = values.count > 1 ? (squares / (count - 1)).squareRoot() : nil
            populationDeviation = (squares / count).squareRoot()
        }

        /// Writes null, not nothing, for a deviation that one seed leaves unknown.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(values, forKey: .values)
            try container.encode(mean, forKey: .mean)
            try container.encode(sampleDeviation, forKey: .sampleDeviation)
            try container.encode(populationDeviation, forKey: .populationDeviation)
        }
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
    /// Time of all runs.
    public let seconds: Double
    /// Largest memory in use meanwhile.
    public let peakMemoryBytes: Int

    private enum CodingKeys: String, CodingKey {
        case method, imagesPerClass, network
        case evaluationProtocol = "protocol"
        case classes, train, test, seeds, epochs, evaluations, precision, device, last, best
        case seconds, peakMemoryBytes
    }
}
