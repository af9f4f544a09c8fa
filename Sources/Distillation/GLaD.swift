import Models
import NeuralNetworks
import Torch
import Training

/// GLaD (Cazenave et al., "Generalizing Dataset Distillation via Deep Generative Prior", CVPR
/// 2023): the images of another method, optimised inside of a generator instead of as pixels.
///
/// ```
/// x = G_{≥n}( F_n(z) + Δ, z );   z ← z − η_z·∂L/∂z,  Δ ← Δ − η_Δ·∂L/∂Δ
/// ```
///
/// L is the objective of distribution matching or of Dataset Condensation, G a generator that can
/// be split before its layer n: here the decoder of an autoencoder. (The published one is
/// StyleGAN-XL.) Latents begin as those of real images.
public final class GLaD: DistillationMethod {
    /// What real and synthetic images are compared by.
    public enum Objective: String, Codable, Sendable, CaseIterable {
        /// Mean embeddings in random networks: `EmbeddingMatching`.
        case dm
        /// Gradients of networks that are trained on the synthetic images:
        /// `CondensationObjective`.
        case dc
    }

    /// Settings.
    ///
    /// Learning rates, layer and network are for the decoders of autoencoders and small images, the
    /// others as published.
    public struct Parameters: Codable, Sendable, Equatable {
        /// Number of updates.
        public var iterations = 1000
        /// Folder or files of the autoencoder whose decoder is the prior, as in
        /// `model.autoencoder`; empty: that one.
        public var prior = ""
        /// What real and synthetic images are compared by.
        public var objective = Objective.dm
        /// n, the layer of the prior before which the map is changed; 0: only latents.
        public var layer = 0
        /// η_z, of the latents.
        public var latentLearningRate = 0.01
        /// η_Δ, of the changes of the map.
        public var mapLearningRate = 0.01
        /// Share of the last update that is kept in the next one.
        public var momentum = 0.5
        /// The network; published: `convnet-5` for images of 128 pixels.
        public var network = "convnet-3"
        /// Matches with one network before the next, of the objective `dc`; published: 1.
        public var matchesPerNetwork = 1
        /// Epochs in which the network is trained on the synthetic images between two matches, of the
        /// objective `dc`.
        ///
        /// Those of Dataset Condensation itself: 10 matches and 50 epochs for 10 images per class, 50
        /// and 10 for 50.
        public var networkEpochs = 1
        /// Real images of each class in a step; fewer where a class has no more.
        public var realBatchSize = 256
        /// Operations of the Siamese augmentation, or `none`.
        public var augmentation = SiameseAugmentation.published.strategy
        /// Images that go through the prior with their history at the same time; 0: all.
        public var imagesAtOnce = 10
        /// Updates between two checkpoints.
        public var checkpointEvery = 100
        /// Updates between two lines of the log.
        public var logEvery = 10

        /// The defaults.
        public init() {}

        /// Makes sure that the numbers make sense.
        ///
        /// - Parameter prior: The generator.
        /// - Throws: `TrainingError` that names what does not.
        public func validate(for prior: any GenerativePrior) throws(TrainingError) {
            try validate()
            guard (0..<prior.layerCount).contains(layer) else {
                throw TrainingError(
                    .invalidOption,
                    "The prior has \(prior.layerCount) layers, so the map before layer \(layer) "
                        + "cannot be changed: expected a layer from 0 (only latents) to "
                        + "\(prior.layerCount - 1)."
                )
            }
        }

        /// Makes sure, as far as that can be told without a prior, that the numbers make sense.
        ///
        /// - Throws: `TrainingError` that names the first that does not.
        public func validate() throws(TrainingError) {
            try requireLeast(
                1,
                [
                    "glad.iterations": iterations, "glad.realBatchSize": realBatchSize,
                    "glad.matchesPerNetwork": matchesPerNetwork,
                ]
            )
            try requireLeast(
                0,
                ["glad.imagesAtOnce": imagesAtOnce, "glad.networkEpochs": networkEpochs]
            )
            try requireLeast(
                0,
                [
                    "glad.latentLearningRate": latentLearningRate,
                    "glad.mapLearningRate": mapLearningRate,
                ]
            )
            try requireShares(["glad.momentum": momentum])
        }
    }

    /// What it is called.
    public let name = "glad"
    /// Number of updates made.
    public private(set) var step = 0
    /// The real image whose latent each image began as.
    public let origins: [[Int]]
    package let surrogate: PriorImages
    private let objective: any MatchingObjective
    private let parameters: Parameters
    private let real: RealImages
    private let imagesPerClass: Int
    private let optimizers: [SGD]

