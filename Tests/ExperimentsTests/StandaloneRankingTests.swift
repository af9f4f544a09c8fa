import Evaluation
import Experiments
import Foundation
import TestSupport
import Testing
import Torch
import Training

@Suite("distill rank")
struct StandaloneRankingTests {
    private func withFolders(_ body: (URL, StandaloneRanking.Settings) throws -> Void) throws {
        try withTemporaryFolder { folder in
            var settings = StandaloneRanking.Settings()
            settings.surrogate = folder.appendingPathComponent("surrogate").path
            settings.real = folder.appendingPathComponent("real").path
            settings.test = folder.appendingPathComponent("test").path
            settings.network = "convnet-2-w16"
            settings.hardProtocol = "gu-hard-64+size=32+epochs=4"
            settings.realEpochs = 2
            settings.seeds = [0, 1]
            settings.output = folder.appendingPathComponent("ranking").path
            let sets = [(settings.surrogate, 3), (settings.real, 12), (settings.test, 10)]
            for (seed, (path, count)) in sets.enumerated() {
                let place = URL(fileURLWithPath: path)
                try RedAndBlue.write(place, perClass: count, seed: UInt64(seed))
            }
            try body(folder, settings)
        }
    }

    private func run(
        _ settings: StandaloneRanking.Settings,
        isInterrupted: @escaping () -> Bool = { false }
    ) throws -> RankingResult {
        try StandaloneRanking(settings).run(
            environment: Pipeline.Environment(isInterrupted: isInterrupted),
            observer: SilentObserver()
        )
    }

