import Checkpoints
import Evaluation
import Experiments
import Foundation
import Images
import TestSupport
import Testing
import Torch

/// Two classes of 28×28 images: bright on the left, bright on the right.
func writeImages(_ folder: URL, perClass: Int, seed: UInt64) throws {
    for (label, name) in ["left", "right"].enumerated() {
        let place = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        for index in 0..<perClass {
            var generator = RandomGenerator(
                seed: seed,
                purpose: .general,
                label: label,
                image: index
            )
            let noise = generator.uniformValues(28 * 28)
            let bytes = noise.enumerated().map { position, value -> UInt8 in
                let isRight = position % 28 >= 14
                return UInt8(value * 100) + (isRight == (label == 1) ? 120 : 0)
            }
            let image = Image(width: 28, height: 28, channels: 1, bytes: bytes)
            try image.pngData().write(to: place.appendingPathComponent("\(index).png"))
        }
    }
}

/// A run of the whole pipeline that takes some seconds.
func tinyRecipe(_ folder: URL) -> Recipe {
    var recipe = Recipe()
    recipe.data.train.path = folder.appendingPathComponent("train").path
    recipe.data.test.path = folder.appendingPathComponent("test").path
    recipe.data.flips = false
    recipe.model.weights = folder.appendingPathComponent("model.safetensors").path
    recipe.pretrain.patchSize = 7
    recipe.pretrain.hiddenSize = 16
    recipe.pretrain.depth = 2
    recipe.pretrain.heads = 2
    recipe.pretrain.training.steps = 12
    recipe.pretrain.training.batchSize = 4
    recipe.pretrain.training.warmupSteps = 2
    recipe.pretrain.training.decaySteps = 2
    recipe.pretrain.checkpointEvery = 4
    recipe.pretrain.logEvery = 2
    recipe.finetune.minimax.steps = 12
    recipe.finetune.minimax.batchSize = 4
    recipe.finetune.minimax.memorySize = 3
    recipe.finetune.minimax.emaDecay = 0.9
    recipe.finetune.checkpointEvery = 4
    recipe.finetune.logEvery = 2
    recipe.sample.imagesPerClass = 3
    recipe.sample.steps = 4
    recipe.sample.batchSize = 2
    recipe.evaluate.epochs = 6
    recipe.evaluate.evaluations = 2
    recipe.evaluate.seeds = [0, 1]
    return recipe
}

/// Everything that must not depend on interruptions.
func outcome(_ run: URL) throws -> [String: Data] {
    var files = [String: Data]()
    let names = try FileManager.default.subpathsOfDirectory(atPath: run.path)
    for name in names where name.hasSuffix(".png") || name.hasSuffix("metadata.jsonl") {
        files[name] = try Data(contentsOf: run.appendingPathComponent(name))
    }
    let state = try Safetensors.load(
        contentsOf: run.appendingPathComponent("checkpoints/finetuned.safetensors")
    )
    for (name, tensor) in state { files["weights \(name)"] = Data(tensor.bytes()) }
    let results = try JSONDecoder().decode(
        RunResults.self,
        from: Data(contentsOf: run.appendingPathComponent("results.json"))
    )
    for result in results.results {
        files["accuracy \(result.method)"] = Data(
            "\(result.last.values) \(result.best.values)".utf8
        )
    }
    return files
}

@Suite("The pipeline", .serialized)
struct PipelineTests {
    private func withData(_ body: (URL, Recipe) throws -> Void) throws {
        try withTemporaryFolder { folder in
            try writeImages(folder.appendingPathComponent("train"), perClass: 12, seed: 1)
            try writeImages(folder.appendingPathComponent("test"), perClass: 6, seed: 2)
            let recipe = tinyRecipe(folder)
            let pretraining = folder.appendingPathComponent("pretrain")
            let weights = try pipeline(recipe, pretraining).pretrain()
            try FileManager.default.copyItem(
                at: weights,
                to: URL(fileURLWithPath: recipe.model.weights)
            )
            try body(folder, recipe)
        }
    }

