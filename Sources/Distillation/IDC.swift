import Models
import NeuralNetworks
import Torch
import Training

/// IDC and IDC-1 (Kim et al., "Dataset Condensation via Efficient Synthetic-Data
/// Parameterization", ICML 2022): images on which a network has the gradients that it has on real
/// ones, stored several to one image.
///
/// ```
/// for each of many new networks θ:
///     train θ on real images for some epochs
///     repeat: for each class c: S_c ← S_c − η·∇ D( ∇_θ CE(A(real_c)), ∇_θ CE(A(decode(S_c))) )
///             train θ on some real images
/// ```
///
/// D compares the gradients of convolutions, A is one random change for real and synthetic images.
/// With factor 1 nothing is decoded: IDC-1 ("IDC-I" in the paper).
public final class IDC: DistillationMethod {
    /// Settings, with the published defaults for ten classes of photographs.
    public struct Parameters: Codable, Sendable, Equatable {
        /// How many training images come from a stored one, a side: 1 for IDC-1; published for
        /// IDC: 3, and 2 for small images.
        public var factor = 3
        /// How stored images are decoded for matching; training images are always those of
        /// `single`.
        ///
        /// Published: `bound` from factor 3 and 20 images per class on, else `single`.
        public var decoding = MultiFormation.Mode.single
        /// The network whose gradients are compared.
        public var network = "resnet-ap-10"
        /// Number of new networks; published: 500, and 2000 for small images.
        public var networks = 500
        /// Matches of every class with one network.
        public var matchesPerNetwork = 100
        /// Epochs that a network is trained on real images before the first match.
        public var earlyEpochs = 10
        /// How gradients are compared.
        public var matching = GradientMatching.idc
        /// Learning rate of the images, at 10 images per class of the base size.
        public var imageLearningRate = 3e-3
        /// Pixels a side for which the learning rate holds; 0 for 224 with images above 32 pixels,
        /// else 32.
        ///
        /// The learning rate grows with the number of pixels and the number of images per class.
        public var baseImageSize = 0
        /// Momentum of the images.
        public var imageMomentum = 0.5
        /// Real images of a class in a match, and of all classes in a batch of the network.
        public var realBatchSize = 64
        /// The most decoded images of a class in a match; of more so many are drawn.
        public var syntheticBatchLimit = 128
        /// Real images that a network is trained on between two matches, rounded up to batches.
        public var networkImages = 500
        /// Learning rate of the networks.
        public var networkLearningRate = 0.01
        /// Momentum of the networks.
        public var networkMomentum = 0.9
        /// Weight decay of the networks.
        public var networkWeightDecay = 5e-4
        /// How often a batch of the network is mixed by CutMix, 0 to 1; published: 1 for
        /// photographs, 0.5 for small images.
        public var cutMixProbability = 1.0
        /// Changes of the images in a match; networks are trained without the cutout if there is
        /// CutMix.
        public var augmentation = "color_crop_cutout"
        /// The most images whose gradients are computed at once, for less memory; 0 for as many as
        /// have 2²⁰ pixels together, 64 of 128×128.
        ///
        /// Where a match has more synthetic images, it takes the time of another gradient of them.
        public var imagesAtOnce = 0
        /// Steps between two checkpoints.
        public var checkpointEvery = 100
        /// Steps between two lines of the log.
        public var logEvery = 10

        /// The published settings for ten classes of photographs.
        public init() {}

        /// The learning rate that is used: η·(n/10)·(S/base)².
        ///
        /// - Parameters:
        ///   - imagesPerClass: n.
        ///   - imageSize: S, pixels a side.
        /// - Returns: The step size.
        public func scaledImageLearningRate(imagesPerClass: Int, imageSize: Int) -> Double {
            let base = baseImageSize > 0 ? baseImageSize : imageSize > 32 ? 224 : 32
            let side = Double(imageSize) / Double(base)
            return imageLearningRate * Double(imagesPerClass) / 10 * side * side
        }

        /// The most images whose gradients are computed at once.
        ///
        /// - Parameters:
        ///   - height: Rows of the images.
        ///   - width: Columns of the images.
        /// - Returns: At least 1.
        public func boundedImagesAtOnce(height: Int, width: Int) -> Int {
            imagesAtOnce > 0
                ? imagesAtOnce : Device.imagesWithGradientsAtOnce(height: height, width: width)
        }

        /// Real images of each class that the stored ones begin with.
        ///
        /// - Parameter imagesPerClass: Stored images of each class.
        /// - Returns: One for each of their tiles.
        public func initialImagesPerClass(_ imagesPerClass: Int) -> Int {
            imagesPerClass * factor * factor
        }