    @Test("the scores are those of trainings that evaluate makes, too")
    func scores() throws {
        try withFolders { folder, settings in
            let result = try run(settings)
            let trainings = result.trainings
            #expect(trainings.values.allSatisfy { $0.flatMap(\.seeds) == [0, 1] })
            let surrogate = try #require(trainings[.syntheticHard]?[0])
            #expect(surrogate.train.images == 6)
            #expect(surrogate.evaluationProtocol == "gu-hard-64+size=32+epochs=4")
            let real = try #require(trainings[.realHard]?[0])
            #expect((real.train.images, real.epochs) == (24, 2))
            let random = try #require(trainings[.randomAny])
            #expect(random.map(\.choice) == ["random 3, seed 0", "random 3, seed 1"])
            #expect(random[0].train.fingerprint != random[1].train.fingerprint)
            #expect(
                trainings[.randomPlain]?[1].evaluationProtocol
                    == "gu-hard-64+size=32+epochs=4+augmentation=none"
            )

            var evaluation = StandaloneEvaluation.Settings()
            evaluation.train = settings.real
            evaluation.test = settings.test
            evaluation.network = settings.network
            evaluation.evaluationProtocol = settings.hardProtocol
            evaluation.evaluations = 1
            evaluation.imagesPerClass = 3
            evaluation.choiceSeed = 1
            evaluation.seeds = [1]
            let same = try StandaloneEvaluation(evaluation).run(
                environment: Pipeline.Environment(isInterrupted: { false }),
                observer: SilentObserver()
            )
            #expect(same.last.values == random[1].last.values)

            func mean(_ kind: RankingTraining) -> Double {
                let values = (trainings[kind] ?? []).flatMap(\.last.values)
                return values.reduce(0, +) / Double(values.count)
            }
            #expect(trainings[.syntheticAny] == trainings[.syntheticHard])
            let lost = mean(.realHard) - mean(.syntheticHard)
            let gained = mean(.syntheticAny) - mean(.randomAny)
            #expect(abs(result.hardLabelRecovery.mean - lost) < 1e-9)
            #expect(abs(result.improvementOverRandom.mean - gained) < 1e-9)
            #expect(0...1 ~= result.labelRobustScore.mean)
            #expect(0...1 ~= result.augmentationRobustScore.mean)
            #expect(result.text.contains("LRS"))
        }
    }

    @Test(
        "an interrupted ranking goes on, and another surrogate finds the trainings on real images"
    )
    func resuming() throws {
        try withFolders { folder, settings in
            let whole = try run(settings)
            var second = settings
            second.output = folder.appendingPathComponent("second").path
            var epochs = 0
            #expect(throws: EvaluationInterruption.self) {
                try run(second) {
                    epochs += 1
                    return epochs > 15
                }
            }
            let resumed = try run(second)
            #expect(resumed.labels == whole.labels)
            #expect(resumed.augmentation == whole.augmentation)

            let trainings = folder.appendingPathComponent("second/trainings")
            func files() throws -> Set<String> {
                Set(try FileManager.default.contentsOfDirectory(atPath: trainings.path))
            }
            // Two seeds of real-hard, syn-hard, random-any and both without augmentation.
            #expect(try files().count == 10)
            // The same images under another path are the same.
            second.real += "/"
            #expect(try run(second).labels == whole.labels)
            #expect(try files().count == 10)
            second.surrogate = folder.appendingPathComponent("other").path
            let other = URL(fileURLWithPath: second.surrogate)
            try RedAndBlue.write(other, perClass: 3, seed: 9)
            #expect(try run(second).labels.realHard == whole.labels.realHard)
            #expect(try files().count == 14)
            let scores = try FileManager.default.contentsOfDirectory(atPath: second.output)
            #expect(scores.filter { $0.hasPrefix("ranking-convnet-2-w16-") }.count == 2)
        }
    }

    @Test("soft labels need a teacher, and what cannot be compared is refused before it is trained")
    func refusals() throws {
        try withFolders { folder, settings in
            func expectRefusal(
                _ reason: String,
                _ change: (inout StandaloneRanking.Settings) throws -> Void
            ) throws {
                var settings = settings
                try change(&settings)
                let error = #expect(throws: (any Error).self) { try run(settings) }
                #expect(error.map { "\($0)" }?.contains(reason) == true)
            }
            try expectRefusal("--teacher") { $0.ownProtocol = "rded-soft-300" }
            try expectRefusal("--own-protocol") { $0.hardProtocol = "rded-soft-300" }
            try expectRefusal("changes nothing") { $0.teacher = "x" }
            try expectRefusal("changes nothing") { $0.teacherNetwork = "x" }
            try expectRefusal("no augmentation") { $0.hardProtocol += "+augmentation=none" }
            try expectRefusal("no network") { $0.network = "convnot-3" }
            try expectRefusal("nobody") {
                $0.ownProtocol = "rded-soft-300+size=32"
                $0.teacher = folder.appendingPathComponent("nobody").path
            }
            try expectRefusal("28×28") { $0.ownProtocol = "gu-hard-28" }
            try expectRefusal("three different") { $0.real = $0.surrogate }
            try expectRefusal("blue (12)") {
                $0.surrogate = folder.appendingPathComponent("large").path
                try RedAndBlue.write(URL(fileURLWithPath: $0.surrogate), perClass: 13, seed: 4)
            }
            try expectRefusal("2 to 3 images") {
                let place = URL(fileURLWithPath: $0.surrogate).appendingPathComponent("red/0.png")
                try FileManager.default.removeItem(at: place)
            }
            #expect(!FileManager.default.fileExists(atPath: settings.output))
        }
    }

    @Test("the own protocol may have a teacher's soft labels")
    func softLabels() throws {
        try withFolders { folder, settings in
            var teacher = StandaloneEvaluation.Settings()
            teacher.train = settings.real
            teacher.test = settings.test
            teacher.network = settings.network
            teacher.evaluationProtocol = "gu-hard-64+size=32+epochs=8"
            teacher.evaluations = 1
            teacher.seeds = [0]
            teacher.savedNetwork = folder.appendingPathComponent("teacher.safetensors").path
            _ = try StandaloneEvaluation(teacher).run(
                environment: Pipeline.Environment(isInterrupted: { false }),
                observer: SilentObserver()
            )
            var settings = settings
            settings.seeds = [0]
            settings.ownProtocol = "rded-soft-300+size=32+epochs=2+batch=6+patches=1"
            settings.teacher = teacher.savedNetwork
            let result = try run(settings)
            #expect(result.trainings[.syntheticHard]?[0].teacher == nil)
            #expect(result.trainings[.syntheticAny]?[0].teacher != nil)
            #expect(result.trainings[.randomPlain]?[0].teacher != nil)
            #expect(
                result.trainings[.syntheticPlain]?[0].evaluationProtocol
                    == "rded-soft-300+size=32+epochs=2+batch=6+augmentation=none"
            )
        }
    }
}
