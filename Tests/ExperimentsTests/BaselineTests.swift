import Checkpoints
import Datasets
import Experiments
import Foundation
import Images
import TestSupport
import Testing
import Torch

@Suite("Baselines", .serialized)
struct BaselineTests {
    /// Small images and settings; no diffusion model.
    private func withData(_ body: (URL, Recipe) throws -> Void) throws {
        try withTemporaryFolder { folder in
            try writeImages(folder.appendingPathComponent("train"), perClass: 12, seed: 1)
            try writeImages(folder.appendingPathComponent("test"), perClass: 6, seed: 2)
            var recipe = tinyRecipe(folder)
            recipe.baselines = ["random", "k-center", "herding", "dm", "idc-1", "idc"]
            recipe.coreset.network = "convnet-2"
            recipe.coreset.epochs = 2
            recipe.dm.iterations = 7
            recipe.dm.network = "convnet-2"
            recipe.dm.realBatchSize = 8
            recipe.dm.checkpointEvery = 3
            recipe.dm.logEvery = 2
            recipe.idc.factor = 2
            recipe.idc.networks = 2
            recipe.idc.matchesPerNetwork = 2
            recipe.idc.earlyEpochs = 1
            recipe.idc.network = "convnet-2"
            recipe.idc.realBatchSize = 8
            recipe.idc.networkImages = 16
            recipe.idc.checkpointEvery = 2
            recipe.idc.logEvery = 1
            try body(folder, recipe)
        }
    }

    private func makeAll(
        _ recipe: Recipe,
        _ url: URL,
        isInterrupted: @escaping () -> Bool = { false }
    ) throws {
        let pipeline = try pipeline(recipe, url, isInterrupted: isInterrupted)
        for name in recipe.baselines { try pipeline.baseline(name) }
    }

    @Test("what has no deterministic derivative on CUDA is refused before any work")
    func nondeterministic() throws {
        try withData { folder, recipe in
            for (method, words) in [
                ("dm", "scale and rotate in dm.augmentation"), ("idc", "idc.factor"),
            ] {
                let pipeline = try Pipeline(
                    recipe,
                    in: folder.appendingPathComponent("run-\(method)"),
                    environment: .init(device: .cuda, isDeterministic: true),
                    observer: SilentObserver()
                )
                let error = #expect(throws: RunError.self) { try pipeline.baseline(method) }
                #expect(error?.description.contains(words) == true)
            }
        }
    }

    /// All images, their descriptions and float values.
    private func files(_ run: URL) throws -> [String: Data] {
        var files = [String: Data]()
        let folder = run.appendingPathComponent("baselines")
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        where ["png", "jsonl", "safetensors"].contains(URL(fileURLWithPath: name).pathExtension) {
            files[name] = try Data(contentsOf: folder.appendingPathComponent(name))
        }
        return files
    }

    private func metadata(_ folder: URL) throws -> [JSONValue] {
        let text = try String(
            contentsOf: folder.appendingPathComponent("metadata.jsonl"),
            encoding: .utf8
        )
        return try text.split(separator: "\n").map { try JSONValue(text: String($0)) }
    }

    @Test("interruptions anywhere change nothing, and costs tell what was optimised")
    func resume() throws {
        try withData { folder, recipe in
            let whole = folder.appendingPathComponent("whole")
            try makeAll(recipe, whole)
            let expected = try files(whole)
            #expect(expected.keys.filter { $0.hasSuffix(".png") }.count == 5 * 6 + 4 * 6)

            let broken = folder.appendingPathComponent("broken")
            var attempts = 0
            while attempts < 100 {
                attempts += 1
                var questions = 0
                do {
                    try makeAll(recipe, broken) {
                        questions += 1
                        return questions % 4 == 0
                    }
                    break
                } catch is InterruptedError {}
            }
            #expect(3..<100 ~= attempts)
            let found = try files(broken)
            #expect(found.keys.sorted() == expected.keys.sorted())
            for (name, data) in expected { #expect(found[name] == data, "\(name)") }

            let costs = try pipeline(recipe, broken).results().costs
            let dm = try #require(costs.first { $0.stage == "baseline dm" })
            #expect(dm.optimizedValues == 2 * 3 * 28 * 28)
            #expect(try #require(dm.meanChange) > 0)
            let idc = try #require(costs.first { $0.stage == "baseline idc" })
            #expect(idc.optimizedValues == 2 * 3 * 28 * 28)
            #expect(try #require(idc.meanChange) > 0)
            // What is stored is kept beside what networks are trained on.
            let stored = broken.appendingPathComponent("stored")
            #expect(try ImageFolder(stored.appendingPathComponent("idc")).count == 6)
            #expect(costs.contains { $0.stage == "features" })
            #expect(costs.first { $0.stage == "baseline random" }?.optimizedValues == nil)
        }
    }

    @Test("settings of methods that make no sense are refused before any stage")
    func refusals() throws {
        try withData { folder, recipe in
            func refused(_ change: (inout Recipe) -> Void) -> String {
                var recipe = recipe
                change(&recipe)
                let run = folder.appendingPathComponent("refused")
                let error = #expect(throws: (any Error).self) { try pipeline(recipe, run).run() }
                let made = (try? FileManager.default.subpathsOfDirectory(atPath: run.path)) ?? []
                #expect(!made.contains { $0.hasSuffix(".safetensors") || $0.hasSuffix(".png") })
                try? FileManager.default.removeItem(at: run)
                return error.map { "\($0)" } ?? ""
            }
            #expect(refused { $0.dm.iterations = -1 }.contains("dm.iterations must be at least 1"))
            #expect(refused { $0.dm.realBatchSize = 0 }.contains("dm.realBatchSize"))
            #expect(refused { $0.dm.imagesAtOnce = -1 }.contains("dm.imagesAtOnce"))
            #expect(refused { $0.dm.imageLearningRate = -1 }.contains("dm.imageLearningRate"))
            #expect(refused { $0.dm.momentum = 1 }.contains("dm.momentum must be from 0"))
            #expect(refused { $0.idc.factor = 29 }.contains("29"))
            #expect(
                refused {
                    $0.data.size = 24
                    $0.evaluate.floatImages = true
                }.contains("24×24")
            )
        }
    }