        /// Makes sure that the numbers make sense.
        ///
        /// - Throws: `TrainingError` that names the first that does not.
        public func validate() throws(TrainingError) {
            try requireLeast(
                1,
                [
                    "idc.factor": factor, "idc.networks": networks,
                    "idc.matchesPerNetwork": matchesPerNetwork,
                    "idc.realBatchSize": realBatchSize,
                    "idc.syntheticBatchLimit": syntheticBatchLimit,
                ]
            )
            try requireLeast(
                0,
                [
                    "idc.earlyEpochs": earlyEpochs, "idc.networkImages": networkImages,
                    "idc.imagesAtOnce": imagesAtOnce, "idc.baseImageSize": baseImageSize,
                ]
            )
            try requireLeast(0, ["idc.networkWeightDecay": networkWeightDecay])
            try requireShares(
                ["idc.imageMomentum": imageMomentum, "idc.networkMomentum": networkMomentum]
            )
            guard imageLearningRate > 0, networkLearningRate > 0 else {
                throw TrainingError(
                    .invalidOption,
                    "idc.imageLearningRate and idc.networkLearningRate must be above 0; they are "
                        + "\(imageLearningRate) and \(networkLearningRate)."
                )
            }
            guard (0...1).contains(cutMixProbability) else {
                throw TrainingError(
                    .invalidOption,
                    "idc.cutMixProbability must be from 0 to 1; it is \(cutMixProbability)."
                )
            }
            _ = try SiameseAugmentation(augmentation)
        }
    }

    /// `idc-1` or `idc`.
    public var name: String { parameters.factor == 1 ? "idc-1" : "idc" }
    /// Number of steps made.
    public private(set) var step = 0
    /// The real images that each stored image began as: one, or one a tile.
    public var origins: [[Int]] { stored.origins }
    package let stored: OptimizedImages
    private let parameters: Parameters
    private let real: RealImages
    private let seed: UInt64
    private let options: GradientMatching.Options
    private let formation: MultiFormation
    private let trainer: MatchingNetworks
    private let augmentation: SiameseAugmentation

    /// Begins with real images.
    ///
    /// - Parameters:
    ///   - real: The training set, on the device where everything is computed.
    ///   - imagesPerClass: Images of each class that are stored.
    ///   - parameters: Settings.
    ///   - seed: Of everything that is drawn.
    ///   - precision: `bfloat16` for autocast, or nil.
    /// - Throws: `TrainingError` for impossible settings and if a class has too few images,
    ///   `NetworkError` for a network that does not exist or fit.
    public init(
        _ real: RealImages,
        imagesPerClass: Int,
        parameters: Parameters,
        seed: UInt64,
        precision: DType?
    ) throws {
        try parameters.validate()
        let (set, count) = (real.set, imagesPerClass)
        let tiles = parameters.factor * parameters.factor
        let places = try real.initialPlaces(
            parameters.initialImagesPerClass(count),
            seed: seed
        )
        var images = [Tensor]()
        var origins = [[Int]]()
        for label in 0..<set.classCount {
            let places = places[label * count * tiles..<(label + 1) * count * tiles]
            images.append(
                MultiFormation.mixed(set.batch(Array(places)), factor: parameters.factor)
            )
            origins += (0..<count).map { image in
                (0..<tiles).map { places[places.startIndex + $0 * count + image] }
            }
        }
        stored = OptimizedImages(
            .concatenated(images),
            imagesPerClass: count,
            origins: origins,
            learningRate: parameters.scaledImageLearningRate(
                imagesPerClass: count,
                imageSize: max(set.height, set.width)
            ),
            momentum: parameters.imageMomentum
        )
        self.parameters = parameters
        self.real = real
        self.seed = seed
        options = GradientMatching.Options(
            imagesAtOnce: parameters.boundedImagesAtOnce(height: set.height, width: set.width),
            precision: precision
        )
        formation = MultiFormation(factor: parameters.factor, mode: parameters.decoding)
        augmentation = try SiameseAugmentation(parameters.augmentation)
        trainer = try MatchingNetworks(
            real,
            parameters: parameters,
            augmentation: augmentation,
            seed: seed,
            precision: precision
        )
    }

    /// Number of steps: for every network those that only train it, and those that match.
    public var stepCount: Int { parameters.networks * stepsPerNetwork }

    /// Number of steps that only train a network, before its first match.
    public var earlyStepsPerNetwork: Int { trainer.earlySteps }

    private var stepsPerNetwork: Int { trainer.earlySteps + parameters.matchesPerNetwork }

