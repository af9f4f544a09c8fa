import Training

/// The accuracies that the label-robust score of DD-Ranking is made of, one a seed.
///
/// The seeds are part of it: the original has none, and its runs cannot be repeated.
public struct LabelRobustness: Codable, Sendable, Equatable {
    /// One run of every kind for each.
    public let seeds: [Int]
    /// Trained on all real images with hard labels.
    public let realHard: [Double]
    /// Trained on the surrogate with hard labels.
    public let syntheticHard: [Double]
    /// Trained on the surrogate with the labels that suit it best.
    public let syntheticAny: [Double]
    /// Trained on as many random real images, drawn anew for each seed, with the labels that suit
    /// them best.
    public let randomAny: [Double]
    /// w of the score, 0 to 1.
    public let weight: Double

    /// Takes accuracies in the order of the seeds.
    ///
    /// - Parameters:
    ///   - seeds: At least one, all different.
    ///   - realHard: acc(real-hard), fractions from 0 to 1.
    ///   - syntheticHard: acc(syn-hard).
    ///   - syntheticAny: acc(syn-any).
    ///   - randomAny: acc(random-any).
    ///   - weight: w of the score; published: 0.5.
    /// - Throws: `TrainingError` for numbers out of range, percents for example, or of another
    ///   count.
    public init(
        seeds: [Int],
        realHard: [Double],
        syntheticHard: [Double],
        syntheticAny: [Double],
        randomAny: [Double],
        weight: Double = 0.5
    ) throws(TrainingError) {
        try RankingInput.validate(
            [
                ("realHard", realHard), ("syntheticHard", syntheticHard),
                ("syntheticAny", syntheticAny), ("randomAny", randomAny),
            ],
            seeds: seeds,
            weight: weight
        )
        self.seeds = seeds
        self.realHard = realHard
        self.syntheticHard = syntheticHard
        self.syntheticAny = syntheticAny
        self.randomAny = randomAny
        self.weight = weight
    }

    /// HLR of every seed, with mean and deviation.
    public var hardLabelRecovery: EvaluationResult.Accuracy {
        .init(zip(realHard, syntheticHard).map(RankingScores.hardLabelRecovery))
    }

    /// IOR of every seed, with mean and deviation.
    public var improvementOverRandom: EvaluationResult.Accuracy {
        .init(zip(syntheticAny, randomAny).map(RankingScores.improvementOverRandom))
    }

    /// LRS of every seed, with mean and deviation.
    public var labelRobustScore: EvaluationResult.Accuracy {
        .init(
            zip(improvementOverRandom.values, hardLabelRecovery.values).map {
                RankingScores.labelRobustScore(
                    improvementOverRandom: $0,
                    hardLabelRecovery: $1,
                    weight: weight
                )
            }
        )
    }
}

/// The accuracies that the augmentation-robust score of DD-Ranking is made of, one a seed.
public struct AugmentationRobustness: Codable, Sendable, Equatable {
    /// One run of every kind for each.
    public let seeds: [Int]
    /// Trained on the surrogate with augmentation.
    public let syntheticAugmented: [Double]
    /// Trained on random real images with augmentation.
    public let randomAugmented: [Double]
    /// Trained on the surrogate without augmentation.
    public let syntheticPlain: [Double]
    /// Trained on random real images without augmentation.
    public let randomPlain: [Double]
    /// γ of the score, 0 to 1.
    public let weight: Double

    /// Takes accuracies in the order of the seeds.
    ///
    /// - Parameters:
    ///   - seeds: At least one, all different.
    ///   - syntheticAugmented: acc(syn-aug), fractions from 0 to 1.
    ///   - randomAugmented: acc(random-aug).
    ///   - syntheticPlain: acc(syn-noaug).
    ///   - randomPlain: acc(random-noaug).
    ///   - weight: γ of the score; published: 0.5.
    /// - Throws: `TrainingError` for numbers out of range, percents for example, or of another
    ///   count.
    public init(
        seeds: [Int],
        syntheticAugmented: [Double],
        randomAugmented: [Double],
        syntheticPlain: [Double],
        randomPlain: [Double],
        weight: Double = 0.5
    ) throws(TrainingError) {
        try RankingInput.validate(
            [
                ("syntheticAugmented", syntheticAugmented), ("randomAugmented", randomAugmented),
                ("syntheticPlain", syntheticPlain), ("randomPlain", randomPlain),
            ],
            seeds: seeds,
            weight: weight
        )
        self.seeds = seeds
        self.syntheticAugmented = syntheticAugmented
        self.randomAugmented = randomAugmented
        self.syntheticPlain = syntheticPlain
        self.randomPlain = randomPlain
        self.weight = weight
    }

    /// The improvement over random with augmentation, with mean and deviation.
    public var improvementWithAugmentation: EvaluationResult.Accuracy {
        .init(zip(syntheticAugmented, randomAugmented).map(RankingScores.improvementOverRandom))
    }

    /// The improvement over random without augmentation, with mean and deviation.
    public var improvementWithoutAugmentation: EvaluationResult.Accuracy {
        .init(zip(syntheticPlain, randomPlain).map(RankingScores.improvementOverRandom))
    }

    /// ARS of every seed, with mean and deviation.
    public var augmentationRobustScore: EvaluationResult.Accuracy {
        .init(
            zip(improvementWithAugmentation.values, improvementWithoutAugmentation.values).map {
                RankingScores.augmentationRobustScore(
                    withAugmentation: $0,
                    withoutAugmentation: $1,
                    weight: weight
                )
            }
        )
    }
}

/// What the accuracies of a ranking must be like.
private enum RankingInput {
    static func validate(
        _ lists: [(name: String, values: [Double])],
        seeds: [Int],
        weight: Double
    ) throws(TrainingError) {
        guard !seeds.isEmpty, Set(seeds).count == seeds.count else {
            throw TrainingError(
                .invalidOption,
                "seeds must be one or more different numbers; they are \(seeds)."
            )
        }
        guard (0...1).contains(weight) else {
            throw TrainingError(.invalidOption, "weight must be 0 to 1; it is \(weight).")
        }
        for (name, values) in lists {
            guard values.count == seeds.count else {
                throw TrainingError(
                    .invalidOption,
                    "\(name) must have one accuracy for each of the \(seeds.count) seeds; it has "
                        + "\(values.count)."
                )
            }
            if let value = values.first(where: { !(0...1).contains($0) }) {
                throw TrainingError(
                    .invalidOption,
                    "\(name) must hold fractions from 0 to 1; one is \(value). Divide percents by "
                        + "100."
                )
            }
        }
    }
}
