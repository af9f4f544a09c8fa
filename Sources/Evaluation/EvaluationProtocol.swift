import Models
import Training

/// How the accuracy on a surrogate dataset is measured.
///
/// It holds everything that must be the same for two numbers to be comparable, and never changes
/// once it has a name. What is changed by an option is part of its name: `rded-soft-300+size=64`.
public struct EvaluationProtocol: Sendable, Equatable {
    /// How the weights are updated.
    public struct Optimization: Sendable, Equatable {
        /// How the weights are changed.
        public var update = TrainingOptions.Update.sgd
        /// Step size of the first epochs.
        public var learningRate: Double
        /// How it falls.
        public var schedule = TrainingOptions.Schedule.twoSteps
        /// Factor of the learning rate at each step of the schedule.
        public var decayFactor = 0.2
        /// Share of a weight taken away in a step of size 1.
        public var weightDecay: Double
        /// Images a step.
        public var batchSize: Int
    }

    /// What a network learns from.
    public enum Labels: Sendable, Equatable {
        /// The class of each image.
        case hard
        /// What a teacher says of the images as the student sees them, softened by a temperature.
        case soft(temperature: Double)
        /// The same with changes of the images that are drawn once for all students, so that the
        /// teacher's scores can be stored.
        case storedSoft(temperature: Double, imageSeed: UInt64)
    }

    /// Rules that depend on numbers of images and classes.
    enum Rules: Sendable {
        /// Those of Minimax Diffusion for up to 100 classes.
        case gu
        /// Those of Minimax Diffusion, with settings of their own for more than 100 classes.
        case guPhotographs
        /// Those of DM and DSA.
        case dsa
        /// Those of RDED.
        case rded
        /// Those of SRe2L.
        case fkd
    }

    /// The name without variations.
    public let baseID: String
    /// What was changed by options.
    public internal(set) var variation = Variation()
    /// Pixels a side of the images, before variations.
    let usualImageSize: Int
    /// Channels of the images.
    public let channels: Int
    /// Whether `load` brings images of any size to `imageSize` and `channels`; others are refused.
    public let resizesImages: Bool
    /// What images are normalised by; nil: mean and deviation of the training set.
    public let statistics: ChannelStatistics?
    /// How training images are changed, before variations.
    let usualAugmentation: Augmentation
    /// How normalised training images are changed after that, before variations.
    let usualSiamese: SiameseAugmentation?
    /// Whether images of a batch are mixed, before variations.
    let usuallyMixes: Bool
    /// What a network learns from, before variations.
    let usualLabels: Labels
    /// Share of the epochs that must be done before the test set is looked at.
    public internal(set) var firstLook: Double
    let rules: Rules

    /// Its name in results, with what differs: `gu-hard-28+epochs=300`.
    public var id: String { baseID + variation.description }

    /// Pixels a side of the images.
    public var imageSize: Int { variation.size ?? usualImageSize }

    /// How training images are changed.
    public var augmentation: Augmentation {
        if variation.isPlain { return .none }
        var augmentation = usualAugmentation
        if augmentation.cropSize != nil { augmentation.cropSize = imageSize }
        if let patches = variation.patches {
            augmentation.patchGrid = patches
            augmentation.cropScale = 1 / Double(patches)...1
        }
        return augmentation
    }

    /// How normalised training images are changed after that.
    public var siamese: SiameseAugmentation? { variation.isPlain ? nil : usualSiamese }

    /// Whether images of a batch are mixed.
    public var usesCutMix: Bool { usuallyMixes && !variation.isPlain }

    /// What a network learns from.
    public var labels: Labels {
        guard let temperature = variation.temperature else { return usualLabels }
        switch usualLabels {
        case .hard: return .hard
        case .soft: return .soft(temperature: temperature)
        case .storedSoft(_, let seed):
            return .storedSoft(temperature: temperature, imageSeed: seed)
        }
    }

    /// Whether the teacher's scores are kept in a folder.
    public var storesSoftLabels: Bool {
        if case .storedSoft = labels { true } else { false }
    }

    /// Whether a teacher is needed.
    public var needsTeacher: Bool { usualLabels != .hard }

    /// Pixels of the shorter side of test images before the middle is cut out.
    public var testShortSide: Int {
        switch rules {
        // Sizes that 7 does not divide must not end up smaller than the square cut out of them.
        case .rded, .fkd: max(imageSize, imageSize / 7 * 8)
        default: imageSize
        }
    }

    /// The number of epochs.
    ///
    /// - Parameters:
    ///   - imagesPerClass: Images of one class.
    ///   - classCount: Number of classes.
    /// - Returns: That of the variation, or of the protocol.
    public func epochs(imagesPerClass: Int, classCount: Int) -> Int {
        variation.epochs ?? usualEpochs(imagesPerClass: imagesPerClass, classCount: classCount)
    }

