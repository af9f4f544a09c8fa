import Training

/// How the accuracy on a surrogate dataset is measured.
///
/// It holds everything that must be the same for two numbers to be comparable, and never changes
/// once it has a name.
public struct EvaluationProtocol: Sendable, Equatable {
    /// How the weights are updated: SGD with momentum 0.9, the learning rate ×0.2 at ⅔ and ⅚ of the
    /// epochs.
    public struct Optimization: Sendable, Equatable {
        /// Step size of the first epochs.
        public let learningRate: Double
        /// Share of a weight taken away in a step of size 1.
        public let weightDecay: Double
        /// Images a step.
        public let batchSize: Int

        /// The published one.
        static let usual = Optimization(learningRate: 0.01, weightDecay: 5e-4, batchSize: 64)

        /// The published one for more than 100 classes.
        static let manyClasses = Optimization(learningRate: 0.1, weightDecay: 1e-4, batchSize: 128)
    }

    /// Its name in results.
    public let id: String
    /// Pixels a side of the images.
    public let imageSize: Int
    /// Channels of the images.
    public let channels: Int
    /// Whether `load` brings images of any size to `imageSize` and `channels`; others are refused.
    public let resizesImages: Bool
    /// What images are normalised by; nil: mean and deviation of the training set.
    public let statistics: ChannelStatistics?
    /// How training images are changed.
    public let augmentation: Augmentation
    /// How weights are updated for up to 100 classes.
    private let optimization: Optimization
    /// How weights are updated for more than 100 classes.
    private let manyClassOptimization: Optimization

    /// The hard-label protocol of Minimax Diffusion (Gu et al., CVPR 2024, `train.py`) for grey
    /// images of 28×28 pixels.
    ///
    /// Normalisation by the training set, RandomResizedCrop (0.5 to 1), mirror images, brightness
    /// and contrast 0.4, CutMix in every step; SGD with momentum 0.9, weight decay 5e-4 and
    /// learning rate 0.01, ×0.2 at ⅔ and ⅚ of the epochs; batches of 64. Without saturation and
    /// lighting, which need colours, and with mirror images although some things have a left and a
    /// right.
    public static let guHard28 = EvaluationProtocol(
        id: "gu-hard-28",
        imageSize: 28,
        channels: 1,
        resizesImages: false,
        statistics: nil,
        augmentation: .publishedGrey,
        optimization: .usual,
        manyClassOptimization: .usual
    )

    /// The published protocol on photographs: all numbers of the paper are measured at 224 pixels,
    /// also those of images generated at 256.
    public static let guHard224 = guHard(imageSize: 224)

    /// The published protocol with images of 256×256 pixels.
    public static let guHard256 = guHard(imageSize: 256)

    /// The rules of the published protocol at 64×64 pixels; the size is this package's own, for
    /// small machines.
    public static let guHard64 = guHard(imageSize: 64)

    /// The rules of the published protocol at 128×128 pixels; the size is this package's own, for
    /// small machines.
    public static let guHard128 = guHard(imageSize: 128)

    /// The hard-label protocol of Minimax Diffusion (Gu et al., CVPR 2024, `train.py`) for
    /// photographs, `gu-hard-SIZE`.
    ///
    /// Training and test images: the shorter side to the size (bilinear, antialiased), the middle
    /// square, normalisation by ImageNet's mean and deviation. Training images: RandomResizedCrop
    /// (area 0.5 to 1, ratio ¾ to 4/3), mirror images, brightness, contrast and saturation 0.4 in
    /// random order, lighting 0.1, CutMix in every step. SGD with momentum 0.9, weight decay 5e-4
    /// and learning rate 0.01, ×0.2 at ⅔ and ⅚ of the epochs; batches of 64. For more than 100
    /// classes weight decay 1e-4, learning rate 0.1 and batches of 128.
    ///
    /// - Parameter imageSize: Pixels a side; published: 224.
    /// - Returns: The protocol.
    package static func guHard(imageSize: Int) -> EvaluationProtocol {
        EvaluationProtocol(
            id: "gu-hard-\(imageSize)",
            imageSize: imageSize,
            channels: 3,
            resizesImages: true,
            statistics: .imageNet,
            augmentation: .published,
            optimization: .usual,
            manyClassOptimization: .manyClasses
        )
    }

    /// Every protocol.
    public static let all: [EvaluationProtocol] = [
        guHard28, guHard64, guHard128, guHard224, guHard256,
    ]

    /// The protocol with a name.
    ///
    /// - Parameter id: Its name, without variations.
    /// - Returns: The protocol.
    /// - Throws: `TrainingError` that lists the names there are.
    public static func named(_ id: String) throws(TrainingError) -> EvaluationProtocol {
        guard let match = all.first(where: { $0.id == id }) else {
            let names = all.map(\.id).joined(separator: ", ")
            throw TrainingError(
                .invalidOption,
                "\"\(id)\" is no evaluation protocol: expected one of \(names)."
            )
        }
        return match
    }

    /// The published number of epochs: fewer images are seen more often.
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
    /// - Parameter classCount: Number of classes; above 100 photographs have rules of their own.
    /// - Returns: Learning rate, weight decay and batch size.
    public func optimization(classCount: Int) -> Optimization {
        classCount > 100 ? manyClassOptimization : optimization
    }

    /// Makes sure that a set has images of the right size.
    func validate(_ set: ImageSet, subject: String) throws(TrainingError) {
        guard set.height == imageSize, set.width == imageSize, set.channels == channels else {
            throw TrainingError(
                .unfitImages,
                "The protocol \(id) is for images of \(imageSize)×\(imageSize) pixels with "
                    + "\(channels) channel\(channels == 1 ? "" : "s"); those of \(subject) have "
                    + "\(set.width)×\(set.height) with \(set.channels). Resize the images, or "
                    + "choose another protocol."
            )
        }
    }
}