    @Test("chosen files are copied byte by byte and named in the metadata")
    func copies() throws {
        try withData { folder, recipe in
            var recipe = recipe
            recipe.baselines = ["random", "k-center", "herding"]
            recipe.coreset.features = "pixels"
            let run = folder.appendingPathComponent("run")
            try makeAll(recipe, run)
            for name in recipe.baselines {
                let place = run.appendingPathComponent("baselines/\(name)")
                for line in try metadata(place) {
                    let source = try line["source"].string
                    let real = folder.appendingPathComponent("train/\(source)")
                    let copy = place.appendingPathComponent(try line["file_name"].string)
                    #expect(try Data(contentsOf: copy) == Data(contentsOf: real), "\(name)")
                    #expect(source.hasPrefix(try line["class"].string + "/"))
                }
            }
        }
    }

    @Test("JPEG files stay JPEG files, whatever the size of the crops")
    func photographs() throws {
        try withTemporaryFolder { folder in
            let golden = Golden.url("images")
            let jpegs = try FileManager.default.contentsOfDirectory(atPath: golden.path)
                .filter { $0.hasSuffix(".jpg") }.sorted()
            let photograph = try #require(jpegs.first)
            for name in ["a", "b"] {
                let place = folder.appendingPathComponent("train/\(name)")
                try FileManager.default.createDirectory(
                    at: place,
                    withIntermediateDirectories: true
                )
                try FileManager.default.copyItem(
                    at: golden.appendingPathComponent(photograph),
                    to: place.appendingPathComponent("x.JPG")
                )
            }
            var recipe = Recipe()
            recipe.data.train.path = folder.appendingPathComponent("train").path
            recipe.data.size = 16
            recipe.sample.imagesPerClass = 1
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).baseline("random")
            #expect(
                try Data(contentsOf: run.appendingPathComponent("baselines/random/b/0.jpg"))
                    == Data(contentsOf: golden.appendingPathComponent(photograph))
            )
            #expect(try ImageFolder(run.appendingPathComponent("baselines/random")).count == 2)
        }
    }

    @Test("the published rule takes the first files in string order")
    func firstFiles() throws {
        try withData { folder, recipe in
            var recipe = recipe
            recipe.coreset.random = .first
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).baseline("random")
            let lines = try metadata(run.appendingPathComponent("baselines/random"))
            let sources = try lines.map { try $0["source"].string }
            // "10.png" comes before "2.png".
            let names = ["0.png", "1.png", "10.png"]
            #expect(sources == names.map { "left/\($0)" } + names.map { "right/\($0)" })
        }
    }

    @Test("optimised images are kept as floats, begin as the images of random, and both are tested")
    func floats() throws {
        try withData { folder, recipe in
            var recipe = recipe
            recipe.baselines = ["random", "dm"]
            recipe.evaluate.floatImages = true
            recipe.evaluate.seeds = [0]
            let run = folder.appendingPathComponent("run")
            try makeAll(recipe, run)
            let place = run.appendingPathComponent("baselines/dm")
            let state = try Safetensors.load(
                contentsOf: place.appendingPathComponent("images.safetensors")
            )
            let images = try #require(state["images"])
            #expect(images.shape == [6, 1, 28, 28] && images.dtype == .float32)
            #expect(try #require(state["labels"]).values(as: Int.self) == [0, 0, 0, 1, 1, 1])
            let written = try Image(contentsOf: place.appendingPathComponent("right/1.png"))
            let levels = (images[4] * 255).clamped(to: 0...255).rounded()
            #expect(levels.values(as: Float.self).map { UInt8($0) } == written.bytes)
            #expect(
                try metadata(place).map { try $0["source"].string }
                    == metadata(run.appendingPathComponent("baselines/random"))
                    .map { try $0["source"].string }
            )
            // A surrogate in the place of that of the diffusion model.
            try FileManager.default.copyItem(
                at: place,
                to: run.appendingPathComponent("surrogate")
            )
            let pipeline = try pipeline(recipe, run)
            try pipeline.evaluate()
            let results = try pipeline.results().results
            #expect(results.map(\.method) == ["minimax", "random", "dm", "dm-float"])
            #expect(results.last?.train.path == "baselines/dm/images.safetensors")
        }
    }

    @Test("a model can be fine-tuned without the criteria before it is sampled")
    func plainDiffusion() throws {
        try withData { folder, recipe in
            var recipe = recipe
            recipe.model.weights = "pretrain"
            recipe.model.labelTable = .rebuild
            recipe.finetune.minimax.steps = 4
            let run = folder.appendingPathComponent("run")
            let refusal = #expect(throws: RunError.self) {
                try pipeline(recipe, run).baseline("dit")
            }
            #expect(refusal?.description.contains("dit.finetunes") == true)
            recipe.dit.finetunes = true
            let other = folder.appendingPathComponent("other")
            try pipeline(recipe, other).pretrain()
            try pipeline(recipe, other).baseline("dit")
            #expect(
                try ImageFolder(other.appendingPathComponent("baselines/dit")).count == 6
            )
            let plain = try Safetensors.load(
                contentsOf: other.appendingPathComponent("checkpoints/dit-finetuned.safetensors")
            )
            try pipeline(recipe, other).finetune()
            let minimax = try Safetensors.load(
                contentsOf: other.appendingPathComponent("checkpoints/finetuned.safetensors")
            )
            let differing = minimax.filter { name, tensor in
                plain[name].map { !$0.isEqual(to: tensor) } ?? true
            }
            #expect(!differing.isEmpty)
        }
    }

    @Test("every method can be estimated, and wrong settings are refused before any work")
    func settings() throws {
        try withData { folder, recipe in
            let run = folder.appendingPathComponent("run")
            let estimate = try pipeline(recipe, run)
                .estimate(recipe.baselines.map(RunStage.baseline))
            #expect(
                estimate.stages.map(\.stage) == recipe.baselines.map { "baseline \($0)" }
            )
            #expect(estimate.stages.allSatisfy { $0.seconds > 0 })

            let stranger = #expect(throws: RunError.self) {
                try pipeline(recipe, run).baseline("herdnig")
            }
            #expect(stranger?.description.contains("herding") == true)
            var single = recipe
            single.idc.factor = 1
            let factor = #expect(throws: RunError.self) {
                try pipeline(single, folder.appendingPathComponent("single")).baseline("idc")
            }
            #expect(factor?.description.contains("idc.factor is 1") == true)
            var many = recipe
            many.sample.imagesPerClass = 13
            let few = #expect(throws: RunError.self) {
                try pipeline(many, folder.appendingPathComponent("many")).baseline("random")
            }
            #expect(few?.description.contains("left has 12 images") == true)
            var unknown = recipe
            unknown.coreset.features = "resnet"
            #expect(throws: (any Error).self) {
                try pipeline(unknown, folder.appendingPathComponent("unknown")).baseline("herding")
            }
        }
    }

    @Test(
        "too few images of a class are refused before the first stage",
        arguments: [
            "random", "k-center", "herding", "dm", "idc-1", "idc",
        ]
    )
    func tooFewImages(method: String) throws {
        try withData { folder, recipe in
            var recipe = recipe
            recipe.baselines = [method]
            // Of 12 images of a class idc needs four for each of these.
            recipe.sample.imagesPerClass = method == "idc" ? 4 : 13
            let run = folder.appendingPathComponent("run")
            // This is no model: fine-tuning, the first stage, would have another complaint.
            let model = folder.appendingPathComponent("model.safetensors")
            try Data("none".utf8).write(to: model)
            recipe.model.weights = model.path
            let error = #expect(throws: (any Error).self) { try pipeline(recipe, run).run() }
            let needed = method == "idc" ? 16 : 13
            let message = error.map { "\($0)" } ?? ""
            #expect(message.contains("12 images") && message.contains("\(needed) are"))
        }
    }

    @Test("dm needs no images to begin with noise")
    func noise() throws {
        try withData { folder, recipe in
            var recipe = recipe
            recipe.dm.initialization = .noise
            recipe.dm.iterations = 1
            recipe.sample.imagesPerClass = 13
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).baseline("dm")
            #expect(try files(run).keys.filter { $0.hasSuffix(".png") }.count == 26)
        }
    }
}
