import Checkpoints
import Datasets
import Experiments
import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("The pipeline with the weights of others", .serialized)
struct ForeignModelTests {
    private func state(_ run: URL, _ name: String) throws -> StateDictionary {
        try Safetensors.load(contentsOf: run.appendingPathComponent("checkpoints/\(name)"))
    }

    @Test("a subset's folders get the labels of ImageNet, whatever else is there")
    func labels() throws {
        // beagle, Australian terrier and a folder that is no class of the list.
        let names = ["n02088364", "n02096294", "unrelated"]
        try ForeignModel.withData(names) { folder, recipe, weights in
            var some = recipe
            let list = folder.appendingPathComponent("two.tsv")
            try Data(
                "wnid\tlabel\tname\nn02096294\t193\tterrier\nn02088364\t162\tbeagle\n".utf8
            ).write(to: list)
            some.data.classes = list.path
            let run = folder.appendingPathComponent("run")
            let file = try pipeline(some, run).pretrainedModel()
            #expect(try pipeline(some, run).networkLabels(file.description) == [162, 193])
            #expect(file.description.architecture == ForeignModel.architecture)
            // The average of a training checkpoint, as the reference samples from it.
            let found = try #require(file.weights["x_embedder.proj.weight"])
            expectClose(found, try #require(weights["x_embedder.proj.weight"]), absolute: 0)
            try pipeline(some, run).run()
            let surrogate = try ImageFolder(run.appendingPathComponent("surrogate"))
            #expect(surrogate.classNames == ["n02088364", "n02096294"])
            #expect(surrogate.count == 4)
            let dit = try ImageFolder(run.appendingPathComponent("baselines/dit"))
            #expect(dit.count == 4)

            let error = #expect(throws: RunError.self) {
                try pipeline(recipe, folder.appendingPathComponent("all")).finetune()
            }
            #expect(error?.description.contains("unrelated") == true)
            #expect(error?.description.contains("model.labelTable=rebuild") == true)
        }
    }

