import Foundation
import TestSupport
import Testing
import Torch

/// What scripts may read: every key that is named here is always there.
private enum Contract {
    /// An accuracy over several seeds.
    struct Accuracy: Decodable, Equatable {
        let values: [Double]
        let mean: Double
        let sampleDeviation: Double
        let populationDeviation: Double
    }

    /// The images that networks were trained or tested on.
    struct Images: Decodable, Equatable {
        let path: String
        let fingerprint: String
        let images: Int
    }

    /// A result.
    struct Result: Decodable, Equatable {
        let method: String
        let imagesPerClass: Int
        let network: String
        let `protocol`: String
        let classes: Int
        let train: Images
        let test: Images
        let seeds: [Int]
        let epochs: Int
        let last: Accuracy
        let best: Accuracy
        let seconds: Double
        let peakMemoryBytes: Int
    }

    /// What a stage cost.
    struct Cost: Decodable, Equatable {
        let stage: String
        let seconds: Double
        let peakMemoryBytes: Int
        let device: String
    }

    /// `results.json`.
    struct Results: Decodable, Equatable {
        let results: [Result]
        let costs: [Cost]
    }

    /// What commands print that work on a run.
    struct Run: Decodable {
        let run: String
        let results: Results
    }

    /// What `distill report` prints.
    struct Report: Decodable {
        let report: String
    }

    /// What `distill export` prints.
    struct Export: Decodable {
        let output: String
        let images: Int
    }

    /// What `distill compare` prints.
    struct Comparison: Decodable {
        struct Failure: Decodable {
            let cell: String
            let error: String
        }

        let comparison: String
        let cells: Int
        let finished: Int
        let failed: [Failure]
    }

    /// `provenance.json`.
    struct Provenance: Decodable {
        struct Dataset: Decodable {
            let role: String
            let path: String
            let fingerprint: String
            let images: Int
        }

        let version: String
        let commit: String
        let libtorch: String
        let device: String
        let threads: Int
        let precision: String
        let datasets: [Dataset]
        let seeds: [Int]
        let arguments: [String]
        let startedAt: String
    }
}

@Suite("What scripts can rely on", .timeLimit(.minutes(5)))
struct ContractTests {
    /// A run of all stages that is as short as can be.
    private static let shortest = [
        "finetune.minimax.steps=2", "finetune.minimax.emaDecay=0", "sample.imagesPerClass=2",
        "sample.steps=2", "baselines=[random]", "evaluate.epochs=2", "evaluate.evaluations=1",
    ].flatMap { ["--set", $0] }

    /// The object that a command prints as its only line, with everything else on standard error.
    private func printed<Value: Decodable>(
        _ type: Value.Type,
        _ arguments: [String],
        in folder: URL
    ) throws -> Value {
        let process = try DistillProcess(arguments + ["--json"], in: folder)
        try #require(process.exitCode == 0, "\(arguments): \(process.errors)")
        #expect(process.output.split(separator: "\n").count == 1, "\(process.output)")
        return try process.json(as: type)
    }

    private func expectConsistent(_ result: Contract.Result, trainedOn images: Int) {
        #expect(result.seeds == [0, 1])
        #expect(result.network == "convnet-3")
        #expect(result.protocol == "gu-hard-28+epochs=2")
        #expect(result.classes == 2)
        #expect(result.imagesPerClass == images / 2)
        #expect(result.epochs == 2)
        #expect(result.train.images == images)
        #expect(result.test.images == 12)
        #expect(result.train.fingerprint != result.test.fingerprint)
        #expect(result.seconds > 0)
        #expect(result.peakMemoryBytes > 1_000_000)
        for accuracy in [result.last, result.best] {
            #expect(accuracy.values.count == 2)
            #expect(accuracy.values.allSatisfy { (0...1).contains($0) })
            #expect(abs(accuracy.mean - accuracy.values.reduce(0, +) / 2) < 1e-12)
            let squares = accuracy.values.reduce(0) {
                $0 + ($1 - accuracy.mean) * ($1 - accuracy.mean)
            }
            #expect(abs(accuracy.sampleDeviation - squares.squareRoot()) < 1e-9)
            #expect(abs(accuracy.populationDeviation - (squares / 2).squareRoot()) < 1e-9)
        }
    }

