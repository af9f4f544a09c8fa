import Datasets
import Evaluation
import Experiments
import Foundation
import Images
import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("Photographs of any size are evaluated at the size of the protocol", .serialized)
struct PhotographEvaluationTests {
    /// Bright above or bright below, each image of another size.
    private func writePhotographs(_ folder: URL, perClass: Int) throws {
        for (label, name) in ["above", "below"].enumerated() {
            let place = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for index in 0..<perClass {
                let (width, height) = (70 + 9 * index, 96 - 7 * index)
                let bytes = (0..<width * height * 3).map { position -> UInt8 in
                    let isBelow = position / (3 * width) >= height / 2
                    return UInt8(position % 90) + (isBelow == (label == 1) ? 140 : 0)
                }
                let image = Image(width: width, height: height, channels: 3, bytes: bytes)
                try image.pngData().write(to: place.appendingPathComponent("\(index).png"))
            }
        }
    }

    @Test("distill evaluate trains and tests, and estimates the time before")
    func standalone() throws {
        try withTemporaryFolder { folder in
            let (train, test) = (
                folder.appendingPathComponent("a"), folder.appendingPathComponent("b")
            )
            try writePhotographs(train, perClass: 3)
            try writePhotographs(test, perClass: 4)
            func evaluation(_ proto: String) -> StandaloneEvaluation {
                var settings = StandaloneEvaluation.Settings()
                settings.train = train.path
                settings.test = test.path
                settings.network = "convnet-2"
                settings.evaluationProtocol = proto
                settings.epochs = 3
                settings.evaluations = 1
                settings.seeds = [0]
                return StandaloneEvaluation(settings)
            }
            let environment = Pipeline.Environment(isInterrupted: { false })
            let result = try evaluation("gu-hard-64")
                .run(environment: environment, observer: SilentObserver())
            #expect(result.evaluationProtocol == "gu-hard-64+epochs=3")
            #expect(result.train.images == 6)
            #expect(result.test.images == 8)
            let estimate = try evaluation("gu-hard-64").estimate(environment: environment)
            #expect(estimate.seconds > 0)
            // The grey protocol takes images as they are, and these differ in size.
            #expect(throws: DatasetError.self) {
                try evaluation("gu-hard-28").run(
                    environment: environment,
                    observer: SilentObserver()
                )
            }
        }
    }

    /// A recipe whose diffusion model works on 32 pixels, and its finished surrogate.
    private func withRun(_ body: (Recipe, URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            var recipe = Recipe()
            recipe.data.train.path = folder.appendingPathComponent("train").path
            recipe.data.test.path = folder.appendingPathComponent("test").path
            recipe.data.size = 32
            recipe.sample.imagesPerClass = 2
            recipe.baselines = []
            recipe.evaluate.evaluationProtocol = "gu-hard-64"
            recipe.evaluate.networks = ["convnet-2", "convnet-1"]
            recipe.evaluate.epochs = 2
            recipe.evaluate.seeds = [0]
            try writePhotographs(folder.appendingPathComponent("train"), perClass: 3)
            try writePhotographs(folder.appendingPathComponent("test"), perClass: 4)
            try body(recipe, folder.appendingPathComponent("run"))
        }
    }

    private func pipeline(_ recipe: Recipe, _ run: URL) throws -> Pipeline {
        try Pipeline(
            recipe,
            in: run,
            environment: .init(isInterrupted: { false }),
            observer: SilentObserver()
        )
    }

    @Test("a run tests on the original images, not on the crops of its diffusion model")
    func run() throws {
        try withRun { recipe, run in
            let estimate = try pipeline(recipe, run).estimate([.evaluate])
            #expect(estimate.stages.map(\.work) == ["2 trainings of 2 epochs"])

            try writePhotographs(run.appendingPathComponent("surrogate"), perClass: 2)
            try pipeline(recipe, run).evaluate()
            let results = try JSONDecoder().decode(
                RunResults.self,
                from: Data(contentsOf: run.appendingPathComponent("results.json"))
            ).results
            #expect(results.map(\.network) == ["convnet-2", "convnet-1"])

            // The same measurement, with both sets made from the files.
            func set(_ folder: URL, _ path: String) throws -> EvaluationSet {
                let files = try ImageFolder(folder)
                return EvaluationSet(
                    images: try EvaluationProtocol.guHard64.load(files),
                    path: path,
                    fingerprint: try files.fingerprint()
                )
            }
            let test = URL(fileURLWithPath: recipe.data.test.path)
            let expected = try Evaluation.evaluate(
                train: set(run.appendingPathComponent("surrogate"), "surrogate"),
                test: set(test, recipe.data.test.path),
                options: EvaluationOptions(
                    method: "minimax",
                    network: .convNet(depth: 2),
                    evaluationProtocol: .guHard64,
                    epochs: 2,
                    evaluations: 5,
                    seeds: [0],
                    precision: .float32
                )
            )
            #expect(results.first?.last == expected.last)
            #expect(results.first?.test == expected.test)
        }
    }

    @Test(
        "networks and protocols that do not exist or fit are refused before any work starts",
        arguments: [
            ("resnet-19", "gu-hard-64"), ("convnet-7", "gu-hard-64"), ("convnet-3", "gu-hard-63"),
        ]
    )
    func refusals(_ network: String, evaluationProtocol: String) throws {
        try withRun { recipe, run in
            var recipe = recipe
            recipe.evaluate.networks = ["convnet-3", network]
            recipe.evaluate.evaluationProtocol = evaluationProtocol
            // There is no model either: that would be the next error.
            let error = #expect(throws: (any Error).self) { try pipeline(recipe, run).run() }
            #expect(error is NetworkError || error is TrainingError, "\(String(describing: error))")
        }
    }

    /// Writes an untrained teacher for images of 64 pixels.
    private func writeTeacher(of classNames: [String], to file: URL) throws {
        let name = NetworkName.convNet(depth: 1)
        var generator = RandomGenerator(seed: 0)
        let network = try name.makeClassifier(
            imageSize: 64,
            channels: 3,
            classCount: classNames.count,
            using: &generator
        )
        let description = TrainedNetwork.Description(
            network: name,
            imageSize: 64,
            channels: 3,
            statistics: .imageNet,
            classNames: classNames,
            origin: "a test"
        )
        try TrainedNetwork(description: description, weights: network.state()).save(to: file)
    }

    @Test("a teacher of other classes, and crops that cannot be held back, are refused at once")
    func unfitParts() throws {
        try withRun { recipe, run in
            let file = run.deletingLastPathComponent().appendingPathComponent("teacher.safetensors")
            var recipe = recipe
            recipe.model.weights = "pretrain"
            recipe.evaluate.evaluationProtocol = "rded-soft-300+size=64"
            recipe.evaluate.teacher = file.path
            recipe.evaluate.select = .holdout
            func refusal() throws -> String {
                try? FileManager.default.removeItem(at: run)
                let error = #expect(throws: TrainingError.self) { try pipeline(recipe, run).run() }
                return "\(try #require(error))"
            }
            try writeTeacher(of: ["above", "below"], to: file)
            #expect(try refusal().contains("cuts those of 32×32 pixels to 64"))
            recipe.evaluate.select = .last
            try writeTeacher(of: ["above", "beside"], to: file)
            #expect(try refusal().contains("does not know 1 of the 2 classes: \"below\""))
        }
    }

    @Test("so is what a test, a teacher or a choice of the epoch lacks")
    func lackingParts() throws {
        let cases: [(words: String, change: (inout Recipe) -> Void)] = [
            ("data.test.path is empty", { $0.data.test.path = "" }),
            ("is for images of 28×28", { $0.evaluate.evaluationProtocol = "gu-hard-28" }),
            ("evaluate.teacher", { $0.evaluate.evaluationProtocol = "rded-soft-300+size=64" }),
            (
                "there is no network",
                {
                    $0.evaluate.evaluationProtocol = "rded-soft-300+size=64"
                    $0.evaluate.teacher = "/nowhere/teacher.safetensors"
                }
            ),
            ("hard labels", { $0.evaluate.teacher = "teacher.safetensors" }),
            (
                "none can be held back",
                {
                    $0.evaluate.select = .holdout
                    $0.sample.imagesPerClass = 1
                }
            ),
        ]
        try withRun { recipe, run in
            for (words, change) in cases {
                var recipe = recipe
                change(&recipe)
                // A model is made first of all, if the recipe says so.
                recipe.model.weights = "pretrain"
                recipe.evaluate.networks = ["convnet-3"]
                try? FileManager.default.removeItem(at: run)
                let error = #expect(throws: (any Error).self) { try pipeline(recipe, run).run() }
                #expect("\(String(describing: error))".contains(words), "\(words)")
                let begun = run.appendingPathComponent("checkpoints").path
                let files = try? FileManager.default.contentsOfDirectory(atPath: begun)
                #expect(files?.isEmpty != false, "\(words)")
            }
        }
    }
}
