import Training

/// How the accuracy on a surrogate dataset is measured.
///
/// It holds everything that must be the same for two numbers to be comparable, and never changes
/// once it has a name.
public struct EvaluationProtocol: Sendable, Equatable {
    /// Its name in results.
    public let id: String
    /// Pixels a side of the images.
    public let imageSize: Int
    /// Channels of the images.
    public let channels: Int
    /// How training images are changed.
    public let augmentation: Augmentation
    /// Images a step.
    public let batchSize: Int

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
        augmentation: .publishedGrey,
        batchSize: 64
    )

    /// Every protocol.
    public static let all: [EvaluationProtocol] = [guHard28]

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
                "\"\(id)\" is no evaluation protocol: expected \(names)."
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
