import Models
import NeuralNetworks
import Torch
import Training

/// A trained network that labels images for others.
public struct Teacher {
    /// What a result says of the teacher.
    public struct Record: Codable, Sendable, Equatable {
        /// The file it was read from.
        public let path: String
        /// The SHA-256 of the file.
        public let digest: String
        /// The network.
        public let network: NetworkName
        /// Share of the test images whose class it finds, 0 to 1, measured before it labels any.
        public var accuracy: Double?
    }

    /// What is known of the network.
    public let description: TrainedNetwork.Description
    /// Where it comes from.
    public let record: Record
    private let classifier: any ImageClassifier
    private let tests = Tests()

    /// What the teacher was tested on; one test serves all students.
    private final class Tests {
        var accuracies = [String: Double]()
    }

    /// Puts a network and its origin together.
    ///
    /// - Parameters:
    ///   - network: The network.
    ///   - path: The file it was read from.
    ///   - digest: The SHA-256 of the file.
    ///   - device: Where it is computed.
    /// - Throws: `NetworkError` or `StateMismatchError` if the weights are not those of the network
    ///   that is described.
    public init(
        _ network: TrainedNetwork,
        path: String,
        digest: String,
        on device: Device = .cpu
    ) throws {
        classifier = try network.makeClassifier(on: device)
        description = network.description
        record = Record(path: path, digest: digest, network: description.network)
    }

    /// The place of each class among the teacher's scores.
    package func columns(of classNames: [String]) throws(TrainingError) -> [Int] {
        let own = description.classNames
        let unknown = classNames.filter { !own.contains($0) }
        guard unknown.isEmpty else {
            let names = unknown.prefix(8).map { "\"\($0)\"" }.joined(separator: ", ")
            throw TrainingError(
                .differingClasses,
                "The teacher \(record.path) does not know \(unknown.count) of the "
                    + "\(classNames.count) classes: \(names). Classes are matched by their names: "
                    + "train a teacher on images of these classes with `distill evaluate --save`."
            )
        }
        return classNames.compactMap(own.firstIndex(of:))
    }

    /// Makes sure that the teacher can look at square images of a size.
    package func requireFit(channels: Int, imageSize: Int) throws(TrainingError) {
        let own = description
        guard own.channels == channels else {
            throw TrainingError(
                .unfitImages,
                "The teacher \(record.path) is for images with \(own.channels) channels; these "
                    + "have \(channels)."
            )
        }
        guard own.imageSize == imageSize || !own.network.dependsOnImageSize else {
            throw TrainingError(
                .unfitImages,
                "The teacher \(record.path), a \(own.network), is for images of "
                    + "\(own.imageSize)×\(own.imageSize) pixels; these have "
                    + "\(imageSize)×\(imageSize). Train a teacher at this size, or one whose "
                    + "features are a mean over the image, such as resnet-18."
            )
        }
    }

    /// Tests the teacher before it labels anything.
    ///
    /// A wrong order of classes is the usual silent failure: it leaves a teacher that is right as
    /// often as chance, or one that takes all images of a class for another one and the other way
    /// round.
    ///
    /// - Parameters:
    ///   - test: Real images, numbered as those of the students.
    ///   - fingerprint: What tells them from other images.
    ///   - precision: Type in which the network is computed.
    /// - Returns: Share of the images whose class it finds.
    /// - Throws: `TrainingError` if it is hardly better than chance, if classes are exchanged, or
    ///   if it was better on the same images when it was trained.
    func checkedAccuracy(
        on test: ImageSet,
        fingerprint: String,
        precision: Precision
    ) throws -> Double {
        let key = "\(fingerprint) \(test.height) \(precision)"
        if let known = tests.accuracies[key] { return known }
        let columns = try columns(of: test.classNames)
        let found = try SupervisedTraining.predictions(
            of: classifier,
            on: test,
            normalizedBy: description.statistics,
            precision: precision,
            among: columns
        )
        let classCount = test.classCount
        let matrix = ConfusionMatrix(
            predictions: found,
            labels: test.labels,
            classNames: test.classNames
        )
        let accuracy = matrix.accuracy
        func refused(_ reason: String) -> TrainingError {
            TrainingError(
                .unfitNetwork,
                "The teacher \(record.path) \(reason) Check that its classes are in the order of "
                    + "its scores and that it is for such images; soft labels of a wrong teacher "
                    + "make every student wrong."
            )
        }
        let percent = Int((accuracy * 100).rounded())
        // Chance, and a tenth of the way from there to a perfect teacher, at most chance once more.
        let chance = 1 / Double(classCount)
        guard accuracy > chance + min(chance, 0.1 * (1 - chance)) else {
            throw refused(
                "finds the class of \(percent) % of the test images, hardly more than chance."
            )
        }
        if let circle = matrix.exchangedClasses {
            let names = circle.map { "\"\(test.classNames[$0])\"" }
            throw refused("takes most images of \(names.joined(separator: " for ")).")
        }
        if let known = description.accuracy,
            description.testFingerprint == fingerprint, known - accuracy > 0.1
        {
            throw refused(
                "finds the class of \(percent) % of the test images; when it was trained it found "
                    + "\(Int((known * 100).rounded())) % of the same images."
            )
        }
        tests.accuracies[key] = accuracy
        return accuracy
    }

    /// Labels images as the students see them.
    ///
    /// - Parameters:
    ///   - classNames: The classes of the students in the order of their scores.
    ///   - statistics: What the students' images are normalised by.
    ///   - precision: Type in which the network is computed.
    /// - Returns: What gives the scores of the teacher.
    /// - Throws: `TrainingError` if it does not know a class.
    func labelling(
        _ classNames: [String],
        normalizedBy statistics: ChannelStatistics,
        precision: Precision
    ) throws(TrainingError) -> any SoftLabelling {
        Labelling(
            classifier: classifier,
            columns: try columns(of: classNames),
            students: statistics,
            own: description.statistics,
            precision: precision
        )
    }

    private struct Labelling: SoftLabelling {
        let classifier: any ImageClassifier
        let columns: [Int]
        let students: ChannelStatistics
        let own: ChannelStatistics
        let precision: Precision

        func logits(for images: Tensor, step: Int) -> Tensor {
            withoutGradient {
                // To the values from 0 to 1 and on to what the teacher was trained with.
                var x = images
                if students != own { x = own.normalized(students.denormalized(images)) }
                x = classifier.inPreferredOrder(x)
                let scores = classifier.evaluating {
                    withAutocast(precision.autocastType, on: x.device) { classifier(x) }
                }
                return scores.converted(to: .float32).gathered(columns, along: 1)
            }
        }
    }
}
