import Checkpoints
import Datasets
import Experiments
import Foundation
import Images
import Models
import TestSupport
import Testing
import Torch

@Suite("The pipeline of a model that works on latents", .serialized)
struct LatentPipelineTests {
    /// Images of two classes, a random tiny autoencoder in two files, and a recipe for them.
    private func withData(_ body: (URL, Recipe) throws -> Void) throws {
        try withTemporaryFolder { folder in
            for (number, name) in ["train", "test"].enumerated() {
                let writer = try SurrogateWriter(
                    folder: folder.appendingPathComponent(name),
                    classNames: ["dark", "light"]
                )
                for k in 0..<10 {
                    let level = UInt8((k % 2 == 0 ? 20 : 200) + k + 10 * number)
                    try writer.write(
                        Image(width: 40, height: 34, channels: 1, filledWith: level),
                        label: k % 2,
                        index: k / 2
                    )
                }
            }
            var recipe = Recipe()
            recipe.data.train.path = folder.appendingPathComponent("train").path
            recipe.data.test.path = folder.appendingPathComponent("test").path
            recipe.data.size = 32
            recipe.data.channels = 3
            recipe.model.autoencoder = try writeTinyAutoencoder(in: folder)
            recipe.model.weights = folder.appendingPathComponent("model.safetensors").path
            recipe.pretrain.patchSize = 2
            recipe.pretrain.hiddenSize = 16
            recipe.pretrain.depth = 2
            recipe.pretrain.heads = 2
            recipe.pretrain.training.steps = 4
            recipe.pretrain.training.batchSize = 4
            recipe.finetune.minimax.steps = 4
            recipe.finetune.minimax.batchSize = 4
            recipe.finetune.minimax.emaDecay = 0.9
            recipe.sample.imagesPerClass = 2
            recipe.sample.steps = 3
            recipe.sample.batchSize = 2
            try body(folder, recipe)
        }
    }

