import NeuralNetworks

/// How a network is trained from scratch; the defaults are the published ones.
public struct TrainingOptions: Codable, Sendable, Equatable {
    /// How the weights are changed.
    public enum Update: String, Codable, Sendable {
        /// SGD with `momentum`; `weightDecay` for all weights.
        case sgd
        /// AdamW (0.9, 0.999); `weightDecay` for matrices and filters only, not for biases and
        /// norms.
        case adamW
    }

    /// How the learning rate falls.
    public enum Schedule: String, Codable, Sendable {
        /// ×`decayFactor` at ⅔ and again at ⅚ of the epochs.
        case twoSteps
        /// ×`decayFactor` once, after E/2 + 1 of E epochs; the published code of DM trains one more
        /// before it looks.
        case oneStep
        /// ½(1 + cos(πk/E)): to zero.
        case cosine
        /// ½(1 + cos(πk/2E)): to one half.
        case halfCosine
    }

    /// Number of times every image is seen.
    public var epochs: Int
    /// Images a step; the last, smaller batch of an epoch is used too.
    public var batchSize: Int
    /// How the weights are changed.
    public var update: Update
    /// Step size of the first epochs.
    public var learningRate: Double
    /// How it falls.
    public var schedule: Schedule
    /// Share of the last update that is kept in the next one.
    public var momentum: Double
    /// Share of a weight taken away in a step of size 1.
    public var weightDecay: Double
    /// Factor of the learning rate at each step of the schedule.
    public var decayFactor: Double
    /// How training images are changed.
    public var augmentation: Augmentation
    /// How normalised images are changed after that, every image with numbers of its own; nil: not.
    public var siamese: SiameseAugmentation?
    /// Whether images of a batch are mixed.
    public var usesCutMix: Bool
    /// T, what the scores of teacher and student are divided by where labels are soft.
    public var temperature: Double
    /// How often the test set is looked at, evenly spread; the last epoch is always among them.
    public var evaluations: Int
    /// Share of the epochs that must be done before the test set is looked at.
    public var firstLook: Double
    /// Type in which the network is computed.
    public var precision: Precision
    /// Seed of the first weights, the order of the images and their changes.
    public var seed: UInt64
    /// Another seed for the order of the images and their changes; nil: `seed`.
    public var imageSeed: UInt64?

    /// Describes a training run.
    public init(
        epochs: Int,
        batchSize: Int = 64,
        update: Update = .sgd,
        learningRate: Double = 0.01,
        schedule: Schedule = .twoSteps,
        momentum: Double = 0.9,
        weightDecay: Double = 5e-4,
        decayFactor: Double = 0.2,
        augmentation: Augmentation = .none,
        siamese: SiameseAugmentation? = nil,
        usesCutMix: Bool = true,
        temperature: Double = 1,
        evaluations: Int = 100,
        firstLook: Double = 0,
        precision: Precision = .float32,
        seed: UInt64 = 0,
        imageSeed: UInt64? = nil
    ) {
        self.epochs = epochs
        self.batchSize = batchSize
        self.update = update
        self.learningRate = learningRate
        self.schedule = schedule
        self.momentum = momentum
        self.weightDecay = weightDecay
        self.decayFactor = decayFactor
        self.augmentation = augmentation
        self.siamese = siamese
        self.usesCutMix = usesCutMix
        self.temperature = temperature
        self.evaluations = evaluations
        self.firstLook = firstLook
        self.precision = precision
        self.seed = seed
        self.imageSeed = imageSeed
    }

    /// The learning rate of an epoch, counted from 0.
    public func learningRate(atEpoch epoch: Int) -> Double {
        let schedule: LearningRateSchedule =
            switch schedule {
            case .twoSteps:
                .multiStep(milestones: [2 * epochs / 3, 5 * epochs / 6], factor: decayFactor)
            case .oneStep: .multiStep(milestones: [epochs / 2 + 1], factor: decayFactor)
            case .cosine: .cosine(warmup: 0, total: epochs, floor: 0)
            case .halfCosine: .halfCosine(total: epochs)
            }
        return learningRate * schedule.factor(at: epoch)
    }

    /// Number of steps in an epoch over so many images.
    public func stepsPerEpoch(imageCount: Int) -> Int {
        (imageCount + batchSize - 1) / batchSize
    }

    /// Whether the test set is looked at when so many epochs are done.
    public func looksAtTestSet(afterEpochs done: Int) -> Bool {
        if done == epochs { return true }
        guard Double(done) > firstLook * Double(epochs) else { return false }
        return done * evaluations / epochs > (done - 1) * evaluations / epochs
    }

    /// Makes sure that the numbers make sense.
    func validate() throws(TrainingError) {
        for (name, value) in [
            ("epochs", epochs), ("batchSize", batchSize), ("evaluations", evaluations),
        ] where value < 1 {
            throw TrainingError(.invalidOption, "\(name) must be at least 1; it is \(value).")
        }
        guard temperature > 0 else {
            throw TrainingError(
                .invalidOption,
                "temperature must be above 0; it is \(temperature)."
            )
        }
    }
}