    @Test("a run leaves a complete folder, and interruptions anywhere do not change it")
    func resume() throws {
        try withData { folder, recipe in
            let whole = folder.appendingPathComponent("whole")
            try pipeline(recipe, whole).run()
            let expected = try outcome(whole)
            #expect(expected.keys.filter { $0.hasSuffix(".png") }.count == 18)
            #expect(expected.keys.filter { $0.hasPrefix("accuracy") }.count == 3)

            for name in ["left", "right"] {
                let real = try (0..<12).map {
                    try Image(
                        contentsOf: folder.appendingPathComponent("train/\(name)/\($0).png")
                    )
                }
                for index in 0..<3 {
                    let chosen = try Image(
                        contentsOf: whole.appendingPathComponent(
                            "baselines/random/\(name)/\(index).png"
                        )
                    )
                    #expect(real.contains(chosen), "random \(name) \(index)")
                }
            }

            // Stops at every fifth question whether to stop, until it is done.
            let broken = folder.appendingPathComponent("broken")
            var attempts = 0
            while true {
                attempts += 1
                var questions = 0
                do {
                    try pipeline(recipe, broken) {
                        questions += 1
                        return questions % 5 == 0
                    }.run()
                    break
                } catch  where error is InterruptedError || error is EvaluationInterruption {
                    #expect(attempts < 100, "\(error)")
                    guard attempts < 100 else { return }
                }
            }
            #expect(attempts > 5)
            let found = try outcome(broken)
            #expect(found.keys.sorted() == expected.keys.sorted())
            for (name, data) in expected { #expect(found[name] == data, "\(name)") }
        }
    }

    @Test("what an interrupted training has cost is kept")
    func costOfInterruption() throws {
        try withData { folder, recipe in
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).finetune()
            try pipeline(recipe, run).sample()
            #expect(throws: EvaluationInterruption.self) {
                try pipeline(recipe, run, isInterrupted: { true }).evaluate()
            }
            let results = try pipeline(recipe, run).results()
            #expect(results.results.isEmpty)
            let cost = results.costs.first { $0.stage.hasPrefix("evaluate minimax") }
            #expect(cost?.seconds ?? 0 > 0)
        }
    }

    @Test("costs tell how many weights were trained")
    func trainedWeights() throws {
        try withData { folder, recipe in
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).finetune()
            let before = try Safetensors.load(
                contentsOf: URL(fileURLWithPath: recipe.model.weights)
            )
            let after = try Safetensors.load(
                contentsOf: run.appendingPathComponent("checkpoints/finetuned.safetensors")
            )
            let changed = after.filter { name, tensor in
                before[name]?.converted(to: .float32).bytes()
                    != tensor.converted(to: .float32).bytes()
            }
            let costs = try pipeline(recipe, run).results().costs
            let count = try #require(costs.first { $0.stage == "finetune" }?.optimizedValues)
            #expect(count == changed.reduce(0) { $0 + $1.value.count })
            #expect(count < after.elementCount)
        }
    }

    @Test("a run that goes on in another precision or with other images says so")
    func otherConditions() throws {
        try withData { folder, recipe in
            func warnings(_ precision: DType) throws -> [String] {
                let listener = Listener()
                try Pipeline(
                    recipe,
                    in: folder.appendingPathComponent("run"),
                    environment: .init(precision: precision, isInterrupted: { false }),
                    observer: listener
                ).finetune()
                return listener.warnings
            }
            #expect(try warnings(.float32).isEmpty)
            #expect(try warnings(.float32).isEmpty)
            let precision = try warnings(.bfloat16)
            #expect(precision.count == 1 && precision[0].contains("float32 on cpu"), "\(precision)")
            let train = folder.appendingPathComponent("train")
            try FileManager.default.removeItem(at: train)
            try writeImages(train, perClass: 12, seed: 9)
            let images = try Pipeline(
                recipe,
                in: folder.appendingPathComponent("other"),
                environment: .init(isInterrupted: { false }),
                observer: SilentObserver()
            )
            try images.finetune()
            let listener = Listener()
            let run = try Pipeline(
                recipe,
                in: folder.appendingPathComponent("run"),
                environment: .init(precision: .float32, isInterrupted: { false }),
                observer: listener
            )
            try run.sample()
            try run.baseline("random")
            #expect(listener.warnings.count == 1, "\(listener.warnings)")
            #expect(listener.warnings.first?.contains("are not those that the run") == true)
        }
    }

    /// In a process of its own: the number of threads is that of a process.
    @Test("a run goes on with the number of threads that it began with")
    func threads() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryFolder { folder in
                try writeImages(folder.appendingPathComponent("train"), perClass: 4, seed: 1)
                try writeImages(folder.appendingPathComponent("test"), perClass: 2, seed: 2)
                let recipe = tinyRecipe(folder)
                let run = folder.appendingPathComponent("run")
                Engine.threadCount = 2
                try pipeline(recipe, run).baseline("random")
                Engine.threadCount = 1
                _ = try pipeline(recipe, run)
                precondition(Engine.threadCount == 2)
                Engine.threadCount = 1
                _ = try pipeline(recipe, folder.appendingPathComponent("other"))
                precondition(Engine.threadCount == 1)
            }
        }
    }

    @Test("networks are trained on parts of the surrogate, smaller ones within larger ones")
    func parts() throws {
        try withData { folder, recipe in
            var some = recipe
            some.evaluate.imagesPerClass = [2, 1]
            some.evaluate.seeds = [0]
            let run = folder.appendingPathComponent("run")
            try pipeline(some, run).run()
            let results = try pipeline(some, run).results().results
            #expect(results.map(\.imagesPerClass) == [2, 2, 2, 1, 1, 1])
            #expect(Set(results.map(\.method)) == ["minimax", "random", "dit"])
            #expect(results.map(\.train.images) == [4, 4, 4, 2, 2, 2])
            #expect(Set(results.map(\.train.fingerprint)).count == 6)
            // Nothing is measured twice.
            try pipeline(some, run).evaluate()
            #expect(try pipeline(some, run).results().results.count == 6)
            some.evaluate.imagesPerClass = [4]
            let error = #expect(throws: RunError.self) {
                try pipeline(some, folder.appendingPathComponent("more")).evaluate()
            }
            #expect(error?.description.contains("evaluate.imagesPerClass") == true)
        }
    }

    @Test("a run can pre-train its model first, with the same result as a model from elsewhere")
    func pretrainedHere() throws {
        try withData { folder, recipe in
            var here = recipe
            here.model.weights = "pretrain"
            let run = folder.appendingPathComponent("here")
            let early = #expect(throws: RunError.self) { try pipeline(here, run).finetune() }
            #expect(early?.code == .missingFile)
            let estimate = try pipeline(here, folder.appendingPathComponent("guess")).estimate()
            #expect(estimate.stages.map(\.stage).prefix(3) == ["pretrain", "finetune", "sample"])
            try pipeline(here, run).run()
            let other = folder.appendingPathComponent("elsewhere")
            try pipeline(recipe, other).run()
            #expect(try outcome(run) == outcome(other))
        }
    }

    @Test("a dataset without test images can be distilled, and says so when networks are tested")
    func noTestImages() throws {
        try withData { folder, recipe in
            var some = recipe
            some.data.test.path = ""
            let run = folder.appendingPathComponent("run")
            try pipeline(some, run).finetune()
            try pipeline(some, run).sample()
            let error = #expect(throws: RunError.self) { try pipeline(some, run).evaluate() }
            #expect(error?.description.contains("data.test.path") == true)
            var wrong = recipe
            wrong.data.train.path = folder.path
            for name in ["pretrain", "model.safetensors"] {
                try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
            }
            try FileManager.default.removeItem(at: run)
            let splits = #expect(throws: RunError.self) {
                try pipeline(wrong, folder.appendingPathComponent(".run")).encode()
            }
            #expect(splits?.description.contains("test and train") == true)
        }
    }

    @Test("a model for other images is refused before any work starts")
    func mismatch() throws {
        try withData { folder, recipe in
            var other = recipe
            other.data.size = 14
            let error = #expect(throws: RunError.self) {
                try pipeline(other, folder.appendingPathComponent("size")).finetune()
            }
            #expect(error?.description.contains("28×28") == true, "\(error?.description ?? "")")
            var missing = recipe
            missing.model.weights = "/nowhere.safetensors"
            let lost = #expect(throws: RunError.self) {
                try pipeline(missing, folder.appendingPathComponent("lost")).finetune()
            }
            #expect(lost?.code == .missingFile)
        }
    }
}
