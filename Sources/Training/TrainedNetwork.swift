import Checkpoints
import Foundation
import Models
import NeuralNetworks
import Torch

/// A trained network in one safetensors file: weights, and in the metadata what is needed to use
/// them.
public struct TrainedNetwork {
    /// What the metadata says.
    public struct Description: Codable, Sendable, Equatable {
        /// The network.
        public var network: NetworkName
        /// Pixels a side of the images it was trained on.
        public var imageSize: Int
        /// Channels of these images.
        public var channels: Int
        /// What they were normalised by.
        public var statistics: ChannelStatistics
        /// Names of its classes, in the order of their labels.
        public var classNames: [String]
        /// What it was trained on, and how; only for people.
        public var origin: String

        /// Describes a network.
        public init(
            network: NetworkName,
            imageSize: Int,
            channels: Int,
            statistics: ChannelStatistics,
            classNames: [String],
            origin: String
        ) {
            self.network = network
            self.imageSize = imageSize
            self.channels = channels
            self.statistics = statistics
            self.classNames = classNames
            self.origin = origin
        }
    }

    /// What the metadata says.
    public let description: Description
    /// The weights by checkpoint name.
    public let weights: StateDictionary

    private static let key = "distill.network"

    /// Puts a network together.
    public init(description: Description, weights: StateDictionary) {
        self.description = description
        self.weights = weights
    }

    /// Opens a file; the weights are mapped into memory.
    ///
    /// - Parameter url: A file that `save` has written.
    /// - Throws: `CheckpointError` for a damaged file or one without a description.
    public init(contentsOf url: URL) throws(CheckpointError) {
        try self.init(Checkpoint(contentsOf: url))
    }

    /// Reads an open file.
    ///
    /// - Parameter checkpoint: A file that `save` has written.
    /// - Throws: `CheckpointError` if it has no description.
    public init(_ checkpoint: Checkpoint) throws(CheckpointError) {
        guard case .text(let text)? = checkpoint.content[TrainedNetwork.key],
            let description = try? JSONDecoder().decode(Description.self, from: Data(text.utf8))
        else {
            throw CheckpointError(
                .unsupported,
                file: checkpoint.url.path,
                "The file does not say which network its weights belong to: its metadata lack a "
                    + "readable \"\(TrainedNetwork.key)\".",
                remedy: "Look at it with `distill inspect`."
            )
        }
        self.init(description: description, weights: checkpoint.state())
    }

    /// Whether a file has such a description.
    public static func isDescribed(in checkpoint: Checkpoint) -> Bool {
        checkpoint.content[key] != nil
    }

    /// Writes the file atomically.
    ///
    /// - Parameter url: Where.
    /// - Throws: `CheckpointError` if the file cannot be written.
    public func save(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(description), as: UTF8.self)
        try Safetensors.save(
            weights.mapValues { $0.detached().moved(to: .cpu).contiguous() },
            metadata: [TrainedNetwork.key: text],
            to: url
        )
    }

    /// Makes the network with these weights, ready to be used.
    ///
    /// - Parameter device: Where it is needed.
    /// - Returns: The network in test mode, frozen.
    /// - Throws: `NetworkError` if its name and sizes do not fit each other, `StateMismatchError`
    ///   if the weights are those of another network.
    public func makeClassifier(on device: Device = .cpu) throws -> any ImageClassifier {
        var generator = RandomGenerator(seed: 0, purpose: .initialization)
        let classifier = try description.network.makeClassifier(
            imageSize: description.imageSize,
            channels: description.channels,
            classCount: description.classNames.count,
            using: &generator
        )
        try classifier.load(weights)
        classifier.freeze()
        classifier.move(to: device)
        classifier.setTraining(false)
        return classifier
    }
}

extension FeatureExtractor {
    /// What the last layer of a network from a file sees.
    ///
    /// - Parameters:
    ///   - network: The network with its weights.
    ///   - name: What the extractor is called in results; nil: the network's name.
    ///   - precision: Type in which the network is computed.
    ///   - device: Where.
    /// - Throws: `NetworkError` and `StateMismatchError` if file and network do not fit.
    public init(
        _ network: TrainedNetwork,
        name: String? = nil,
        precision: Precision = .float32,
        on device: Device = .cpu
    ) throws {
        let description = network.description
        self.init(
            try network.makeClassifier(on: device),
            name: name ?? "\(description.network)",
            imageSize: description.imageSize,
            channels: description.channels,
            normalizedBy: description.statistics,
            precision: precision
        )
    }
}
