import Checkpoints
import Datasets
import Evaluation
import Experiments
import Foundation
import Images
import TestSupport
import Testing
import Torch
import Training

@Suite("distill evaluate")
struct StandaloneEvaluationTests {
    private func withFolders(
        _ body: (URL, StandaloneEvaluation.Settings) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            var settings = StandaloneEvaluation.Settings()
            settings.train = folder.appendingPathComponent("train").path
            settings.test = folder.appendingPathComponent("test").path
            settings.network = "convnet-2-w16"
            settings.evaluationProtocol = "gu-hard-64+size=32"
            settings.epochs = 8
            settings.evaluations = 1
            settings.seeds = [0]
            try RedAndBlue.write(URL(fileURLWithPath: settings.train), perClass: 12, seed: 1)
            try RedAndBlue.write(URL(fileURLWithPath: settings.test), perClass: 10, seed: 2)
            try body(folder, settings)
        }
    }

    private func run(_ settings: StandaloneEvaluation.Settings) throws -> EvaluationResult {
        try StandaloneEvaluation(settings).run(
            environment: Pipeline.Environment(isInterrupted: { false }),
            observer: SilentObserver()
        )
    }

    @Test("fastai's folder is named by a suffix, and each option takes its part of it")
    func fastai() throws {
        try withFolders { folder, settings in
            let root = folder.appendingPathComponent("imagewoof")
            for (part, count) in [("train", 4), ("val", 3)] {
                let place = root.appendingPathComponent(part)
                try RedAndBlue.write(place, perClass: count, seed: 3)
                for name in ["blue", "red"] {
                    try FileManager.default.moveItem(
                        at: place.appendingPathComponent("\(name)/0.png"),
                        to: place.appendingPathComponent("\(name)/ILSVRC2012_val_\(count).png")
                    )
                }
            }
            let refusal = #expect(throws: RunError.self) {
                try StandaloneEvaluation.open(root.path)
            }
            #expect(refusal?.description.contains("FOLDER#fastai") == true)
            var settings = settings
            settings.train = root.path + "#fastai"
            settings.test = root.path + "#fastai"
            settings.epochs = 1
            let result = try run(settings)
            #expect(result.train.images == 10)
            #expect(result.test.images == 4)
            #expect(try StandaloneEvaluation.open(root.path + "#fastai#test").count == 4)
        }
    }

    @Test("an interrupted evaluation goes on by itself, and leaves nothing behind")
    func interruption() throws {
        try withFolders { folder, settings in
            let cache = try #require(
                FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask).first
            ).appendingPathComponent("distill/evaluations")
            // Others may be evaluating meanwhile: only files that name these images count.
            let path = Data(folder.lastPathComponent.utf8)
            func files() -> Set<String> {
                let names = (try? FileManager.default.contentsOfDirectory(atPath: cache.path)) ?? []
                return Set(
                    names.filter { name in
                        let file = cache.appendingPathComponent(name)
                        return (try? Data(contentsOf: file))?.range(of: path) != nil
                    }
                )
            }
            let whole = try run(settings)
            let before = files()
            var epochs = 0
            let error = #expect(throws: EvaluationInterruption.self) {
                try StandaloneEvaluation(settings).run(
                    environment: Pipeline.Environment(isInterrupted: {
                        epochs += 1
                        return epochs > 5
                    }),
                    observer: SilentObserver()
                )
            }
            #expect(error?.isSaved == true)
            let left = files().subtracting(before)
            #expect(left.count == 1)
            #expect(try run(settings).last == whole.last)
            #expect(files().isDisjoint(with: left))
        }
    }

    @Test("a checkpoint of another evaluation is neither continued nor overwritten")
    func otherCheckpoint() throws {
        try withFolders { folder, settings in
            var settings = settings
            let file = folder.appendingPathComponent("evaluation.safetensors")
            settings.checkpoint = file.path
            settings.epochs = 1
            _ = try run(settings)
            let bytes = try Data(contentsOf: file)
            settings.epochs = 2
            let error = #expect(throws: RunError.self) { try run(settings) }
            #expect(error?.description.contains("epochs differ") == true)
            #expect(try Data(contentsOf: file) == bytes)
        }
    }

    @Test("a file of results joins seeds, takes repeated ones once, and keeps other measurements")
    func merging() throws {
        try withFolders { folder, settings in
            let file = folder.appendingPathComponent("results.json")
            var settings = settings
            settings.epochs = 1
            settings.evaluations = 1
            settings.seeds = [0, 1]
            let whole = try run(settings)
            for seeds in [[0], [1], [1]] {
                settings.seeds = seeds
                let results = try RunResults.merge(try run(settings), into: file)
                #expect(results.results.count == 1)
            }
            let joined = try #require(try RunResults.read(file).results.first)
            #expect(joined.seeds == [0, 1])
            #expect(joined.last == whole.last)
            #expect(joined.best == whole.best)
            #expect(joined.confusion == whole.confusion)
            for (mine, theirs) in zip(joined.perClass ?? [], whole.perClass ?? []) {
                #expect(abs(mine - theirs) < 1e-12)
            }
            settings.epochs = 2
            #expect(try RunResults.merge(try run(settings), into: file).results.count == 2)
            #expect(try RunResults.merge(whole, into: file).results.count == 2)

            try Data("[]".utf8).write(to: file)
            let error = #expect(throws: RunError.self) { try RunResults.merge(whole, into: file) }
            #expect(error?.description.contains("stays as it is") == true)
            #expect(try Data(contentsOf: file) == Data("[]".utf8))
            settings.results = file.path
            #expect(throws: RunError.self) { try run(settings) }
            try FileManager.default.removeItem(at: file)
            let written = try run(settings)
            #expect(try RunResults.read(file).results == [written])
            try Data().write(to: folder.appendingPathComponent("recipe.resolved.yaml"))
            #expect(throws: RunError.self) { try RunResults.read(file) }
            let nowhere = folder.appendingPathComponent("nowhere/results.json")
            #expect(throws: RunError.self) { try RunResults.read(nowhere) }
        }
    }

    @Test("what would say nothing or change nothing is refused")
    func refusals() throws {
        try withFolders { _, settings in
            func refused(_ change: (inout StandaloneEvaluation.Settings) -> Void) -> String? {
                var settings = settings
                settings.epochs = 1
                change(&settings)
                return #expect(throws: RunError.self) { try run(settings) }?.description
            }
            #expect(refused { $0.test = $0.train }?.contains("same images") == true)
            // Some of them are trained on, and all of them would be the test.
            let part = refused {
                $0.test = $0.train
                $0.imagesPerClass = 2
            }
            #expect(part?.contains("same images") == true)
            #expect(refused { $0.softLabels = "x" }?.contains("--soft-labels") == true)
            #expect(refused { $0.teacherNetwork = "resnet-50" }?.contains("--teacher") == true)
        }
    }

    @Test("images per class are chosen at random or as the first, and the result says how")
    func choice() throws {
        try withFolders { _, settings in
            var settings = settings
            settings.imagesPerClass = 3
            settings.epochs = 1
            let random = try run(settings)
            settings.choice = .first
            let first = try run(settings)
            #expect(random.imagesPerClass == 3)
            #expect(random.choice == "random 3, seed 0")
            #expect(first.choice == "first 3 in string order")
            var other = settings
            other.choice = .random
            other.choiceSeed = 1
            let another = try run(other)
            #expect(another.choice == "random 3, seed 1")
            #expect(another.train.fingerprint != random.train.fingerprint)
            #expect(random.train.fingerprint != first.train.fingerprint)

            let images = try ImageFolder(URL(fileURLWithPath: settings.train))
            let chosen = try ImageChoice.first.choose(3, of: images, seed: 0).images
            #expect(
                (0..<chosen.count).map(chosen.identifier(at:)) == [
                    "blue/0.png", "blue/1.png", "blue/10.png",
                    "red/0.png", "red/1.png", "red/10.png",
                ]
            )
            settings.imagesPerClass = 13
            let error = #expect(throws: DatasetError.self) { try run(settings) }
            #expect(error?.message.contains("blue (12)") == true)
        }
    }

    @Test("a network that was saved teaches others, and larger sets stay in their files")
    func teaching() throws {
        try withFolders { folder, settings in
            let file = folder.appendingPathComponent("teacher.safetensors").path
            var first = settings
            first.savedNetwork = file
            let taught = try run(first)
            #expect(taught.last.mean > 0.9)
            first.memory = 1
            #expect(try run(first).last == taught.last)

            var second = settings
            second.evaluationProtocol = "rded-soft-300+size=32+batch=6"
            second.teacher = file
            let result = try run(second)
            #expect(result.teacher?.accuracy == taught.last.mean)
            #expect(result.evaluationProtocol == "rded-soft-300+size=32+epochs=8+batch=6")
            second.teacher = folder.appendingPathComponent("nobody").path
            let error = #expect(throws: RunError.self) { try run(second) }
            #expect("\(try #require(error))".contains("--save"))
        }
    }

    @Test("weights without a description are a teacher whose network and order are named")
    func foreignTeacher() throws {
        try withFolders { folder, settings in
            let file = folder.appendingPathComponent("teacher.safetensors")
            var first = settings
            first.savedNetwork = file.path
            _ = try run(first)
            // What another program would write: the weights alone, here with the rows of the
            // classifier exchanged.
            let saved = try TrainedNetwork(contentsOf: file)
            let told = try #require(try Checkpoint(contentsOf: file).trainedNetworkFacts)
            #expect(told.map(\.name) == ["model", "images", "classes", "trained on", "accuracy"])
            #expect(told[0].value.hasPrefix("convnet-2-w16, "))
            let bare = folder.appendingPathComponent("bare.safetensors")
            try Safetensors.save(saved.weights, to: bare)
            #expect(try Checkpoint(contentsOf: bare).trainedNetworkFacts == nil)
            var second = settings
            second.evaluationProtocol = "rded-soft-300+size=32+batch=6"
            second.teacher = bare.path
            second.epochs = 1
            #expect(throws: (any Error).self) { try run(second) }
            second.teacherNetwork = "convnet-2-w16"
            #expect(try run(second).teacher?.accuracy ?? 0 > 0.9)

            var exchanged = saved.weights
            for name in ["classifier.weight", "classifier.bias"] {
                exchanged[name] = try #require(exchanged[name]).gathered([1, 0])
            }
            try Safetensors.save(exchanged, to: bare)
            let error = #expect(throws: TrainingError.self) { try run(second) }
            #expect(error?.code == .unfitNetwork)
        }
    }
}
