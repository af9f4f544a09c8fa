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
    public static func accuracy(
        of classifier: any ImageClassifier,
        on set: ImageSet,
        normalizedBy statistics: ChannelStatistics,
        precision: Precision = .float32,
        batchSize: Int? = nil
    ) -> Double {
        let found = predictions(
            of: classifier,
            on: set,
            normalizedBy: statistics,
            precision: precision,
            batchSize: batchSize
        )
        let correct = zip(found, set.labels).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
        return Double(correct) / Double(set.count)
    }

    /// The class that the network finds for every image.
    ///
    /// - Parameters:
    ///   - classifier: The network.
    ///   - set: The images.
    ///   - statistics: What the images are normalised by.
    ///   - precision: Type in which the network is computed.
    ///   - batchSize: Images at a time; nil: what suits the device and the size of the images.
    /// - Returns: A label for every image.
    public static func predictions(
        of classifier: any ImageClassifier,
        on set: ImageSet,
        normalizedBy statistics: ChannelStatistics,
        precision: Precision = .float32,
        batchSize: Int? = nil
    ) -> [Int] {
        let batchSize = batchSize ?? usualBatchSize(set)
        return classifier.evaluating {
            stride(from: 0, to: set.count, by: batchSize).flatMap { start -> [Int] in
                let images = set.batch(start..<min(start + batchSize, set.count))
                let logits = withoutGradient {
                    withAutocast(precision.autocastType, on: images.device) {
                        classifier(classifier.inPreferredOrder(statistics.normalized(images)))
                    }
                }
                return logits.argmax(along: 1).values()
            }
        }
    }

    /// On a CPU small enough that the allocator keeps the memory of the maps between batches:
    /// larger ones come from the system each time, which doubles the time.
    private static func usualBatchSize(_ set: ImageSet) -> Int {
        guard set.images.device.kind == .cpu else { return 256 }
        return max(8, 65_536 / (set.height * set.width))
    }
}