    /// More than any training takes, and few enough that no number of steps overflows.
    static let mostEpochs = 1_000_000

    /// The protocol's number of epochs, before variations.
    func usualEpochs(imagesPerClass: Int, classCount: Int) -> Int {
        switch rules {
        case .gu, .guPhotographs:
            EvaluationProtocol.epochs(imagesPerClass: imagesPerClass, classCount: classCount)
        case .dsa: 1000
        case .rded, .fkd: 300
        }
    }

    /// The published number of epochs of Minimax Diffusion: fewer images are seen more often.
    ///
    /// - Parameters:
    ///   - imagesPerClass: Images of one class.
    ///   - classCount: Number of classes; for exactly 100 the reference takes two thirds.
    /// - Returns: Epochs.
    public static func epochs(imagesPerClass: Int, classCount: Int) -> Int {
        let epochs =
            switch imagesPerClass {
            case ...1: 3000
            case ...10: 2000
            case ...50: 1500
            case ...200: 1000
            case ...500: 500
            default: 300
            }
        return classCount == 100 ? epochs * 2 / 3 / 100 * 100 : epochs
    }

    /// How weights are updated.
    ///
    /// - Parameters:
    ///   - classCount: Number of classes.
    ///   - imagesPerClass: Images of one class.
    ///   - network: The network; RDED has learning rates of their own for some.
    /// - Returns: The rule, its learning rate and batch size.
    public func optimization(
        classCount: Int,
        imagesPerClass: Int = 10,
        network: NetworkName? = nil
    ) -> Optimization {
        var result =
            switch rules {
            case .guPhotographs where classCount > 100:
                Optimization(learningRate: 0.1, weightDecay: 1e-4, batchSize: 128)
            case .gu, .guPhotographs:
                Optimization(learningRate: 0.01, weightDecay: 5e-4, batchSize: 64)
            case .dsa:
                Optimization(
                    learningRate: 0.01,
                    schedule: .oneStep,
                    decayFactor: 0.1,
                    weightDecay: 5e-4,
                    batchSize: 256
                )
            case .rded:
                Optimization(
                    update: .adamW,
                    learningRate: EvaluationProtocol.rdedLearningRate(of: network),
                    schedule: .halfCosine,
                    weightDecay: 0.01,
                    // 10, 50, 100 for 1, 10, 50 images per class; twice as many for many classes.
                    batchSize: (imagesPerClass > 10 ? 100 : imagesPerClass > 1 ? 50 : 10)
                        * (classCount >= 100 ? 2 : 1)
                )
            case .fkd:
                Optimization(
                    update: .adamW,
                    learningRate: 0.001,
                    schedule: .cosine,
                    weightDecay: 0.01,
                    batchSize: 1024
                )
            }
        if let batch = variation.batch { result.batchSize = batch }
        return result
    }

    /// The learning rate of RDED for a network.
    private static func rdedLearningRate(of network: NetworkName?) -> Double {
        switch network?.family {
        case .mobileNet: 0.0025
        case .efficientNetLite: 0.002
        default: 0.001
        }
    }

    /// Looks at the test set from the first epoch on: for estimates of a few epochs.
    package mutating func looksAtOnce() { firstLook = 0 }

    /// Makes sure that a set has images of the right size.
    ///
    /// - Parameters:
    ///   - set: The images.
    ///   - role: What they are for; training images that are cropped later may be larger or smaller.
    ///   - subject: What the set is called in the message.
    /// - Throws: `TrainingError` that tells both sizes.
    package func validate(_ set: ImageSet, for role: Role, subject: String) throws(TrainingError) {
        let patches = augmentation.patchGrid
        guard role == .test || patches <= min(set.height, set.width) else {
            throw TrainingError(
                .unfitImages,
                "The protocol \(id) cuts images into \(patches) strips; those of \(subject) have "
                    + "\(set.width)×\(set.height) pixels."
            )
        }
        let isCroppedLater = role == .train && augmentation.cropSize != nil
        let fits = set.height == imageSize && set.width == imageSize
        guard fits || isCroppedLater, set.channels == channels else {
            throw TrainingError(
                .unfitImages,
                "The protocol \(id) is for images of \(imageSize)×\(imageSize) pixels with "
                    + "\(channels) channel\(channels == 1 ? "" : "s"); those of \(subject) have "
                    + "\(set.width)×\(set.height) with \(set.channels). Resize the images, or "
                    + "choose another protocol"
                    + (resizesImages
                        ? "."
                        : ": gu-hard-64 and its "
                            + "relatives resize photographs of any size.")
            )
        }
    }
}
