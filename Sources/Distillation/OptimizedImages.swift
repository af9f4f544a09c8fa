import NeuralNetworks
import Torch
import Training

/// What the images of a surrogate begin as.
public enum ImageInitialization: String, Codable, Sendable, CaseIterable {
    /// Real images of the class, those of the baseline `random` with the same seed.
    case real
    /// Standard normal noise around the mean colour.
    case noise
}

/// The images of a surrogate as parameters: SGD with momentum changes them by their gradients.
public final class OptimizedImages {
    /// The images, [K·n, C, H, W], class by class; normalised if there are statistics.
    public let tensor: Tensor
    /// The class of every image.
    public let labels: [Int]
    /// n, images of each class.
    public let imagesPerClass: Int
    /// The real image that each one began as, a position in the training set; empty for noise.
    public let origins: [[Int]]
    private let statistics: ChannelStatistics?
    private let optimizer: SGD

    /// Makes the images that a surrogate begins as; they live normalised as the training set is.
    ///
    /// - Parameters:
    ///   - imagesPerClass: Images of each class.
    ///   - initialization: What they begin as.
    ///   - real: The training set.
    ///   - learningRate: Of the updates.
    ///   - momentum: Of the updates.
    ///   - seed: Of the choice of images or of the noise.
    /// - Throws: `TrainingError` if a class has too few images.
    public init(
        imagesPerClass: Int,
        initialization: ImageInitialization,
        real: RealImages,
        learningRate: Double,
        momentum: Double,
        seed: UInt64
    ) throws(TrainingError) {
        let set = real.set
        let statistics = real.statistics
        switch initialization {
        case .real:
            let places = try real.initialPlaces(imagesPerClass, seed: seed)
            let images = set.batch(places)
            tensor = statistics.normalized(images)
            origins = places.map { [$0] }
        case .noise:
            guard imagesPerClass > 0 else {
                throw TrainingError(.invalidOption, "There must be at least 1 image of each class.")
            }
            let shape = [set.channels, set.height, set.width]
            let noise = (0..<set.classCount * imagesPerClass).map { image in
                var generator = RandomGenerator(
                    seed: seed,
                    purpose: .noise,
                    label: image / imagesPerClass,
                    image: image % imagesPerClass
                )
                return generator.normal(shape)
            }
            tensor = Tensor.stacked(noise).moved(to: set.device)
            origins = []
        }
        labels = (0..<set.classCount * imagesPerClass).map { $0 / imagesPerClass }
        self.imagesPerClass = imagesPerClass
        self.statistics = statistics
        tensor.requiresGradient = true
        optimizer = SGD(
            [(name: "images", tensor: tensor)],
            learningRate: learningRate,
            momentum: momentum
        )
    }

    /// Takes the images that a surrogate begins as; they live from 0 to 1.
    ///
    /// - Parameters:
    ///   - images: [K·n, C, H, W], class by class.
    ///   - imagesPerClass: n.
    ///   - origins: The real images that each one was made of.
    ///   - learningRate: Of the updates.
    ///   - momentum: Of the updates.
    package init(
        _ images: Tensor,
        imagesPerClass: Int,
        origins: [[Int]],
        learningRate: Double,
        momentum: Double
    ) {
        tensor = images.detached()
        self.origins = origins
        labels = (0..<images.size(along: 0)).map { $0 / imagesPerClass }
        self.imagesPerClass = imagesPerClass
        statistics = nil
        tensor.requiresGradient = true
        optimizer = SGD(
            [(name: "images", tensor: tensor)],
            learningRate: learningRate,
            momentum: momentum
        )
    }

    /// One update of all images.
    ///
    /// - Parameter gradient: In the shape of `tensor`; those of images that are not to be pulled
    ///   are zero, and their momentum moves them on.
    public func update(gradient: Tensor) {
        tensor.gradient = gradient
        optimizer.step()
        optimizer.zeroGradients()
    }

    /// The images in the units of real ones.
    public func images() -> SyntheticImages {
        let values = tensor.detached()
        return SyntheticImages(
            images: statistics?.denormalized(values) ?? values.copied(),
            labels: labels
        )
    }

    /// What is optimised, by name.
    public var optimized: StateDictionary { StateDictionary([("images", tensor)]) }

    /// Images and momentum, by name; the tensors are those in use.
    public func state() -> StateDictionary {
        var state = optimized
        state.merge(optimizer.state().addingPrefix("optimizer."))
        return state
    }

    /// Restores what `state()` returned.
    ///
    /// - Parameter state: The state of images of the same number and size.
    /// - Throws: `StateMismatchError` if it does not fit.
    public func load(_ state: StateDictionary) throws(StateMismatchError) {
        try OptimizedImages.copy(state, into: optimized, of: "the optimised images")
        try optimizer.load(state.removingPrefix("optimizer."))
    }

    /// Copies tensors of a checkpoint into those in use, all or none.
    package static func copy(
        _ state: StateDictionary,
        into own: StateDictionary,
        of subject: String
    ) throws(StateMismatchError) {
        let missing = own.names.filter { state[$0] == nil }
        let misshaped = own.tensors.compactMap { name, tensor -> String? in
            guard let found = state[name], found.shape != tensor.shape else { return nil }
            return "\(name) expected \(tensor.shape), found \(found.shape)"
        }
        guard missing.isEmpty, misshaped.isEmpty else {
            throw StateMismatchError(subject: subject, missing: missing, misshaped: misshaped)
        }
        withoutGradient {
            for (name, tensor) in own { if let found = state[name] { tensor.copy(from: found) } }
        }
    }
}
