import Models
import Torch
import Training

/// What is measured, and how.
public struct EvaluationOptions: Sendable, Equatable {
    /// The epoch whose accuracy is reported.
    public enum Selection: String, Codable, Sendable, CaseIterable {
        /// The last one.
        case last
        /// The best one on the test set, as published: the test set is part of the choice.
        case best
        /// The best one on training images that are held back: neither trained on nor tested on.
        case holdout
    }

    /// What made the training set, as it is called in results, for example `minimax`.
    public var method: String
    /// The network that is trained.
    public var network: NetworkName
    /// The protocol.
    public var evaluationProtocol: EvaluationProtocol
    /// Number of epochs; nil: the protocol's number for so many images.
    public var epochs: Int?
    /// How often the test set is looked at in one run; published: 100.
    public var evaluations: Int
    /// The epoch whose accuracy is reported.
    public var selection: Selection
    /// Share of the training images of each class that is held back, for `Selection.holdout`.
    public var heldBackShare: Double
    /// Images of a class that results and the protocol's batch size count, where a method stores
    /// several training images in one; nil: the training images themselves.
    ///
    /// The number of epochs follows the training images, as in the published code of IDC and of
    /// Minimax Diffusion.
    public var storedImagesPerClass: Int?
    /// How the training images were chosen from more, as it is written in results; nil: all.
    public var choice: String?
    /// One run for each seed.
    public var seeds: [Int]
    /// Type in which the network is computed; nil: the fastest on the device.
    public var precision: Precision?

    /// Describes a measurement.
    public init(
        method: String,
        network: NetworkName,
        evaluationProtocol: EvaluationProtocol = .guHard28,
        epochs: Int? = nil,
        evaluations: Int = 100,
        selection: Selection = .last,
        heldBackShare: Double = 0.2,
        choice: String? = nil,
        seeds: [Int] = [0, 1, 2],
        precision: Precision? = nil
    ) {
        self.method = method
        self.network = network
        self.evaluationProtocol = evaluationProtocol
        self.epochs = epochs
        self.evaluations = evaluations
        self.selection = selection
        self.heldBackShare = heldBackShare
        self.choice = choice
        self.seeds = seeds
        self.precision = precision
    }

    /// Makes sure that the numbers make sense.
    func validate() throws(TrainingError) {
        guard !seeds.isEmpty, seeds.allSatisfy({ $0 >= 0 }), Set(seeds).count == seeds.count else {
            throw TrainingError(
                .invalidOption,
                "seeds must be one or more different numbers from 0; they are \(seeds)."
            )
        }
        if let epochs = epochs ?? evaluationProtocol.variation.epochs,
            !(1...EvaluationProtocol.mostEpochs ~= epochs)
        {
            throw TrainingError(
                .invalidOption,
                "epochs must be from 1 to \(EvaluationProtocol.mostEpochs); it is \(epochs)."
            )
        }
        guard evaluations >= 1 else {
            throw TrainingError(
                .invalidOption,
                "evaluations must be at least 1; it is \(evaluations)."
            )
        }
        guard selection != .holdout || (0 < heldBackShare && heldBackShare < 1) else {
            throw TrainingError(
                .invalidOption,
                "The share of images held back must be above 0 and below 1; it is "
                    + "\(heldBackShare)."
            )
        }
    }
}

/// One set of a measurement and where it comes from.
public struct EvaluationSet {
    /// Images, labels and class names.
    public let images: ImageSet
    /// Where it was read from, as it is written in results.
    public let path: String
    /// What tells it from every other set.
    public let fingerprint: String

    /// Puts a set and its origin together.
    public init(images: ImageSet, path: String, fingerprint: String) {
        self.images = images
        self.path = path
        self.fingerprint = fingerprint
    }

    /// The first images of every class, to measure how long all of them take.
    package func part(imagesPerClass: Int) -> EvaluationSet {
        var counts = [Int](repeating: 0, count: images.classCount)
        let places = images.labels.indices.filter { place in
            counts[images.labels[place]] += 1
            return counts[images.labels[place]] <= imagesPerClass
        }
        return EvaluationSet(images: images.subset(places), path: path, fingerprint: fingerprint)
    }

    /// What a result says of the set.
    var identity: EvaluationResult.Dataset {
        EvaluationResult.Dataset(path: path, fingerprint: fingerprint, images: images.count)
    }
}
