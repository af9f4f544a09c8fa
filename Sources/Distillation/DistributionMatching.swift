import Models
import NeuralNetworks
import Torch
import Training

/// Distribution matching, DM (Zhao & Bilen, "Dataset Condensation with Distribution Matching", WACV
/// 2023): images whose mean embedding in random networks is that of the real images of their class.
///
/// ```
/// L = Σ_c ‖ mean φ(A(real_c)) − mean φ(A(synthetic_c)) ‖²
/// ```
///
/// φ is the flattened last map of a network with new random weights in every step, A one draw of
/// Siamese augmentation for both. The images live normalised by the training set and are changed by
/// SGD with momentum.
public final class DistributionMatching: DistillationMethod {
    /// Settings, with the published defaults.
    public struct Parameters: Codable, Sendable, Equatable {
        /// Number of updates; published: 20,000.
        public var iterations = 20_000
        /// Learning rate of the images; published for ConvNets: 1; 0 for what is known to work with
        /// the network, ``usualLearningRate(of:)``.
        public var imageLearningRate = 0.0
        /// Share of the last update of the images that is kept in the next one.
        public var momentum = 0.5
        /// The network that embeds images; published: `convnet-3`, deeper for images above 32
        /// pixels.
        public var network = "convnet-3"
        /// Real images of each class in a step; fewer where a class has no more.
        public var realBatchSize = 256
        /// What the images begin as.
        public var initialization = ImageInitialization.real
        /// Operations of the Siamese augmentation, or `none`.
        public var augmentation = SiameseAugmentation.published.strategy
        /// The most synthetic images of up to 128×128 pixels whose gradient is computed at once, for
        /// less memory; 0 for no limit.
        ///
        /// Of larger ones it is as many as have as many pixels together. Where one class has more, a step
        /// takes the time of a second forward pass of them.
        public var imagesAtOnce = 256
        /// Updates between two checkpoints.
        public var checkpointEvery = 200
        /// Updates between two lines of the log.
        public var logEvery = 20

        /// The published settings.
        public init() {}

        /// The most synthetic images of a size whose gradient is computed at once.
        ///
        /// - Parameters:
        ///   - height: Rows of the images.
        ///   - width: Columns of the images.
        /// - Returns: At least 1, or 0 for no limit.
        public func boundedImagesAtOnce(height: Int, width: Int) -> Int {
            let pixels = height * width
            guard imagesAtOnce > 0, pixels > 16_384 else { return imagesAtOnce }
            return max(1, Int(Double(imagesAtOnce) * 16_384 / Double(pixels)))
        }

        /// Makes sure that the numbers make sense.
        ///
        /// - Throws: `TrainingError` that names the first that does not.
        public func validate() throws(TrainingError) {
            try requireLeast(1, ["dm.iterations": iterations, "dm.realBatchSize": realBatchSize])
            try requireLeast(0, ["dm.imagesAtOnce": imagesAtOnce])
            try requireLeast(0, ["dm.imageLearningRate": imageLearningRate])
            try requireShares(["dm.momentum": momentum])
        }

        /// A learning rate of the images that is known to work with a network: 1 for ConvNets; 0.1
        /// for residual networks, whose features are means over a map, so that their gradients
        /// point to few directions and images diverge in colour with 1.
        ///
        /// - Parameter network: The network that embeds images.
        /// - Returns: The learning rate.
        public static func usualLearningRate(of network: NetworkName) -> Double {
            network.family == .convNet ? 1 : 0.1
        }
    }

    /// What it is called.
    public let name = "dm"
    /// Number of updates made.
    public private(set) var step = 0
    /// The images and their optimizer.
    package let surrogate: OptimizedImages
    private let objective: any MatchingObjective
    private let parameters: Parameters

    /// Prepares the images of a training set.
    ///
    /// - Parameters:
    ///   - real: The training set on its device.
    ///   - imagesPerClass: Images of each class.
    ///   - parameters: Settings.
    ///   - seed: Of everything that is drawn.
    ///   - precision: `bfloat16` for autocast, or nil.
    /// - Throws: `NetworkError` for a network that does not exist or fit, `TrainingError` for other
    ///   settings that make no sense and classes with too few images.
    public init(
        _ real: RealImages,
        imagesPerClass: Int,
        parameters: Parameters,
        seed: UInt64,
        precision: DType?
    ) throws {
        try parameters.validate()
        let network = try NetworkName(parameters.network)
        self.parameters = parameters
        objective = try EmbeddingMatching(
            real,
            network: network,
            realBatchSize: parameters.realBatchSize,
            augmentation: SiameseAugmentation(parameters.augmentation),
            imagesAtOnce: parameters.boundedImagesAtOnce(
                height: real.set.height,
                width: real.set.width
            ),
            seed: seed,
            precision: precision
        )
        let rate = parameters.imageLearningRate
        surrogate = try OptimizedImages(
            imagesPerClass: imagesPerClass,
            initialization: parameters.initialization,
            real: real,
            learningRate: rate > 0 ? rate : Parameters.usualLearningRate(of: network),
            momentum: parameters.momentum,
            seed: seed
        )
    }

    /// Number of updates of the whole run.
    public var stepCount: Int { parameters.iterations }

    /// The images, normalised.
    public var optimized: StateDictionary { surrogate.optimized }

    /// The real image that each one began as; empty for noise.
    public var origins: [[Int]] { surrogate.origins }

    /// One update of all images.
    public func update() throws -> [String: Double] {
        let (loss, gradient) = try objective.lossAndGradient(
            by: surrogate.tensor,
            imagesPerClass: surrogate.imagesPerClass,
            step: step
        )
        try requireFinite(loss)
        surrogate.update(gradient: gradient)
        step += 1
        return ["loss": loss]
    }

    /// The images in the units of real ones.
    public func images() -> SyntheticImages { surrogate.images() }

    /// Images, momentum and step.
    public func checkpoint() -> StateDictionary {
        var state = surrogate.state()
        state["step"] = Tensor([step], shape: [])
        return state
    }

    /// Restores what `checkpoint()` returned.
    public func restore(_ state: StateDictionary) throws(StateMismatchError) {
        try surrogate.load(state)
        step = try state.step()
    }
}