    @Test("commands print one JSON object, with the keys that are promised")
    func json() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            let manager = FileManager.default
            let run = try printed(
                Contract.Run.self,
                ["run", "recipe.yaml", "-o", "run"] + ContractTests.shortest,
                in: folder
            )
            #expect(manager.fileExists(atPath: "\(run.run)/surrogate/metadata.jsonl"))
            #expect(run.results.results.map(\.method) == ["minimax", "random"])
            for result in run.results.results { expectConsistent(result, trainedOn: 4) }
            #expect(
                run.results.costs.map(\.stage) == [
                    "finetune", "sample", "baseline random", "evaluate minimax convnet-3",
                    "evaluate random convnet-3",
                ]
            )
            #expect(run.results.costs.allSatisfy { $0.seconds > 0 && $0.peakMemoryBytes > 0 })
            let stored = try JSONDecoder().decode(
                Contract.Results.self,
                from: Data(contentsOf: folder.appendingPathComponent("run/results.json"))
            )
            #expect(stored == run.results)

            let report = try printed(Contract.Report.self, ["report", "run"], in: folder)
            #expect(report.report.hasSuffix("/run/report.html"))
            #expect(manager.fileExists(atPath: report.report))
            let export = try printed(
                Contract.Export.self,
                ["export", "run", "--format", "pt", "-o", "out.pt"],
                in: folder
            )
            #expect(export.images == 4)
            #expect(export.output.hasSuffix("/out.pt") && manager.fileExists(atPath: export.output))
            let result = try printed(
                Contract.Result.self,
                [
                    "evaluate", "--train", "run/surrogate", "--test", "test", "--epochs", "2",
                    "--evaluations", "1", "--seeds", "0", "1", "--method", "mine",
                ],
                in: folder
            )
            expectConsistent(result, trainedOn: 4)
            #expect(result.method == "mine")
            // The same images, networks and seeds as in the run.
            #expect(result.last == run.results.results[0].last)
        }
    }

    @Test("compare prints how many cells there are, how many have a result, and which failed")
    func comparison() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            let grid = """
                recipe: {from: recipe.yaml, evaluate: {epochs: 1, evaluations: 1}}
                methods: [random, dit]
                imagesPerClass: [1]
                seeds: [0]
                distribution: {features: none}
                """
            try Data(grid.utf8).write(to: folder.appendingPathComponent("grid.yaml"))
            let process = try DistillProcess(
                ["compare", "grid.yaml", "-o", "run", "--quiet", "--json"],
                in: folder
            )
            // There is no model to draw images from.
            #expect(process.exitCode == 1)
            let told = try process.json(as: Contract.Comparison.self)
            #expect(told.comparison.hasSuffix("/run"))
            #expect(told.cells == 2 && told.finished == 1)
            #expect(told.failed.map(\.cell) == ["dit_1_convnet-3_seed0"])
            #expect(told.failed.first?.error.contains("model.weights") == true)
        }
    }

    private func random(
        _ run: String?,
        _ options: [String] = [],
        in folder: URL
    ) throws -> DistillProcess {
        let output = run.map { ["-o", $0] } ?? []
        return try DistillProcess(
            ["baseline", "random", "recipe.yaml"] + output + options,
            in: folder
        )
    }

    /// Every file of a folder, by its path in it.
    private func files(_ folder: URL) throws -> [String: Data] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        let pairs = names.compactMap { name in
            (try? Data(contentsOf: folder.appendingPathComponent(name))).map { (name, $0) }
        }
        return Dictionary(pairs, uniquingKeysWith: { $1 })
    }

    @Test("--seed is the recipe's seed, and another one gives other images")
    func seed() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            func images(_ run: String, _ options: [String]) throws -> [String: Data] {
                let process = try random(run, options, in: folder)
                try #require(process.exitCode == 0, "\(process.errors)")
                return try files(folder.appendingPathComponent("\(run)/baselines/random"))
            }
            let option = try images("option", ["--seed", "5"])
            // It wins over a setting.
            #expect(try images("setting", ["--set", "seed=4", "--seed", "5"]) == option)
            let list = String(decoding: try #require(option["metadata.jsonl"]), as: UTF8.self)
            let lines = list.split(separator: "\n")
            #expect(lines.count == 8)
            #expect(lines.allSatisfy { $0.contains("\"seed\": 5,") }, "\(list)")
            let usual = try images("usual", [])
            #expect(usual.keys.sorted() == option.keys.sorted())
            #expect(usual.contains { $0.key.hasSuffix(".png") && option[$0.key] != $0.value })
        }
    }

    @Test("--fresh makes a new folder beside the old one, which stays as it was")
    func fresh() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            let first = try random("run", in: folder)
            try #require(first.exitCode == 0, "\(first.errors)")
            let run = folder.appendingPathComponent("run")
            let before = try files(run)
            let other = try random("run", ["--seed", "1"], in: folder)
            #expect(other.exitCode == 64)
            #expect(other.errors.contains("seed: 0 there, 1 here"), "\(other.errors)")
            #expect(try files(run) == before)

            let others: [(name: String, options: [String])] = [
                ("run-2", ["--seed", "1"]), ("run-3", []),
            ]
            for (name, options) in others {
                let anew = try random("run", options + ["--fresh", "--json"], in: folder)
                #expect(anew.exitCode == 0, "\(anew.errors)")
                #expect(try anew.json(as: Contract.Run.self).run.hasSuffix("/\(name)"))
                let images = try files(folder.appendingPathComponent("\(name)/baselines/random"))
                let same = try files(run.appendingPathComponent("baselines/random"))
                #expect(images.count == same.count)
                #expect((images == same) == options.isEmpty)
            }
            #expect(try files(run) == before)
            // Without --output the folder has the name of the recipe.
            for name in ["small", "small-2"] {
                let named = try random(nil, ["--fresh", "--json"], in: folder)
                #expect(named.exitCode == 0, "\(named.errors)")
                #expect(try named.json(as: Contract.Run.self).run.hasSuffix("/Runs/\(name)"))
            }
        }
    }

    @Test("the provenance tells what a run was made with")
    func provenance() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            let options = [
                "--seed", "5", "--threads", "1", "--device", "cpu", "--precision", "float32",
            ]
            let start = Date()
            let process = try random("run", options, in: folder)
            try #require(process.exitCode == 0, "\(process.errors)")
            let found = try JSONDecoder().decode(
                Contract.Provenance.self,
                from: Data(contentsOf: folder.appendingPathComponent("run/provenance.json"))
            )
            #expect(try DistillProcess(["--version"]).output == "\(found.version)\n")
            #expect(!found.commit.isEmpty)
            #expect(found.libtorch == Engine.version)
            #expect(found.device == "cpu")
            #expect(found.threads == 1)
            #expect(found.precision == "float32")
            #expect(found.datasets.map(\.role) == ["train", "test"])
            #expect(found.datasets.map(\.path) == ["train", "test"])
            #expect(found.datasets.map(\.images) == [24, 12])
            #expect(Set(found.datasets.map(\.fingerprint)).count == 2)
            #expect(found.seeds == [5, 0, 1])
            #expect(
                Array(found.arguments.dropFirst())
                    == ["baseline", "random", "recipe.yaml", "-o", "run"] + options
            )
            let time = try #require(ISO8601DateFormatter().date(from: found.startedAt))
            #expect(time.timeIntervalSince(start) > -2 && time <= Date())
        }
    }

    @Test("a run goes on with the threads that it began with, whatever is asked for, and says so")
    func threads() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            let first = try random("run", ["--threads", "2"], in: folder)
            try #require(first.exitCode == 0, "\(first.errors)")
            #expect(!first.errors.contains("threads"), "\(first.errors)")
            let file = folder.appendingPathComponent("run/provenance.json")
            let before = try Data(contentsOf: file)
            #expect(
                try JSONDecoder().decode(Contract.Provenance.self, from: before).threads == 2
            )
            let other = try random("run", ["--threads", "1"], in: folder)
            #expect(other.exitCode == 0)
            #expect(other.errors.contains("threads: 2, as when the run began"), "\(other.errors)")
            let same = try random("run", ["--threads", "2"], in: folder)
            #expect(!same.errors.contains("threads"), "\(same.errors)")
            #expect(try Data(contentsOf: file) == before)
        }
    }
}
