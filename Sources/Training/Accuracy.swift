import Models
import NeuralNetworks
import Torch

extension SupervisedTraining {
    /// Share of the images whose class the network finds.
    ///
    /// - Parameters:
    ///   - classifier: The network.
    ///   - set: The images; labels numbered as those the network was trained with.
    ///   - statistics: What the images are normalised by.
    ///   - precision: Type in which the network is computed.
    ///   - batchSize: Images at a time; nil: what suits the device and the size of the images.
    /// - Returns: 0 to 1.
    /// - Throws: The error of an image that cannot be read, if the set stays in its files.
    public static func accuracy(
        of classifier: any ImageClassifier,
        on set: ImageSet,
        normalizedBy statistics: ChannelStatistics,
        precision: Precision = .float32,
        batchSize: Int? = nil
    ) throws -> Double {
        let found = try predictions(
            of: classifier,
            on: set,
            normalizedBy: statistics,
            precision: precision,
            batchSize: batchSize
        )
        return share(of: found, equalTo: set.labels)
    }

    /// Share of the predictions that are right, 0 to 1.
    static func share(of found: [Int], equalTo labels: [Int]) -> Double {
        let correct = zip(found, labels).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
        return Double(correct) / Double(labels.count)
    }

    /// The class that the network finds for every image.
    ///
    /// - Parameters:
    ///   - classifier: The network.
    ///   - set: The images.
    ///   - statistics: What the images are normalised by.
    ///   - precision: Type in which the network is computed.
    ///   - batchSize: Images at a time; nil: what suits the device and the size of the images.
    ///   - columns: Which scores count, and in which order; nil: all as they are.
    /// - Returns: A label for every image.
    /// - Throws: The error of an image that cannot be read, if the set stays in its files.
    public static func predictions(
        of classifier: any ImageClassifier,
        on set: ImageSet,
        normalizedBy statistics: ChannelStatistics,
        precision: Precision = .float32,
        batchSize: Int? = nil,
        among columns: [Int]? = nil
    ) throws -> [Int] {
        let batchSize =
            batchSize ?? set.device.imagesAtOnce(height: set.height, width: set.width)
        return try classifier.evaluating {
            try stride(from: 0, to: set.count, by: batchSize).flatMap { start -> [Int] in
                let images = try set.reading(Array(start..<min(start + batchSize, set.count)))
                let next = min(start + batchSize, set.count)
                if next < set.count {
                    set.prepare(Array(next..<min(next + batchSize, set.count)))
                }
                let logits = withoutGradient {
                    withAutocast(precision.autocastType, on: images.device) {
                        classifier(classifier.inPreferredOrder(statistics.normalized(images)))
                    }
                }
                let counted = columns.map { logits.gathered($0, along: 1) } ?? logits
                return counted.argmax(along: 1).values()
            }
        }
    }
}