    @Test("new classes get new rows in the table of labels, which are trained; no class stays")
    func ownClasses() throws {
        try ForeignModel.withData(["boats", "houses", "trees"]) { folder, recipe, weights in
            var own = recipe
            own.model.labelTable = .rebuild
            let refused = #expect(throws: RunError.self) {
                try pipeline(own, folder.appendingPathComponent("dit")).run()
            }
            #expect(refused?.description.contains("baselines") == true)
            own.baselines = ["random"]
            let name = "y_embedder.embedding_table.weight"
            let run = folder.appendingPathComponent("run")
            let start = try pipeline(own, run).pretrainedModel()
            let table = try #require(start.weights[name])
            let old = try #require(weights[name])
            #expect(table.shape == [4, 16])
            expectClose(table[3], old[1000], absolute: 0)
            let spread: Float = table[0..<3].converted(to: .float32).norm(axes: [0, 1]).values()[0]
            #expect(abs(Double(spread) / (48.0).squareRoot() - 0.02) < 0.006)
            try pipeline(own, run).run()
            let trained = try #require(try state(run, "finetuned.safetensors")[name])
            #expect(trained.shape == [4, 16])
            #expect(trained[0].bytes() != table[0].bytes())
            let surrogate = try ImageFolder(run.appendingPathComponent("surrogate"))
            #expect(surrogate.classNames == ["boats", "houses", "trees"])
            // A model for three classes knows them by name from now on.
            let model = try ModelFile(
                contentsOf: run.appendingPathComponent("checkpoints/finetuned.safetensors")
            )
            #expect(model.description.classNames == ["boats", "houses", "trees"])
            #expect(model.description.architecture.classCount == 3)
        }
    }

    @Test("phases in the order of the list, each from the pre-trained model, resumed anywhere")
    func phases() throws {
        let names = ["n02086240", "n02087394", "n02088364", "n02096294", "n02099601"]
        try ForeignModel.withData(names) { folder, recipe, weights in
            var phased = recipe
            let list = folder.appendingPathComponent("list.tsv")
            // The last class is encoded in a smaller batch than alone, so it is in the last phase.
            let order = ["n02096294", "n02086240", "n02088364", "n02087394", "n02099601"]
            let rows = zip(order, [193, 155, 162, 159, 207]).map { "\($0)\t\($1)\tdog" }
            try Data("wnid\tlabel\tname\n\(rows.joined(separator: "\n"))\n".utf8).write(to: list)
            phased.data.classes = list.path
            phased.finetune.classesPerPhase = 2
            phased.finetune.epochs = 2
            phased.finetune.checkpointEvery = 1
            phased.baselines = []
            let whole = folder.appendingPathComponent("whole")
            try pipeline(phased, whole).run()
            let last = try state(whole, "phase-02/finetuned.safetensors")
            #expect(try state(whole, "phase-00/finetuned.safetensors").names == last.names)
            // Only what was trained is stored.
            #expect(last.names.allSatisfy(DiT.isFineTuned))
            #expect(last["blocks.0.attn.qkv.bias"] != nil)
            // The first phase has the first two classes of the list, eight images, two epochs.
            let metrics = try String(
                contentsOf: whole.appendingPathComponent("recipe.resolved.yaml"),
                encoding: .utf8
            )
            #expect(metrics.contains("classesPerPhase: 2"))
            let surrogate = try ImageFolder(whole.appendingPathComponent("surrogate"))
            #expect(surrogate.count == 10)

            // Every phase begins with the pre-trained model: a run on its classes alone gives the
            // same weights.
            for phase in 0..<2 {
                var alone = phased
                let part = folder.appendingPathComponent("part-\(phase).tsv")
                let classes = rows[2 * phase..<2 * phase + 2].joined(separator: "\n")
                try Data("wnid\tlabel\tname\n\(classes)\n".utf8).write(to: part)
                alone.data.classes = part.path
                let single = folder.appendingPathComponent("single-\(phase)")
                try pipeline(alone, single).finetune()
                let expected = try state(single, "finetuned.safetensors")
                let found = try state(whole, "phase-0\(phase)/finetuned.safetensors")
                for (name, tensor) in found {
                    let other = try #require(expected[name])
                    expectClose(tensor, other, absolute: 1e-7, "phase \(phase): \(name)")
                }
            }

            let broken = folder.appendingPathComponent("broken")
            try pipeline(phased, broken).encode()
            var attempts = 0
            while attempts < 60 {
                attempts += 1
                var questions = 0
                do {
                    try pipeline(phased, broken) {
                        questions += 1
                        return questions % 3 == 0
                    }.run()
                    break
                } catch is InterruptedError {}
            }
            #expect((4..<60).contains(attempts))
            for name in try FileManager.default.subpathsOfDirectory(atPath: whole.path)
            where name.hasSuffix(".png") || name.hasSuffix("finetuned.safetensors") {
                let data = try Data(contentsOf: whole.appendingPathComponent(name))
                let other = try? Data(contentsOf: broken.appendingPathComponent(name))
                #expect(data == other, "\(name)")
            }
        }
    }

    @Test("what is no diffusion transformer for these latents is refused by name")
    func unusable() throws {
        try ForeignModel.withData(["n02086240", "n02087394"]) { folder, recipe, _ in
            func message(_ weights: String) -> String {
                var other = recipe
                other.model.weights = folder.appendingPathComponent(weights).path
                let run = folder.appendingPathComponent("run-\(weights)")
                let error = #expect(throws: RunError.self) { try pipeline(other, run).finetune() }
                return error?.description ?? ""
            }
            #expect(message("small_encoder.safetensors").contains("no diffusion transformer"))
            func message(of name: String, _ change: (inout DiT.Configuration) -> Void) throws
                -> String
            {
                var other = ForeignModel.architecture
                change(&other)
                var generator = RandomGenerator(seed: 1)
                try Safetensors.save(
                    DiT(other, using: &generator).state(),
                    to: folder.appendingPathComponent("\(name).safetensors")
                )
                return message("\(name).safetensors")
            }
            let wide = try message(of: "wide") { $0.channels = 16 }
            #expect(wide.contains("16 channels"))
            let large = try message(of: "large") { $0.inputSize = 32 }
            #expect(large.contains("256×256"))
        }
    }
}
