import Evaluation
import Foundation
import Testing
import Training

@Suite("The scores of DD-Ranking, and confusion matrices")
struct RankingTests {
    @Test("the ends of the scale are 0 and 1")
    func ends() {
        #expect(score(improvement: 1, recovery: -1) == 1)
        #expect(score(improvement: -1, recovery: 1) == 0)
        let best = RankingScores.augmentationRobustScore(
            withAugmentation: 1,
            withoutAugmentation: 1
        )
        #expect(best == 1)
        let worst = RankingScores.augmentationRobustScore(
            withAugmentation: -1,
            withoutAugmentation: -1
        )
        #expect(worst == 0)
    }

    private func score(improvement: Double, recovery: Double, weight: Double = 0.5) -> Double {
        RankingScores.labelRobustScore(
            improvementOverRandom: improvement,
            hardLabelRecovery: recovery,
            weight: weight
        )
    }

    @Test("values by hand")
    func byHand() {
        // α = 0: (1 − 1/e)/(e − 1/e) = 0.268941…
        #expect(abs(score(improvement: 0.2, recovery: 0.2) - 0.2689414213699951) < 1e-12)
        // w = 1 leaves IOR alone, w = 0 HLR alone.
        #expect(
            score(improvement: 0.3, recovery: 0.9, weight: 1)
                == score(improvement: 0.3, recovery: -0.5, weight: 1)
        )
        #expect(
            score(improvement: 0.3, recovery: 0.4, weight: 0)
                == score(improvement: -0.3, recovery: 0.4, weight: 0)
        )
        // γ·0.4 + (1 − γ)·0.2 with γ = 0.5 is 0.3: (e^0.3 − e⁻¹)/(e − e⁻¹) = 0.417792…
        let augmentation = RankingScores.augmentationRobustScore(
            withAugmentation: 0.4,
            withoutAugmentation: 0.2
        )
        #expect(abs(augmentation - 0.4177920) < 1e-6)
    }

    @Test("scores of several seeds have a mean and a deviation")
    func seeds() throws {
        let robustness = try LabelRobustness(
            seeds: [0, 1],
            realHard: [0.9, 0.8],
            syntheticHard: [0.5, 0.6],
            syntheticAny: [0.7, 0.65],
            randomAny: [0.45, 0.5]
        )
        let recovery = robustness.hardLabelRecovery
        #expect(abs(recovery.mean - 0.3) < 1e-12)
        #expect(abs(recovery.populationDeviation - 0.1) < 1e-12)
        #expect(abs(robustness.improvementOverRandom.values[0] - 0.25) < 1e-12)
        #expect(
            robustness.labelRobustScore.values[1]
                == score(
                    improvement: robustness.improvementOverRandom.values[1],
                    recovery: recovery.values[1]
                )
        )
        let augmentation = try AugmentationRobustness(
            seeds: [3],
            syntheticAugmented: [0.6],
            randomAugmented: [0.2],
            syntheticPlain: [0.4],
            randomPlain: [0.2]
        )
        #expect(abs(augmentation.augmentationRobustScore.mean - 0.4177920) < 1e-6)
        #expect(augmentation.augmentationRobustScore.sampleDeviation == nil)
    }

    @Test("percents, missing seeds and weights out of range are refused")
    func badInput() {
        func make(_ seeds: [Int], _ realHard: [Double], weight: Double = 0.5) throws {
            _ = try LabelRobustness(
                seeds: seeds,
                realHard: realHard,
                syntheticHard: [0.5],
                syntheticAny: [0.5],
                randomAny: [0.5],
                weight: weight
            )
        }
        let percent = #expect(throws: TrainingError.self) { try make([0], [56.5]) }
        #expect(percent?.message.contains("Divide percents by 100") == true)
        #expect(throws: TrainingError.self) { try make([0, 1], [0.5, 0.5]) }
        #expect(throws: TrainingError.self) { try make([], []) }
        #expect(throws: TrainingError.self) { try make([0], [0.5], weight: 1.5) }
        #expect(throws: TrainingError.self) { try make([0], [.nan]) }
    }

    @Test("a confusion matrix counts, by hand")
    func confusion() {
        let matrix = ConfusionMatrix(
            predictions: [0, 0, 1, 2, 2, 0, 1],
            labels: [0, 0, 0, 1, 2, 2, 1],
            classNames: ["a", "b", "c", "d"]
        )
        #expect(matrix.counts == [[2, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
        #expect(matrix.accuracy == 4.0 / 7 && matrix.total == 7)
        #expect(matrix.accuracyPerClass == [2.0 / 3, 0.5, 0.5, 0])
        #expect(matrix.precisionPerClass == [2.0 / 3, 0.5, 0.5, 0])
        let worst = matrix.worstConfusions(2)
        #expect(worst.map(\.label) == [0, 1] && worst.map(\.prediction) == [1, 2])
        #expect(worst.map(\.count) == [1, 1])
        #expect(matrix.exchangedClasses == nil)
        let none = ConfusionMatrix(predictions: [], labels: [], classNames: ["a"])
        #expect(none.accuracy == 0)
    }

    @Test(
        "classes in another order than the scores are found, however many change places",
        arguments: [
            ([0, 1, 2, 3], nil), ([1, 0, 2, 3], [0, 1, 0]), ([0, 2, 3, 1], [1, 2, 3, 1]),
            ([1, 2, 3, 0], [0, 1, 2, 3, 0]), ([0, 2, 2, 2], nil),
        ] as [([Int], [Int]?)]
    )
    func exchangedClasses(_ foundAs: [Int], _ circle: [Int]?) {
        // Seven of ten images of a class are taken for one class, the others for all.
        let labels = (0..<40).map { $0 / 10 }
        let found = labels.enumerated().map { place, label in
            place % 10 < 7 ? foundAs[label] : (label + place) % 4
        }
        let matrix = ConfusionMatrix(
            predictions: found,
            labels: labels,
            classNames: ["a", "b", "c", "d"]
        )
        #expect(matrix.exchangedClasses == circle)
    }
}
