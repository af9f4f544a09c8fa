import Foundation

/// The scores of DD-Ranking (Li et al., 2025; github.com/NUS-HPC-AI-Lab/DD-Ranking, version
/// 0.2.0), which ask how much of an accuracy is due to the surrogate images themselves, and not to
/// soft labels or augmentation.
///
/// All accuracies are fractions from 0 to 1; with percents the exponentials would leave the range
/// from 0 to 1, as they do in that version's own program.
public enum RankingScores {
    /// HLR, hard label recovery: what the surrogate loses against all real images when both have
    /// hard labels.
    ///
    /// Smaller is better: −1 to 1.
    ///
    /// ```
    /// HLR = acc(real-hard) − acc(syn-hard)
    /// ```
    public static func hardLabelRecovery(realHard: Double, syntheticHard: Double) -> Double {
        realHard - syntheticHard
    }

    /// IOR, improvement over random: what the surrogate gains against as many random real images
    /// when both have the labels that suit them best.
    ///
    /// Larger is better: −1 to 1.
    ///
    /// ```
    /// IOR = acc(syn-any) − acc(random-any)
    /// ```
    public static func improvementOverRandom(syntheticAny: Double, randomAny: Double) -> Double {
        syntheticAny - randomAny
    }

    /// LRS, the label-robust score: 0 to 1, larger is better.
    ///
    /// ```
    /// LRS = (e^α − e⁻¹) / (e − e⁻¹),  α = w·IOR − (1 − w)·HLR
    /// ```
    ///
    /// - Parameters:
    ///   - improvementOverRandom: IOR.
    ///   - hardLabelRecovery: HLR.
    ///   - weight: w, 0 to 1; published: 0.5.
    /// - Returns: The score.
    public static func labelRobustScore(
        improvementOverRandom: Double,
        hardLabelRecovery: Double,
        weight: Double = 0.5
    ) -> Double {
        score(weight * improvementOverRandom - (1 - weight) * hardLabelRecovery)
    }

    /// ARS, the augmentation-robust score: 0 to 1, larger is better.
    ///
    /// ```
    /// ARS = (e^β − e⁻¹) / (e − e⁻¹),
    /// β = γ·IOR(with augmentation) + (1 − γ)·IOR(without)
    /// ```
    ///
    /// - Parameters:
    ///   - withAugmentation: acc(syn-aug) − acc(random-aug).
    ///   - withoutAugmentation: acc(syn-noaug) − acc(random-noaug).
    ///   - weight: γ, 0 to 1; published: 0.5.
    /// - Returns: The score.
    public static func augmentationRobustScore(
        withAugmentation: Double,
        withoutAugmentation: Double,
        weight: Double = 0.5
    ) -> Double {
        score(weight * withAugmentation + (1 - weight) * withoutAugmentation)
    }

    /// From −1…1 to 0…1.
    private static func score(_ exponent: Double) -> Double {
        (exp(exponent) - exp(-1)) / (exp(1) - exp(-1))
    }
}