    /// Begins with the latents of real images.
    ///
    /// - Parameters:
    ///   - real: The training set on its device.
    ///   - prior: The generator, frozen, in evaluation mode, on the same device.
    ///   - imagesPerClass: Images of each class.
    ///   - parameters: Settings.
    ///   - seed: Of everything that is drawn.
    ///   - precision: `bfloat16` for autocast, or nil; the prior is computed in float32.
    /// - Throws: `NetworkError` for a network or a prior that does not fit the images,
    ///   `TrainingError` for other settings that make no sense and classes with too few images.
    public init(
        _ real: RealImages,
        prior: any GenerativePrior,
        imagesPerClass: Int,
        parameters: Parameters,
        seed: UInt64,
        precision: DType?
    ) throws {
        let set = real.set
        try prior.requireImages(height: set.height, width: set.width, channels: set.channels)
        try parameters.validate(for: prior)
        self.parameters = parameters
        self.real = real
        self.imagesPerClass = imagesPerClass
        objective = try GLaD.objective(real, imagesPerClass, parameters, seed, precision)
        let places = try real.initialPlaces(imagesPerClass, seed: seed)
        origins = places.map { [$0] }
        surrogate = PriorImages(
            of: set.batch(places),
            prior: prior,
            layer: parameters.layer,
            imagesAtOnce: parameters.imagesAtOnce > 0 ? parameters.imagesAtOnce : places.count
        )
        optimizers = [
            ("latents", surrogate.latents, parameters.latentLearningRate),
            ("changes", surrogate.changes, parameters.mapLearningRate),
        ].compactMap { name, tensor, rate in
            tensor.map {
                SGD(
                    [(name: name, tensor: $0)],
                    learningRate: rate,
                    momentum: parameters.momentum
                )
            }
        }
    }

    private static func objective(
        _ real: RealImages,
        _ imagesPerClass: Int,
        _ parameters: Parameters,
        _ seed: UInt64,
        _ precision: DType?
    ) throws -> any MatchingObjective {
        let network = try NetworkName(parameters.network)
        let augmentation = try SiameseAugmentation(parameters.augmentation)
        // `imagesAtOnce` is for the prior, which needs far more memory than the networks do.
        let imagesAtOnce = Device.imagesWithGradientsAtOnce(
            height: real.set.height,
            width: real.set.width
        )
        switch parameters.objective {
        case .dm:
            return try EmbeddingMatching(
                real,
                network: network,
                realBatchSize: parameters.realBatchSize,
                augmentation: augmentation,
                imagesAtOnce: imagesAtOnce,
                seed: seed,
                precision: precision
            )
        case .dc:
            return try CondensationObjective(
                real,
                network: network,
                loops: .init(
                    matches: parameters.matchesPerNetwork,
                    epochs: parameters.networkEpochs
                ),
                realBatchSize: parameters.realBatchSize,
                augmentation: augmentation,
                imagesAtOnce: imagesAtOnce,
                seed: seed,
                precision: precision
            )
        }
    }

    /// Number of updates of the whole run.
    public var stepCount: Int { parameters.iterations }

    /// Latents and changes.
    public var optimized: StateDictionary { surrogate.values }

    /// One update of all latents and changes.
    public func update() throws -> [String: Double] {
        let images = surrogate.images()
        images.requiresGradient = true
        let normalized = real.statistics.normalized(images)
        let (loss, slope) = try objective.lossAndGradient(
            by: normalized,
            imagesPerClass: imagesPerClass,
            step: step
        )
        try requireFinite(loss)
        normalized.backward(weights: slope)
        if let gradient = images.gradient { surrogate.propagate(gradient) }
        for optimizer in optimizers {
            optimizer.step()
            optimizer.zeroGradients()
        }
        step += 1
        return ["loss": loss]
    }

    /// The images that the prior makes.
    public func images() -> SyntheticImages {
        SyntheticImages(
            images: surrogate.images(),
            labels: (0..<surrogate.count).map { $0 / imagesPerClass }
        )
    }

    /// Latents, changes, their momentum, what the objective keeps, and the step.
    public func checkpoint() -> StateDictionary {
        var state = optimized
        for optimizer in optimizers { state.merge(optimizer.state().addingPrefix("optimizer.")) }
        state.merge(objective.state().addingPrefix("objective."))
        state["step"] = Tensor([step], shape: [])
        return state
    }

    /// Restores what `checkpoint()` returned.
    public func restore(_ state: StateDictionary) throws(StateMismatchError) {
        try OptimizedImages.copy(state, into: optimized, of: "the latents of \(name)")
        for optimizer in optimizers { try optimizer.load(state.removingPrefix("optimizer.")) }
        try objective.restore(state.removingPrefix("objective."))
        step = try state.step()
    }
}