    /// Trains the network on some real images, after a match of every class if its early epochs
    /// are over.
    ///
    /// - Returns: `networkLoss`, the mean cross entropy, if it was trained; `loss`, the mean
    ///   distance over the classes, if there was a match.
    /// - Throws: `TrainingError` if a loss is no number any more.
    public func update() throws -> [String: Double] {
        let (network, position) = step.quotientAndRemainder(dividingBy: stepsPerNetwork)
        if position == 0 {
            try trainer.begin(network)
            withoutGradient { stored.tensor.clamp(to: 0...1) }
        }
        var values = [String: Double]()
        if position < trainer.earlySteps {
            values["networkLoss"] = trainer.trainEarly(network: network, position, step: step)
        } else {
            let losses = (0..<real.set.classCount).map(match)
            values["loss"] = losses.reduce(0, +) / Double(losses.count)
            values["networkLoss"] = trainer.train(step: step)
        }
        for value in values.values { try requireFinite(value) }
        step += 1
        return values
    }

    /// Compares the gradients of one class, and changes the images by the result.
    private func match(_ label: Int) -> Double {
        let count = stored.imagesPerClass
        var generator = RandomGenerator(
            seed: seed,
            purpose: .siamese,
            label: step,
            image: label
        )
        let change = augmentation.drawByIDC(
            height: real.set.height,
            width: real.set.width,
            using: &generator
        )

        let places = real.places(parameters.realBatchSize, ofClass: label, step: step, seed: seed)
        let gradients = parameters.matching.gradients(
            of: trainer.classifier,
            on: (change(real.normalized(places)), real.labels(label, count: places.count)),
            options: options
        )
        // The momentum of all images goes on in the step of every class, as in the reference.
        var synthetic = formation.decoded(
            stored.tensor[label * count..<(label + 1) * count],
            labels: [Int](repeating: label, count: count),
            bound: parameters.syntheticBatchLimit
        ).images
        let decodedCount = synthetic.size(along: 0)
        if decodedCount > parameters.syntheticBatchLimit {
            let order = generator.permutation(decodedCount)
            synthetic = synthetic.gathered(Array(order.prefix(parameters.syntheticBatchLimit)))
        }
        synthetic = change(real.statistics.normalized(synthetic))
        let (distance, slope) = parameters.matching.match(
            gradients,
            with: (synthetic.detached(), real.labels(label, count: synthetic.size(along: 0))),
            on: trainer.classifier,
            options: options
        )
        let gradient = Tensor.gradients(of: [synthetic], by: [stored.tensor], weights: [slope])
        if let gradient = gradient[0] { stored.update(gradient: gradient) }
        return distance
    }

    /// What is optimised, by name.
    public var optimized: StateDictionary { stored.optimized }

    /// The stored images.
    public func images() -> SyntheticImages { stored.images() }

    /// The decoded images, f² of each stored one; nil with factor 1.
    public func trainingImages() -> SyntheticImages? {
        guard parameters.factor > 1 else { return nil }
        let (stored, count) = (images(), stored.imagesPerClass)
        return withoutGradient {
            let parts = (0..<real.set.classCount).map { label in
                let range = label * count..<(label + 1) * count
                return MultiFormation(factor: parameters.factor).decoded(
                    stored.images[range],
                    labels: Array(stored.labels[range])
                )
            }
            return SyntheticImages(
                images: .concatenated(parts.map(\.images)),
                labels: parts.flatMap(\.labels)
            )
        }
    }

    /// Images, their momentum, the network of the moment with its momentum, and the step.
    public func checkpoint() -> StateDictionary {
        var state = stored.state()
        state.merge(trainer.state().addingPrefix("network."))
        state["step"] = Tensor([step], shape: [])
        return state
    }

    /// Restores what `checkpoint()` returned.
    ///
    /// - Parameter state: A checkpoint of the same settings and training set.
    /// - Throws: `StateMismatchError` if it does not fit.
    public func restore(_ state: StateDictionary) throws(StateMismatchError) {
        let step = try state.step()
        try trainer.restore(state.removingPrefix("network."))
        try stored.load(state)
        self.step = step
    }
}

extension SiameseAugmentation {
    /// A draw by the rule of IDC: of the operations there are, first flip and colours, then one of
    /// crop, scale and rotation, at last the cutout.
    ///
    /// - Parameters:
    ///   - imageCount: nil for one draw that all images share; else a draw for each of so many
    ///     images, which share only the choice of the one operation.
    ///   - height: Rows of the images.
    ///   - width: Columns of the images.
    ///   - generator: Source of the random numbers.
    /// - Returns: The changes in their order.
    package func drawByIDC(
        imageCount: Int? = nil,
        height: Int,
        width: Int,
        using generator: inout RandomGenerator
    ) -> Draw {
        let others = operations.filter { ![.flip, .color, .cutout].contains($0) }
        var chosen = [Operation.flip, .color].filter(operations.contains)
        if !others.isEmpty { chosen.append(others[generator.integers(1, below: others.count)[0]]) }
        if operations.contains(.cutout) { chosen.append(.cutout) }
        return Draw(
            chosen.flatMap {
                changes($0, imageCount ?? 1, height: height, width: width, using: &generator)
            }
        )
    }
}
