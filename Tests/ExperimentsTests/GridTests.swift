import Evaluation
import Experiments
import Foundation
import TestSupport
import Testing

@Suite("Grids")
struct GridTests {
    @Test("every key is strict, with the nearest one that is known")
    func unknownKeys() {
        for (yaml, expected) in [
            ("method: [dit]", "Did you mean methods?"),
            ("recipe: {finetun: {}}", "Did you mean finetune?"),
            ("recipe: {evaluate: {epoch: 3}}", "recipe.evaluate.epoch. Did you mean epochs?"),
            ("distribution: {feature: pixels}", "Did you mean features?"),
            ("vary: {sample.guidence: [1]}", "Did you mean guidance?"),
            ("vary: {sample.guidance: 3}", "expected a list"),
            ("vary: {evaluate.seeds: [[1]]}", "under seeds of the grid"),
            ("vary: {data.size: [14]}", "same data"),
            ("vary: {evaluate.floatImages: [true, false]}", "one result"),
            ("vary: {finetune.minimax: [{steps: 10}]}", "group of settings"),
            ("networks: [convnet-3]\nepochs: {resnet-18: 4}", "not among the networks"),
            ("epochs: {convnet-3: 0}", "a number from 1"),
            ("epochs: 4", "networks with numbers"),
            ("networks: [convnet-3]\nbatchSize: {resnet-18: 8}", "not among the networks"),
            ("batchSize: {convnet-3: 0}", "a number from 1"),
            ("batchSize: 8", "networks with numbers"),
            ("epochs: {convnet-3: many}", "by images per class"),
            ("imagesPerClass: [5]\nepochs: {convnet-3: {10: 4}}", "10 is not among imagesPerClass"),
            ("imagesPerClass: [5]\nepochs: {convnet-3: {5: 0}}", "a number from 1"),
            ("epochs: {convnet-3: 4}\nvary: {evaluate.epochs: [1, 2]}", "only one of the two"),
            ("seeds: 3", "seeds: expected a list"),
            ("seeds: [0, 0]", "expected different numbers"),
            ("imagesPerClass: [0]", "from 1"),
            ("networks: [resnet-19]", "networks: "),
            ("methods: []", "one or more"),
            ("[1, 2]", "expected name"),
            ("a: [", "no valid YAML"),
            ("guidance: 3", "guidance at the top level; there is recipe.sample.guidance."),
            ("vary: {sample.guidanc: [3]}", "grid: vary.sample.guidanc=3: there is no setting"),
            ("vary: {sample.steps: [few]}", "vary.sample.steps=few: expected a whole number"),
            ("imagesPerClass: ten", "imagesPerClass: expected a list of whole numbers"),
            ("imagesPerClass: [1, ten]", "found [1, ten]."),
            ("name: ../elsewhere", "the name of one folder"),
            ("name: ''", "the name of one folder"),
            ("name: x\ndata: {size: 28}", "grid is a recipe, not a grid: `distill run`"),
            (
                "distribution: {realImages: many}",
                "line 1: distribution.realImages: expected a whole number, found many."
            ),
            (
                "recipe:\n  sample: {steps: few}",
                "grid, line 2: recipe.sample.steps: expected a whole number, found few."
            ),
        ] {
            let error = #expect(throws: RecipeError.self) { try Grid.read(yaml: yaml) }
            #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        }
    }

    @Test(
        "what a grid has a list for cannot be set as a setting of its recipe",
        arguments: [
            ("evaluate.seeds=[7]", "under seeds of"), ("evaluate={seeds: [7]}", "under seeds of"),
            ("evaluate.networks=[resnet-18]", "under networks of"),
            ("evaluate.imagesPerClass=[1]", "under imagesPerClass of"),
            ("sample.imagesPerClass=5", "under imagesPerClass of"),
            ("baselines=[dm]", "under methods of"), ("name=x", "name of the grid"),
            ("evaluate.floatImages=true", "one result"),
        ]
    )
    func ownLists(setting: String, named: String) {
        let option = #expect(throws: RecipeError.self) {
            try Grid.read(yaml: "name: x", overrides: [setting])
        }
        #expect(option?.description.contains(named) == true, "\(option?.description ?? "")")
        #expect(option?.description.hasPrefix("--set \(setting): ") == true)
        let words = setting.split(separator: "=", maxSplits: 1)
        let path = words[0].split(separator: ".")
        let group = path.count > 1 ? "{\(path[1]): \(words[1])}" : "\(words[1])"
        for from in ["", "from: Recipes/fashion-mnist-demo.yaml, "] {
            let inside = #expect(throws: RecipeError.self) {
                try Grid.read(yaml: "recipe: {\(from)\(path[0]): \(group)}")
            }
            #expect(inside?.description.contains(named) == true, "\(inside?.description ?? "")")
        }
    }

    @Test("epochs of every network leave evaluate.epochs without effect, which is said")
    func epochsWithoutEffect() throws {
        let yaml = "networks: [convnet-3, resnet-18]\nepochs: {convnet-3: 5, resnet-18: {10: 4}}"
        let error = #expect(throws: RecipeError.self) {
            try Grid.read(yaml: yaml, overrides: ["evaluate.epochs=2"])
        }
        #expect(error?.description.contains("epochs of the grid") == true)
        let other =
            yaml.replacingOccurrences(of: "{10: 4}", with: "{20: 4}")
            + "\nimagesPerClass: [10, 20]"
        let grid = try Grid.read(yaml: other, overrides: ["evaluate.epochs=2", "seed=3"])
        #expect(grid.recipe.evaluate.epochs == 2)
        #expect(grid.recipe.seed == 3)
    }

    @Test("a grid read from its resolved form is the same grid")
    func roundTrip() throws {
        let grid = try Grid.read(
            yaml: """
                name: everything
                recipe:
                  from: Recipes/fashion-mnist-demo.yaml
                  evaluate: {epochs: 7}
                methods: [random, minimax]
                imagesPerClass: [2, 10]
                networks: [convnet-3, resnet-18]
                epochs: {resnet-18: 3, convnet-3: {2: 9, 10: 8}}
                batchSize: {resnet-18: 16}
                seeds: [0, 4]
                vary:
                  - {finetune.minimax.representativeness: [0, 0.002], sample.sampler: [ddim]}
                  - sample.guidance: [1, 4.0]
                distribution: {features: none, perplexity: 5}
                """,
            overrides: ["evaluate.evaluations=1"]
        )
        #expect(grid.recipe.evaluate.epochs == 7)
        #expect(grid.recipe.evaluate.evaluations == 1)
        #expect(grid.recipe.finetune.minimax.steps == 500)
        #expect(try Grid.read(yaml: grid.yaml()) == grid)
    }

    @Test("cells are the product of the lists, with keys that are words of a shell")
    func product() throws {
        let plan = try GridPlan(
            Grid.read(
                yaml: """
                    methods: [random, dit, minimax]
                    imagesPerClass: [10, 1]
                    networks: [convnet-3, resnet-18]
                    seeds: [0, 1]
                    """
            )
        )
        #expect(plan.cells.count == 24)
        #expect(Set(plan.cells.map(\.key)).count == 24)
        #expect(plan.cells[0].key == "random_1_convnet-3_seed0")
        #expect(plan.cells[23].key == "minimax_10_resnet-18_seed1")
        let coreset = try GridPlan(
            Grid.read(yaml: "methods: [k-center, herding]\nimagesPerClass: [1, 10]")
        )
        // A set for each number, and one network whose features both choose by.
        #expect(
            coreset.units.map(\.key) == [
                "features", "k-center-1", "k-center-10", "herding-1", "herding-10",
            ]
        )
        // One model, and one set a method that smaller ones are chosen from.
        #expect(plan.units.map(\.key) == ["random-10", "dit-10", "finetune", "minimax-10"])
    }

    @Test("epochs are those of the network and the number of images, or the recipe's")
    func epochs() throws {
        let plan = try GridPlan(
            Grid.read(
                yaml: """
                    recipe: {evaluate: {epochs: 7}}
                    methods: [random]
                    imagesPerClass: [1, 10]
                    networks: [convnet-3, resnet-18, resnet-ap-10]
                    epochs: {resnet-18: 3, convnet-3: {10: 5}}
                    seeds: [0]
                    """
            )
        )
        let epochs = plan.cells.map {
            "\($0.network) \($0.imagesPerClass): \($0.recipe.evaluate.epochs)"
        }
        #expect(
            epochs == [
                "convnet-3 1: 7", "resnet-18 1: 3", "resnet-ap-10 1: 7",
                "convnet-3 10: 5", "resnet-18 10: 3", "resnet-ap-10 10: 7",
            ]
        )
    }

    @Test("batches are those of the network, or the protocol's, also where the protocol is varied")
    func batches() throws {
        let plan = try GridPlan(
            Grid.read(
                yaml: """
                    methods: [random]
                    networks: [convnet-3, resnet-18]
                    batchSize: {resnet-18: 8}
                    seeds: [0]
                    vary: {evaluate.protocol: [gu-hard-28, gu-hard-28+batch=32+augmentation=none]}
                    """
            )
        )
        #expect(
            plan.cells.map { "\($0.network): \($0.recipe.evaluate.evaluationProtocol)" } == [
                "convnet-3: gu-hard-28", "resnet-18: gu-hard-28+batch=8",
                "convnet-3: gu-hard-28+batch=32+augmentation=none",
                "resnet-18: gu-hard-28+batch=8+augmentation=none",
            ]
        )
    }

    @Test("an option is varied for what depends on it, and the usual value is there once")
    func variation() throws {
        let plan = try GridPlan(
            Grid.read(
                yaml: """
                    recipe: {finetune: {minimax: {representativeness: 0.01}}}
                    methods: [random, dit, minimax]
                    imagesPerClass: [10]
                    seeds: [0]
                    vary:
                      - finetune.minimax.representativeness: [0, 0.002, 0.01]
                      - sample.guidance: [4, "2.0"]
                      - evaluate.epochs: [5]
                    """
            )
        )
        #expect(plan.base["sample.guidance"] == "4")
        #expect(
            Set(plan.cells.map(\.key)) == [
                "random_10_convnet-3_seed0",
                "random_10_convnet-3_seed0_evaluate.epochs=5",
                "dit_10_convnet-3_seed0",
                "dit_10_convnet-3_seed0_sample.guidance=2",
                "dit_10_convnet-3_seed0_evaluate.epochs=5",
                "minimax_10_convnet-3_seed0",
                "minimax_10_convnet-3_seed0_finetune.minimax.representativeness=0",
                "minimax_10_convnet-3_seed0_finetune.minimax.representativeness=0.002",
                "minimax_10_convnet-3_seed0_sample.guidance=2",
                "minimax_10_convnet-3_seed0_evaluate.epochs=5",
            ]
        )
        // Guidance shares the fine-tuned model; epochs of networks share everything.
        #expect(
            Set(plan.units.map(\.key)) == [
                "random-10", "dit-10", "dit-10_sample.guidance=2", "finetune", "minimax-10",
                "finetune_finetune.minimax.representativeness=0",
                "minimax-10_finetune.minimax.representativeness=0",
                "finetune_finetune.minimax.representativeness=0.002",
                "minimax-10_finetune.minimax.representativeness=0.002",
                "minimax-10_sample.guidance=2",
            ]
        )
        // What is varied away from the usual value must be among the values to be there.
        let without = try GridPlan(Grid.read(yaml: "vary: {sample.guidance: [2]}\nmethods: [dit]"))
        #expect(without.cells.allSatisfy { $0.variation == ["sample.guidance": "2"] })
    }

    @Test("methods that optimise images depend on their own settings alone")
    func pixelMethods() throws {
        let plan = try GridPlan(
            Grid.read(
                yaml: """
                    recipe: {model: {weights: pretrain, autoencoder: vae}}
                    methods: [dm, idc-1, glad, herding]
                    imagesPerClass: [10]
                    vary:
                      - sample.guidance: [2, 4]
                      - dm.iterations: [5, 6]
                      - glad.iterations: [7]
                      - idc.factor: [2]
                      - coreset.kCenterStart: [mean]
                    """
            )
        )
        // Neither latents nor a diffusion model, and each once for each setting that it looks at.
        #expect(
            Set(plan.units.map(\.key)) == [
                "dm-10", "dm-10_dm.iterations=5", "dm-10_dm.iterations=6", "idc-1-10", "glad-10",
                "glad-10_glad.iterations=7", "features", "herding-10",
            ]
        )
    }

    @Test("what draws nothing is made once, however many seeds images are drawn by")
    func seedless() throws {
        func keys(_ coreset: String) throws -> Set<String> {
            let plan = try GridPlan(
                Grid.read(
                    yaml: """
                        recipe: {coreset: \(coreset)}
                        methods: [random, k-center, herding]
                        vary: {seed: [0, 1]}
                        """
                )
            )
            return Set(plan.units.map(\.key))
        }
        let drawn = ["random-10", "random-10_seed=1"]
        #expect(
            try keys("{features: pixels}") == Set(drawn + ["k-center-10", "herding-10"])
        )
        #expect(
            try keys("{features: pixels, random: first}")
                == ["random-10", "k-center-10", "herding-10"]
        )
        // The network that computes features is trained by a seed.
        let trained = ["features", "k-center-10", "herding-10"]
        #expect(try keys("{}") == Set(drawn + trained + trained.map { "\($0)_seed=1" }))
    }

    @Test("models on latents and models of the grid's own share their first stages")
    func stages() throws {
        let plan = try GridPlan(
            Grid.read(
                yaml: """
                    recipe: {model: {weights: pretrain, autoencoder: vae}}
                    methods: [dit, minimax]
                    vary: {finetune.minimax.steps: [10, 20], pretrain.depth: [2, 3]}
                    """
            )
        )
        let keys = plan.units.map(\.key)
        #expect(keys.filter { $0 == "encode" }.count == 1)
        #expect(keys.filter { $0.hasPrefix("pretrain") }.count == 2)
        #expect(keys.filter { $0.hasPrefix("finetune") }.count == 4)
        #expect(keys.filter { $0.hasPrefix("dit") }.count == 2)
    }

    @Test("every grid that comes with the project can be read and planned")
    func examples() throws {
        let files = try FileManager.default.contentsOfDirectory(
            at: Checkout.url("Grids"),
            includingPropertiesForKeys: nil,
            options: .skipsHiddenFiles
        )
        var cells = [String: Int]()
        for file in files {
            let name = file.deletingPathExtension().lastPathComponent
            let grid = try Grid.read(file)
            // The folder of a recipe's run is another one.
            let names = ["", "-table"].map { name + $0 }
            #expect(names.contains(grid.name))
            cells[name] = try GridPlan(grid).cells.count
            _ = try EvaluationProtocol.named(grid.recipe.evaluate.evaluationProtocol)
            #expect(try Grid.read(yaml: grid.yaml()) == grid, "\(name)")
        }
        let expected: [String: Int] = [
            "fashion-mnist": 8 * 3 * 3 * 3,
            "fashion-mnist-ablation": 4 * 3 * 3,
            "fashion-mnist-draws": 3 * 5 * 3,
            "fashion-mnist-iterations": 3 * (1 + 4 + 3),
            "fashion-mnist-sensitivity": 3 * (9 + 22),
            "fashion-mnist-tuning": 3 * (1 + 4 + 4 + 5),
            "imagewoof-glad": 3 * 2 * 3,
            "imagewoof-paper": 8 * 5 * 3 * 3,
        ]
        #expect(cells == expected)
    }
}
