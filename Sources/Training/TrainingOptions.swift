import NeuralNetworks

/// How a network is trained from scratch; the defaults are the published ones.
public struct TrainingOptions: Codable, Sendable, Equatable {
    /// Number of times every image is seen.
    public var epochs: Int
    /// Images a step; the last, smaller batch of an epoch is used too.
    public var batchSize: Int
    /// Step size of the first epochs.
    public var learningRate: Double
    /// Share of the last update that is kept in the next one.
    public var momentum: Double
    /// Share of a weight taken away in a step of size 1.
    public var weightDecay: Double
    /// Factor of the learning rate at ⅔ and again at ⅚ of the epochs.
    public var decayFactor: Double
    /// How training images are changed.
    public var augmentation: Augmentation
    /// Whether images of a batch are mixed.
    public var usesCutMix: Bool
    /// How often the test set is looked at, evenly spread; the last epoch is always among them.
    public var evaluations: Int
    /// Type in which the network is computed.
    public var precision: Precision
    /// Seed of the first weights, the order of the images and their changes.
    public var seed: UInt64

    /// Describes a training run.
    public init(
        epochs: Int,
        batchSize: Int = 64,
        learningRate: Double = 0.01,
        momentum: Double = 0.9,
        weightDecay: Double = 5e-4,
        decayFactor: Double = 0.2,
        augmentation: Augmentation = .none,
        usesCutMix: Bool = true,
        evaluations: Int = 100,
        precision: Precision = .float32,
        seed: UInt64 = 0
    ) {
        self.epochs = epochs
        self.batchSize = batchSize
        self.learningRate = learningRate
        self.momentum = momentum
        self.weightDecay = weightDecay
        self.decayFactor = decayFactor
        self.augmentation = augmentation
        self.usesCutMix = usesCutMix
        self.evaluations = evaluations
        self.precision = precision
        self.seed = seed
    }

    /// The learning rate of an epoch, counted from 0.
    public func learningRate(atEpoch epoch: Int) -> Double {
        let schedule = LearningRateSchedule.multiStep(
            milestones: [2 * epochs / 3, 5 * epochs / 6],
            factor: decayFactor
        )
        return learningRate * schedule.factor(at: epoch)
    }

    /// Number of steps in an epoch over so many images.
    public func stepsPerEpoch(imageCount: Int) -> Int {
        (imageCount + batchSize - 1) / batchSize
    }

    /// Whether the test set is looked at when so many epochs are done.
    public func looksAtTestSet(afterEpochs done: Int) -> Bool {
        done == epochs || done * evaluations / epochs > (done - 1) * evaluations / epochs
    }

    /// Makes sure that the numbers make sense.
    func validate() throws(TrainingError) {
        for (name, value) in [
            ("epochs", epochs), ("batchSize", batchSize), ("evaluations", evaluations),
        ] where value < 1 {
            throw TrainingError(.invalidOption, "\(name) must be at least 1; it is \(value).")
        }
    }
}
