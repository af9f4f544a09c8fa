import Evaluation
import Foundation

/// The scores of DD-Ranking of a surrogate, with the trainings they come from.
public struct RankingResult: Codable, Sendable, Equatable {
    /// HLR: what is lost against all real images, both with hard labels; smaller is better.
    public let hardLabelRecovery: EvaluationResult.Accuracy
    /// IOR: what is gained over as many random real images, both under the own protocol.
    public let improvementOverRandom: EvaluationResult.Accuracy
    /// LRS of both, 0 to 1.
    public let labelRobustScore: EvaluationResult.Accuracy
    /// ARS: IOR with and without augmentation, 0 to 1.
    public let augmentationRobustScore: EvaluationResult.Accuracy
    /// The accuracies of HLR, IOR and LRS, one a seed.
    public let labels: LabelRobustness
    /// The accuracies of ARS, one a seed.
    public let augmentation: AugmentationRobustness
    /// Every training, with protocol, images, time and memory.
    public let trainings: [RankingTraining: [EvaluationResult]]

    init(
        labels: LabelRobustness,
        augmentation: AugmentationRobustness,
        trainings: [RankingTraining: [EvaluationResult]]
    ) {
        hardLabelRecovery = labels.hardLabelRecovery
        improvementOverRandom = labels.improvementOverRandom
        labelRobustScore = labels.labelRobustScore
        augmentationRobustScore = augmentation.augmentationRobustScore
        self.labels = labels
        self.augmentation = augmentation
        self.trainings = trainings
    }

    /// The scores and what they come from, for people.
    public var text: String {
        func row(_ name: String, _ value: EvaluationResult.Accuracy, _ meaning: String) -> String {
            let deviation = value.sampleDeviation.map { String(format: " ± %.3f", $0) } ?? ""
            return name.padding(toLength: 5, withPad: " ", startingAt: 0)
                + (String(format: "%.3f", value.mean) + deviation)
                .padding(toLength: 16, withPad: " ", startingAt: 0) + meaning
        }
        let scores = [
            row("HLR", hardLabelRecovery, "lost against all real images, hard labels"),
            row("IOR", improvementOverRandom, "gained over as many random images"),
            row("LRS", labelRobustScore, "0 to 1, of HLR and IOR"),
            row("ARS", augmentationRobustScore, "0 to 1, of IOR with and without augmentation"),
        ]
        let accuracies = RankingTraining.allCases.compactMap { kind -> String? in
            guard let results = trainings[kind], let first = results.first else { return nil }
            let values = results.flatMap(\.headline.values)
            let mean = values.reduce(0, +) / Double(values.count)
            return kind.rawValue.padding(toLength: 18, withPad: " ", startingAt: 0)
                + String(format: "%5.1f %%  ", mean * 100)
                + "\(first.train.images) images, \(first.evaluationProtocol)"
        }
        let seeds = labels.seeds.map(String.init).joined(separator: ", ")
        return (scores + ["", "accuracies, seeds \(seeds), \(first?.network ?? ""):"] + accuracies)
            .joined(separator: "\n")
    }

    private var first: EvaluationResult? { trainings[.syntheticHard]?.first }
}

/// A training that the scores of DD-Ranking need.
public enum RankingTraining: String, Codable, CodingKeyRepresentable, Sendable, CaseIterable {
    /// All real images, hard labels.
    case realHard = "real-hard"
    /// The surrogate, hard labels.
    case syntheticHard = "syn-hard"
    /// The surrogate under the protocol of its method.
    case syntheticAny = "syn-any"
    /// Random images, drawn anew for each seed, under the same protocol.
    case randomAny = "random-any"
    /// The surrogate without augmentation.
    case syntheticPlain = "syn-noaug"
    /// Random images without augmentation.
    case randomPlain = "random-noaug"

    /// Whether it is trained on random real images.
    var isRandom: Bool { self == .randomAny || self == .randomPlain }

    /// Whether it is trained on images as they are.
    var isPlain: Bool { self == .syntheticPlain || self == .randomPlain }

    /// Whether it is trained with hard labels in any case.
    var isHard: Bool { self == .realHard || self == .syntheticHard }
}
