import Models
import NeuralNetworks
import Torch
import Training

/// The objective of Dataset Condensation, DC (Zhao et al., "Dataset Condensation with Gradient
/// Matching", ICLR 2021), with Siamese augmentation: synthetic images on which a network has the
/// gradients that it has on real ones, class by class.
///
/// ```
/// L = Σ_c D( ∇_θ CE(A(real_c); θ), ∇_θ CE(A(synthetic_c); θ) )
/// ```
///
/// A network serves for some matches. Between two of them it is trained on the synthetic images.
public final class CondensationObjective: MatchingObjective {
    /// How long a network serves.
    public struct Loops: Codable, Sendable, Equatable {
        /// Matches with one network.
        public var matches: Int
        /// Epochs on the synthetic images between two matches.
        public var epochs: Int

        /// Describes the service.
        public init(matches: Int, epochs: Int) {
            self.matches = matches
            self.epochs = epochs
        }
    }

    private let real: RealImages
    private let network: NetworkName
    private let matching: GradientMatching
    private let loops: Loops
    private let realBatchSize: Int
    private let augmentation: SiameseAugmentation
    private let options: GradientMatching.Options
    private let networkLearningRate: Double
    private let seed: UInt64
    private var classifier: any ImageClassifier

    /// Describes the objective.
    ///
    /// - Parameters:
    ///   - real: The training set on its device.
    ///   - network: The network whose gradients are compared.
    ///   - matching: How they are compared.
    ///   - loops: How long a network serves.
    ///   - realBatchSize: Real images of each class in a step; fewer where a class has no more.
    ///   - augmentation: What changes real and synthetic images alike.
    ///   - networkLearningRate: Of the training on synthetic images.
    ///   - imagesAtOnce: The most images whose gradients are computed at once; 0 for no limit.
    ///   - seed: Of everything that is drawn.
    ///   - precision: `bfloat16` for autocast, or nil.
    /// - Throws: `NetworkError` for a network that does not fit the images, `TrainingError` for
    ///   numbers that make no sense.
    public init(
        _ real: RealImages,
        network: NetworkName,
        matching: GradientMatching = .dc,
        loops: Loops,
        realBatchSize: Int,
        augmentation: SiameseAugmentation,
        networkLearningRate: Double = 0.01,
        imagesAtOnce: Int,
        seed: UInt64,
        precision: DType?
    ) throws {
        guard realBatchSize > 0, imagesAtOnce >= 0, loops.matches > 0, loops.epochs >= 0 else {
            throw TrainingError(
                .invalidOption,
                "realBatchSize is \(realBatchSize), imagesAtOnce \(imagesAtOnce), and a network "
                    + "serves for \(loops.matches) matches with \(loops.epochs) epochs between "
                    + "them: expected at least 1, 0, 1 and 0."
            )
        }
        self.real = real
        self.network = network
        self.matching = matching
        self.loops = loops
        self.realBatchSize = realBatchSize
        self.augmentation = augmentation
        self.networkLearningRate = networkLearningRate
        self.seed = seed
        options = GradientMatching.Options(imagesAtOnce: imagesAtOnce, precision: precision)
        classifier = try real.makeMatchingNetwork(network, number: 0, seed: seed)
    }

    /// The loss of a step and its gradient by the images.
    public func lossAndGradient(
        by images: Tensor,
        imagesPerClass: Int,
        step: Int
    ) throws -> (loss: Double, gradient: Tensor) {
        let (number, position) = step.quotientAndRemainder(dividingBy: loops.matches)
        if position == 0 {
            classifier = try real.makeMatchingNetwork(network, number: number, seed: seed)
        } else {
            train(on: images.detached(), imagesPerClass: imagesPerClass, step: step)
        }
        var loss = 0.0
        let gradients = (0..<real.set.classCount).map { label -> Tensor in
            let range = label * imagesPerClass..<(label + 1) * imagesPerClass
            let result = match(images.detached()[range], label: label, step: step)
            loss += result.loss
            return result.gradient
        }
        return (loss, .concatenated(gradients))
    }

    /// One class.
    private func match(
        _ images: Tensor,
        label: Int,
        step: Int
    ) -> (loss: Double, gradient: Tensor) {
        var generator = RandomGenerator(seed: seed, purpose: .siamese, label: step, image: label)
        let change = augmentation.draw(
            height: real.set.height,
            width: real.set.width,
            using: &generator
        )
        let places = real.places(realBatchSize, ofClass: label, step: step, seed: seed)
        let gradients = matching.gradients(
            of: classifier,
            on: (change(real.normalized(places)), real.labels(label, count: places.count)),
            options: options
        )
        images.requiresGradient = true
        let changed = change(images)
        let (distance, slope) = matching.match(
            gradients,
            with: (changed.detached(), real.labels(label, count: images.size(along: 0))),
            on: classifier,
            options: options
        )
        let gradient = Tensor.gradients(of: [changed], by: [images], weights: [slope])[0]
        return (distance, gradient ?? .zeros(like: images))
    }

    /// Trains the network on the synthetic images, each changed by a draw of its own.
    private func train(on images: Tensor, imagesPerClass: Int, step: Int) {
        var generator = RandomGenerator(
            seed: seed,
            purpose: .networkTraining,
            index: UInt64(step)
        )
        let optimizer = SGD(
            classifier.trainableParameters(),
            learningRate: networkLearningRate
        )
        let (count, batchSize) = (images.size(along: 0), 256)
        for _ in 0..<loops.epochs {
            let order = generator.permutation(count)
            for start in stride(from: 0, to: count, by: batchSize) {
                let batch = Array(order[start..<min(start + batchSize, count)])
                let labels = Tensor(batch.map { $0 / imagesPerClass }).moved(to: images.device)
                let x = augmentation(images.gathered(batch), using: &generator)
                let logits = withAutocast(options.precision, on: x.device) {
                    classifier(classifier.inPreferredOrder(x))
                }
                optimizer.zeroGradients()
                logits.converted(to: .float32).crossEntropy(to: labels).backward()
                optimizer.step()
            }
        }
        optimizer.zeroGradients()
    }

    /// The weights of the network of the moment.
    public func state() -> StateDictionary { classifier.state() }

    /// Restores what `state()` returned.
    public func restore(_ state: StateDictionary) throws(StateMismatchError) {
        try classifier.load(state)
    }
}

extension RealImages {
    /// A network with new weights for these images, on their device.
    ///
    /// - Parameters:
    ///   - network: Its kind.
    ///   - number: Which of the networks of a run.
    ///   - seed: Of the run.
    /// - Returns: The network.
    /// - Throws: `NetworkError` if it does not fit the images.
    package func makeMatchingNetwork(
        _ network: NetworkName,
        number: Int,
        seed: UInt64
    ) throws(NetworkError) -> any ImageClassifier {
        var generator = RandomGenerator(
            seed: seed,
            purpose: .matchingNetwork,
            index: UInt64(number)
        )
        let classifier = try network.makeClassifier(
            imageSize: max(set.height, set.width),
            channels: set.channels,
            classCount: set.classCount,
            using: &generator
        )
        classifier.move(to: set.device)
        return classifier
    }

    /// One label, so often, on the device of the images.
    package func labels(_ label: Int, count: Int) -> Tensor {
        Tensor([Int](repeating: label, count: count)).moved(to: set.device)
    }
}
