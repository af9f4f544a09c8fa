import Models
import Training

extension EvaluationProtocol {
    /// What was changed of a protocol; part of its name, so that no number is compared with one
    /// that was measured otherwise.
    public struct Variation: Sendable, Equatable, CustomStringConvertible {
        /// Pixels a side of the images.
        public var size: Int?
        /// Epochs of training.
        public var epochs: Int?
        /// Images a step.
        public var batch: Int?
        /// Temperature of soft labels.
        public var temperature: Double?
        /// Strips along each axis whose patches are shuffled; 1 leaves images whole.
        public var patches: Int?
        /// Whether training images stay as they are: no crop, no mirror images, no mixing.
        public var isPlain = false

        /// Nothing is changed.
        public init() {}

        /// The variations in fixed order: `+size=64+epochs=30`, empty without any.
        public var description: String {
            let pairs: [(String, String?)] = [
                ("size", size.map(String.init)), ("epochs", epochs.map(String.init)),
                ("batch", batch.map(String.init)),
                ("temperature", temperature.map(EvaluationProtocol.text)),
                ("patches", patches.map(String.init)),
                ("augmentation", isPlain ? "none" : nil),
            ]
            return pairs.compactMap { name, value in value.map { "+\(name)=\($0)" } }.joined()
        }

        /// Reads variations.
        init(_ texts: [String], of base: EvaluationProtocol) throws(TrainingError) {
            var seen = Set<String>()
            for text in texts {
                let pair = text.split(separator: "=", maxSplits: 1).map(String.init)
                guard pair.count == 2, seen.insert(pair[0]).inserted else {
                    throw base.refused(text, "expected a name, = and a value, each name once")
                }
                if pair[0] == "augmentation" {
                    guard pair[1] == "none" else { throw base.refused(text, "expected none") }
                    isPlain = true
                    continue
                }
                guard let value = Double(pair[1]), value > 0, value <= 1e9 else {
                    throw base.refused(text, "expected a number above 0, at most a billion")
                }
                if pair[0] == "temperature" {
                    guard base.needsTeacher else { throw base.refused(text, "its labels are hard") }
                    temperature = value == base.usualTemperature ? nil : value
                    continue
                }
                guard let count = Int(pair[1]) else {
                    throw base.refused(text, "expected a whole number")
                }
                switch pair[0] {
                case "size" where base.resizesImages:
                    size = count == base.usualImageSize ? nil : count
                case "size": throw base.refused(text, "it takes images as they are")
                case "epochs": epochs = count
                case "batch": batch = count
                case "patches" where base.usualAugmentation.patchGrid > 1:
                    patches = count == base.usualAugmentation.patchGrid ? nil : count
                case "patches": throw base.refused(text, "it shuffles no patches")
                default:
                    throw base.refused(
                        text,
                        "expected size, epochs, batch, temperature, patches or augmentation"
                    )
                }
            }
            if isPlain, let patches {
                throw base.refused("patches=\(patches)", "augmentation=none leaves images whole")
            }
        }
    }

    /// The same with images as they are.
    package var withoutAugmentation: EvaluationProtocol {
        var plain = self
        plain.variation.isPlain = true
        plain.variation.patches = nil
        return plain
    }

    /// The same with another number of images a step.
    package func withBatches(of size: Int) -> EvaluationProtocol {
        var changed = self
        changed.variation.batch = size
        return changed
    }

    /// The temperature of soft labels, before variations.
    private var usualTemperature: Double? {
        switch usualLabels {
        case .hard: nil
        case .soft(let temperature), .storedSoft(let temperature, _): temperature
        }
    }

    /// A variation that changes nothing for these images is none: one training has one name.
    ///
    /// - Parameters:
    ///   - epochs: Those of the training.
    ///   - imagesPerClass: Images of one class that are stored.
    ///   - trainingImagesPerClass: Those that a network is trained on, where several are stored in
    ///     one; nil: the same.
    ///   - classCount: Number of classes.
    ///   - network: The network.
    /// - Returns: The name under which the result stands.
    package func name(
        epochs: Int,
        imagesPerClass: Int,
        trainingImagesPerClass: Int? = nil,
        classCount: Int,
        network: NetworkName
    ) -> String {
        var plain = self
        plain.variation.batch = nil
        let usual = plain.optimization(
            classCount: classCount,
            imagesPerClass: imagesPerClass,
            network: network
        ).batchSize
        var named = self
        if variation.batch == usual { named.variation.batch = nil }
        let usualEpochs = usualEpochs(
            imagesPerClass: trainingImagesPerClass ?? imagesPerClass,
            classCount: classCount
        )
        named.variation.epochs = epochs == usualEpochs ? nil : epochs
        return named.id
    }

    private func refused(_ text: String, _ reason: String) -> TrainingError {
        TrainingError(
            .invalidOption,
            "\"+\(text)\" is no variation of the protocol \(baseID): \(reason)."
        )
    }

    /// A number without a fraction where it has none.
    private static func text(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }
}