    @Test("images are optimised in the latents of the autoencoder, with interruptions too")
    func glad() throws {
        try withData { folder, recipe in
            var recipe = recipe
            recipe.baselines = ["glad"]
            recipe.glad.iterations = 5
            recipe.glad.network = "convnet-2"
            recipe.glad.layer = 3
            recipe.glad.checkpointEvery = 2
            recipe.glad.imagesAtOnce = 3
            recipe.glad.realBatchSize = 4
            let whole = folder.appendingPathComponent("whole")
            try pipeline(recipe, whole).baseline("glad")
            let broken = folder.appendingPathComponent("broken")
            #expect(throws: InterruptedError.self) {
                try pipeline(recipe, broken) { true }.baseline("glad")
            }
            try pipeline(recipe, broken).baseline("glad")
            for name in ["images.safetensors", "dark/1.png", "light/0.png", "metadata.jsonl"] {
                let place = "baselines/glad/\(name)"
                let expected = try Data(contentsOf: whole.appendingPathComponent(place))
                #expect(try Data(contentsOf: broken.appendingPathComponent(place)) == expected)
            }
            let cost = try pipeline(recipe, broken).results().costs
                .first { $0.stage == "baseline glad" }
            // Latents of 4×4 positions, and a map of as many.
            #expect(try #require(cost?.optimizedValues) > 4 * 4 * 4 * 4)
            #expect(try #require(cost?.meanChange) > 0)
            let estimate = try pipeline(recipe, whole).estimate([.baseline("glad")])
            #expect(try #require(estimate.stages.first).seconds > 0)

            recipe.glad.layer = 20
            let other = folder.appendingPathComponent("other")
            #expect(throws: (any Error).self) { try pipeline(recipe, other).baseline("glad") }
            recipe.model.autoencoder = ""
            let error = #expect(throws: RunError.self) {
                try pipeline(recipe, folder.appendingPathComponent("none")).baseline("glad")
            }
            #expect(error?.description.contains("glad.prior and model.autoencoder are") == true)
        }
    }

    @Test("a model on grey pixels of another size has an autoencoder as prior, too")
    func gladWithOwnPrior() throws {
        try withData { folder, recipe in
            var recipe = recipe
            recipe.data.size = 28
            recipe.data.channels = 1
            recipe.glad.prior = recipe.model.autoencoder
            recipe.model.autoencoder = ""
            recipe.baselines = ["glad"]
            recipe.glad.iterations = 2
            recipe.glad.network = "convnet-2"
            recipe.glad.realBatchSize = 4
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).baseline("glad")
            let file = run.appendingPathComponent("baselines/glad/images.safetensors")
            let images = try #require(try SafetensorsFile(contentsOf: file).state()["images"])
            #expect(images.shape == [4, 1, 28, 28])

            recipe.glad.prior = folder.appendingPathComponent("nowhere").path
            let error = #expect(throws: RunError.self) {
                try pipeline(recipe, folder.appendingPathComponent("none")).baseline("glad")
            }
            #expect(error?.description.contains("glad.prior: there is no") == true)
        }
    }

    @Test("latents are cached once, and the surrogate has images of the right size")
    func stages() throws {
        try withData { folder, recipe in
            let run = folder.appendingPathComponent("run")
            // Interrupted before the first batch: the next call does the work.
            #expect(throws: InterruptedError.self) {
                try pipeline(recipe, run) { true }.encode()
            }
            let latents = try #require(try pipeline(recipe, run).encode())
            let cache = try LatentCache(opening: latents)
            #expect(cache.latentShape == [4, 4, 4])
            #expect(cache.count == 10)
            let file = latents.appendingPathComponent("latents-00000.safetensors")
            let written = try Data(contentsOf: file)

            let weights = try pipeline(recipe, run).pretrain()
            let model = try ModelFile(contentsOf: weights)
            #expect(model.description.architecture.inputSize == 4)
            #expect(model.description.architecture.channels == 4)
            let expected = TinyAutoencoder.Configuration(latentChannels: 4, width: 8)
            #expect(model.description.autoencoder == .tiny(expected))
            try FileManager.default.copyItem(
                at: weights,
                to: URL(fileURLWithPath: recipe.model.weights)
            )
            try pipeline(recipe, run).finetune()
            try pipeline(recipe, run).sample()
            #expect(try Data(contentsOf: file) == written)
            let other = folder.appendingPathComponent("estimated")
            let estimate = try pipeline(recipe, other).estimate([.finetune, .sample])
            #expect(estimate.stages.first?.stage == "encode")
            #expect(estimate.text.contains("encode"))
            #expect(!LatentCache.isPresent(in: other.appendingPathComponent("latents")))
            let encoding = try pipeline(recipe, other).estimate([.encode])
            #expect(encoding.diskBytes == 10 * 2 * 64 * 4)
            let surrogate = try ImageFolder(run.appendingPathComponent("surrogate"))
            #expect(surrogate.count == 4)
            let image = try surrogate.image(at: 0)
            #expect((image.width, image.height, image.channels) == (32, 32, 3))
        }
    }

    @Test("latents are the same whatever a run computes in, and none are made for no steps")
    func encoding() throws {
        try withData { folder, recipe in
            var files = [Data]()
            for precision in [nil, DType.bfloat16] {
                let run = folder.appendingPathComponent("in \(precision ?? .float32)")
                let pipeline = try Pipeline(
                    recipe,
                    in: run,
                    environment: .init(precision: precision, isInterrupted: { false }),
                    observer: SilentObserver()
                )
                let latents = try #require(try pipeline.encode())
                let file = latents.appendingPathComponent("latents-00000.safetensors")
                files.append(try Data(contentsOf: file))
            }
            #expect(files[0] == files[1])

            let pretraining = try pipeline(recipe, folder.appendingPathComponent("pretrain"))
            let start = ContinuousClock.now
            let weights = try pretraining.pretrain()
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            let costs = try pretraining.results().costs
            #expect(costs.map(\.stage) == ["encode", "pretrain"])
            // Nothing is counted twice.
            #expect(costs.reduce(0) { $0 + $1.seconds } <= seconds)
            var untrained = recipe
            untrained.model.weights = weights.path
            untrained.finetune.minimax.steps = 0
            let run = folder.appendingPathComponent("untrained")
            try pipeline(untrained, run).finetune()
            try pipeline(untrained, run).sample()
            #expect(!LatentCache.isPresent(in: run.appendingPathComponent("latents")))
            #expect(try ImageFolder(run.appendingPathComponent("surrogate")).count == 4)
        }
    }

    @Test("another or no autoencoder than the model's is refused before any work starts")
    func mismatch() throws {
        try withData { folder, recipe in
            let weights = try pipeline(recipe, folder.appendingPathComponent("pretrain")).pretrain()
            try FileManager.default.copyItem(
                at: weights,
                to: URL(fileURLWithPath: recipe.model.weights)
            )
            func message(_ name: String, _ change: (inout Recipe) -> Void) -> String {
                var other = recipe
                change(&other)
                let error = #expect(throws: RunError.self) {
                    try pipeline(other, folder.appendingPathComponent(name)).finetune()
                }
                return error?.description ?? ""
            }
            #expect(message("none") { $0.model.autoencoder = "" }.contains("model.autoencoder"))
            #expect(message("size") { $0.data.size = 64 }.contains("4×4×4"))
            let wide = try writeTinyAutoencoder(named: "wide", latentChannels: 16, in: folder)
            #expect(message("wide") { $0.model.autoencoder = wide }.contains("trained"))
            let missing = #expect(throws: RunError.self) {
                var other = recipe
                other.model.autoencoder = folder.appendingPathComponent("nothing").path
                try pipeline(other, folder.appendingPathComponent("missing")).encode()
            }
            #expect(missing?.code == .missingFile)
        }
    }

    @Test("the model that ships, of an older version, works on pixels")
    func olderModel() throws {
        let file = try ModelFile(
            contentsOf: Checkout.url("Resources/fashion-mnist-dit.safetensors")
        )
        guard case .pixels(let space) = file.description.autoencoder else {
            Issue.record("\(file.description.autoencoder) is not the pixel space")
            return
        }
        #expect(space.mean.count == file.description.architecture.channels)
        try withTemporaryFolder { folder in
            let copy = folder.appendingPathComponent("copy.safetensors")
            try file.save(to: copy)
            #expect(try ModelFile(contentsOf: copy).description == file.description)
        }
    }
}
