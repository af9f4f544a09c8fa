import Evaluation
import Experiments
import Foundation
import Testing

@Suite("Recipes")
struct RecipeTests {
    @Test("an empty recipe is the defaults")
    func defaults() throws {
        #expect(try Recipe.read(yaml: "") == Recipe())
        #expect(try Recipe.read(yaml: "name: run") == Recipe())
    }

    @Test("a recipe round-trips through its resolved form")
    func roundTrip() throws {
        var recipe = Recipe()
        recipe.name = "a: b # c"
        recipe.seed = 7
        recipe.finetune.minimax.diversity = 0.0123456789
        recipe.evaluate.seeds = [3, 1]
        recipe.sample.sampler = .dpmSolver
        recipe.baselines = []
        #expect(try Recipe.read(yaml: recipe.yaml()) == recipe)
    }

    @Test("every recipe that ships decodes and round-trips")
    func shippedRecipes() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Recipes")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder,
            includingPropertiesForKeys: nil
        ).filter { $0.pathExtension == "yaml" }
        #expect(!files.isEmpty)
        for file in files {
            let recipe = try Recipe.read(file)
            #expect(try Recipe.read(yaml: recipe.yaml()) == recipe, "\(file.lastPathComponent)")
            _ = try EvaluationProtocol.named(recipe.evaluate.evaluationProtocol)
        }
    }

    @Test("numbers may be written as people write them")
    func numbers() throws {
        let recipe = try Recipe.read(
            yaml: "finetune: {minimax: {learningRate: 1e-3, steps: 200}}\nsample: {guidance: 4}"
        )
        #expect(recipe.finetune.minimax.learningRate == 0.001)
        #expect(recipe.finetune.minimax.steps == 200)
        #expect(recipe.sample.guidance == 4)
    }

    @Test("an unknown key is an error that names the nearest known one and the line")
    func unknownKey() throws {
        let error = #expect(throws: RecipeError.self) {
            try Recipe.read(yaml: "name: x\nfinetune:\n  minimax:\n    step: 3\n")
        }
        let text = error?.description ?? ""
        #expect(text.contains("finetune.minimax.step"), "\(text)")
        #expect(text.contains("Did you mean steps?"), "\(text)")
        #expect(text.contains("line 4"), "\(text)")
    }

    @Test(
        "values that do not fit are errors that name the setting",
        arguments: [
            ("finetune: {minimax: {steps: many}}", "steps"), ("finetune: 3", "finetune"),
            ("sample: {sampler: euler}", "sampler"), ("seed: -1", "seed"),
            ("evaluate: {seeds: 3}", "seeds"), ("name: [", "YAML"),
            ("finetune: {logEvery: 0}", "finetune.logEvery is 0: expected a number from 1"),
            ("pretrain: {checkpointEvery: 0}", "pretrain.checkpointEvery"),
            ("finetune: {minimax: {memorySize: 0}}", "finetune.minimax.memorySize"),
            ("finetune: {minimax: {batchSize: 0}}", "finetune.minimax.batchSize"),
            ("sample: {imagesPerClass: -1}", "sample.imagesPerClass"),
            ("sample: {batchSize: 0}", "sample.batchSize"), ("sample: {steps: 0}", "sample.steps"),
            ("sample: {steps: 1001}", "at most 1000"),
            ("evaluate: {epochs: -5}", "evaluate.epochs is -5: expected a number from 0"),
            ("evaluate: {evaluations: 0}", "evaluate.evaluations"),
            ("evaluate: {seeds: [0, 0]}", "evaluate.seeds"),
        ]
    )
    func badValues(yaml: String, named: String) {
        let error = #expect(throws: RecipeError.self) { try Recipe.read(yaml: yaml) }
        #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
    }

    @Test("--set overrides a leaf, and checks it like the file")
    func overrides() throws {
        let recipe = try Recipe.read(
            yaml: "seed: 1",
            overrides: ["seed=5", "finetune.minimax.steps=20", "evaluate.seeds=[4]"]
        )
        #expect(recipe.seed == 5)
        #expect(recipe.finetune.minimax.steps == 20)
        #expect(recipe.evaluate.seeds == [4])
        for wrong in ["seed", "sede=1", "finetune.minimax.stepz=1", "seed=x"] {
            #expect(throws: RecipeError.self, "\(wrong)") {
                try Recipe.read(yaml: "", overrides: [wrong])
            }
        }
    }
}
