import Datasets
import Evaluation
import Foundation
import Training

extension StandaloneRanking {
    /// The images of a ranking, each set loaded once for each protocol.
    final class Images {
        private let settings: Settings
        private let surrogate: any LabelledImages
        private let real: any LabelledImages
        private let test: any LabelledImages
        private let imagesPerClass: Int
        private let surrogateFingerprint: String
        private let realFingerprint: String
        let testFingerprint: String
        private var loaded = [String: EvaluationSet]()

        /// Opens the three sets.
        ///
        /// - Throws: `RunError` if they do not fit each other.
        init(_ settings: Settings) throws {
            self.settings = settings
            surrogate = try StandaloneEvaluation.open(settings.surrogate)
            real = try StandaloneEvaluation.open(settings.real)
            test = try StandaloneEvaluation.open(settings.test, part: "#test")
            surrogateFingerprint = try surrogate.fingerprint()
            realFingerprint = try real.fingerprint()
            testFingerprint = try test.fingerprint()
            let missing = Set(surrogate.classNames).symmetricDifference(real.classNames)
            guard missing.isEmpty else {
                throw RunError(
                    .invalidSettings,
                    "\(settings.surrogate) and \(settings.real) do not have the same classes: "
                        + "\(missing.sorted().prefix(5).joined(separator: ", ")) in one of them only."
                )
            }
            guard Set([surrogateFingerprint, realFingerprint, testFingerprint]).count == 3 else {
                throw RunError(
                    .invalidSettings,
                    "--surrogate, --real and --test must be three different sets of images."
                )
            }
            var counts = [Int](repeating: 0, count: surrogate.classNames.count)
            for index in 0..<surrogate.count { counts[surrogate.label(at: index)] += 1 }
            guard let least = counts.min(), least > 0, least == counts.max() else {
                throw RunError(
                    .invalidSettings,
                    "The classes of \(settings.surrogate) have \(counts.min() ?? 0) to "
                        + "\(counts.max() ?? 0) images: random images of the same number cannot stand "
                        + "beside them."
                )
            }
            imagesPerClass = least
            // Found out now rather than after the first trainings.
            _ = try real.firstPerClass(least)
        }

        /// Classes in the order of the surrogate.
        var classNames: [String] { surrogate.classNames }

        /// Those of surrogate, real and test images.
        var fingerprints: [String] { [surrogateFingerprint, realFingerprint, testFingerprint] }

        /// What a result says of the random images of a seed.
        func choice(seed: Int) -> String { "random \(imagesPerClass), seed \(seed)" }

        /// The images that a network is trained on.
        func set(
            _ kind: RankingTraining,
            seed: Int,
            for evaluationProtocol: EvaluationProtocol
        ) throws -> EvaluationSet {
            if kind.isRandom {
                let chosen = try ImageChoice.random.choose(
                    imagesPerClass,
                    of: real,
                    seed: UInt64(seed)
                ).images
                return EvaluationSet(
                    images: try evaluationProtocol.load(chosen, for: .train, memory: memory),
                    path: settings.real,
                    fingerprint: try chosen.fingerprint()
                )
            }
            return kind == .realHard
                ? try load(real, settings.real, realFingerprint, .train, evaluationProtocol)
                : try load(
                    surrogate,
                    settings.surrogate,
                    surrogateFingerprint,
                    .train,
                    evaluationProtocol
                )
        }

        /// The images that networks are tested on.
        func testSet(for evaluationProtocol: EvaluationProtocol) throws -> EvaluationSet {
            try load(test, settings.test, testFingerprint, .test, evaluationProtocol)
        }

        private var memory: Int { settings.memory ?? EvaluationProtocol.usualMemory }

        private func load(
            _ files: any LabelledImages,
            _ path: String,
            _ fingerprint: String,
            _ role: EvaluationProtocol.Role,
            _ evaluationProtocol: EvaluationProtocol
        ) throws -> EvaluationSet {
            // Images of protocols that differ in the training only are the same.
            let sides = [evaluationProtocol.imageSize, evaluationProtocol.testShortSide]
            let crop = evaluationProtocol.augmentation.cropSize.map { "\($0)" } ?? ""
            let form = "\(evaluationProtocol.channels) \(evaluationProtocol.resizesImages)"
            let key = "\(fingerprint) \(role) \(sides) \(form) \(crop)"
            if let set = loaded[key] { return set }
            let set = EvaluationSet(
                images: try evaluationProtocol.load(files, for: role, memory: memory),
                path: path,
                fingerprint: fingerprint
            )
            loaded[key] = set
            return set
        }
    }
}
