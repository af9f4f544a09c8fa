import Evaluation
import Experiments
import Foundation
import TestSupport
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
        let files = try FileManager.default.contentsOfDirectory(
            at: Checkout.url("Recipes"),
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

    @Test("every setting is documented")
    func documentation() throws {
        let document = try String(
            contentsOf: Checkout.url("Documentation/recipe.md"),
            encoding: .utf8
        )
        // `a.b` for every value of the resolved defaults, which the encoder indents by two spaces.
        var path = [Substring]()
        var settings = [String]()
        for line in try Recipe().yaml().split(separator: "\n") where line.contains(":") {
            let parts = line.split(separator: ":", maxSplits: 1)
            let depth = line.prefix { $0 == " " }.count / 2
            path = path.prefix(depth) + [parts[0].drop { $0 == " " }]
            let isLeaf = parts.count > 1 && !parts[1].allSatisfy(\.isWhitespace)
            if isLeaf { settings.append(path.joined(separator: ".")) }
        }
        #expect(settings.contains("finetune.minimax.diversity") && settings.count > 80)
        #expect(settings.filter { !document.contains("`\($0)`") } == [])
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
            ("sample: {steps: 1001}", "expected a number from 2 to 1000 for ddpm"),
            ("sample: {steps: 1}", "a number from 2"),
            ("sample: {sampler: dpm-solver++, steps: 1000}", "from 1 to 999 for dpm-solver++"),
            ("sample: {batchSize: 9223372036854775807}", "to 1000000000"),
            ("finetune: {epochs: 9223372036854775807}", "finetune.epochs"),
            ("evaluate: {epochs: -5}", "evaluate.epochs is -5: expected a number from 0"),
            ("evaluate: {evaluations: 0}", "evaluate.evaluations"),
            ("evaluate: {seeds: [0, 0]}", "evaluate.seeds"),
            ("finetune: {minimax: {emaDecay: 1.5}}", "emaDecay is 1.5: expected a number from 0"),
            ("finetune: {minimax: {labelDropProbability: 10}}", "labelDropProbability is 10"),
            ("finetune: {minimax: {learningRate: 0}}", "learningRate is 0.0: expected a number"),
            ("finetune: {minimax: {diversity: -0.1}}", "finetune.minimax.diversity"),
            ("pretrain: {training: {gradientNorm: 0}}", "pretrain.training.gradientNorm"),
            ("pretrain: {training: {warmupSteps: -1}}", "pretrain.training.warmupSteps"),
            ("pretrain: {training: {beta2: 1}}", "pretrain.training.beta2"),
            ("data: {channels: 2}", "data.channels is 2: expected 1 (grey), 3 (colour)"),
            ("data: {holdout: -0.5}", "data.holdout is -0.5"),
            ("data: {holdout: 1}", "data.holdout"),
            ("sample: {imagesPerClass: 4000000000000000000}", "from 1 to 1000000."),
            ("sample: {eta: 7}", "sample.eta is 7.0"), ("sample: {guidance: .nan}", "guidance nan"),
        ]
    )
    func badValues(yaml: String, named: String) {
        let error = #expect(throws: RecipeError.self) { try Recipe.read(yaml: yaml) }
        #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
    }

    @Test(
        "a setting that stands elsewhere is found there, and nothing far-fetched is suggested",
        arguments: [
            (
                "epochs: 50",
                "there is no setting epochs at the top level; there are finetune.epochs, "
                    + "coreset.epochs and evaluate.epochs."
            ),
            (
                "imagesPerClass: 50",
                "there are sample.imagesPerClass and evaluate.imagesPerClass."
            ),
            ("network: resnet-18", "evaluate.networks"),
            ("sample: {epochs: 5}", "there is no setting sample.epochs; there are finetune.epochs"),
            ("seeds: [1]", "there is evaluate.seeds. Or did you mean seed?"),
            ("nonsense: 1", "there is no setting nonsense. Known here: name, seed, "),
            ("methods: [dit]", "recipe is a grid, not a recipe: `distill compare`"),
        ]
    )
    func hints(yaml: String, expected: String) {
        let error = #expect(throws: RecipeError.self) { try Recipe.read(yaml: yaml) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }

    @Test(
        "a value of the wrong kind is told with where it came from and what would fit",
        arguments: [
            ("sample.imagesPerClass=ten", "expected a whole number, found ten."),
            ("sample.guidance=strong", "expected a number, found strong."),
            ("data.flips=maybe", "expected true or false, found maybe."),
            ("baselines=dm", "expected a list, such as [random, dit], found dm."),
            ("evaluate.seeds=[0, one]", "expected a whole number, found one."),
            ("name=[a]", "expected a single value, found [a]."),
            ("sample.sampler=foo", "expected ddpm, ddim or dpm-solver++, found foo."),
            ("data.train.format=foo", "expected folder, idx, cifar, tar-shards or fastai, found"),
            ("data.test.split=foo", "expected train or test, found"),
            ("model.labelTable=foo", "expected keep or rebuild, found"),
            ("coreset.random=foo", "expected seed or first, found"),
            ("coreset.kCenterStart=foo", "expected first or mean, found"),
            ("dm.initialization=foo", "expected real or noise, found"),
            ("idc.decoding=foo", "expected single, bound or multi, found"),
            ("idc.matching.distance=foo", "expected l1, mse, cosine or global-cosine, found"),
            ("idc.matching.layers=foo", "expected convolutions or all, found"),
            ("glad.objective=foo", "expected dm or dc, found"),
            ("evaluate.choose=foo", "expected random or first, found"),
            ("evaluate.select=foo", "expected last, best or holdout, found"),
            ("evaluate.seeds={a: 1}", "expected a list, such as [0, 1, 2], found a group of"),
            ("evaluate.seeds=[1", "the value is no valid YAML"),
            ("seed", "expected key.path=value"), ("a..b=1", "expected key.path=value"),
        ]
    )
    func wrongKinds(setting: String, expected: String) {
        let error = #expect(throws: RecipeError.self) {
            try Recipe.read(yaml: "", name: "tiny.yaml", overrides: [setting])
        }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("--set \(setting): \(expected)"), "\(text)")
    }

    @Test("the file is named where the file is wrong, and the last override where that is")
    func origins() {
        for (yaml, overrides, expected) in [
            (
                "seed: 1\nsample:\n  steps: few", ["seed=2"],
                "r.yaml, line 3: sample.steps: expected a whole number, found few."
            ),
            (
                "sample: {steps: few}", ["sample.steps=5", "sample.steps=many"],
                "--set sample.steps=many: expected a whole number, found many."
            ),
            (
                "", ["sample={steps: many, guidance: 3}"],
                "--set sample={steps: many, guidance: 3}: sample.steps: expected a whole number"
            ),
        ] {
            let error = #expect(throws: RecipeError.self) {
                try Recipe.read(yaml: yaml, name: "r.yaml", overrides: overrides)
            }
            let text = error?.description ?? ""
            #expect(text.hasPrefix(expected), "\(text)")
        }
    }

    @Test("a name is that of one folder", arguments: ["", " ", ".", "..", "../a", "a/b", "/tmp/a"])
    func names(name: String) {
        let error = #expect(throws: RecipeError.self) {
            try Recipe.read(yaml: "", overrides: ["name=\(name)"])
        }
        #expect(error?.description.contains("the name of one folder") == true)
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
