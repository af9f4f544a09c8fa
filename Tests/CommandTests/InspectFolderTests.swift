import Foundation
import TestSupport
import Testing

@Suite("The command inspect with folders of runs", .timeLimit(.minutes(2)))
struct InspectFolderTests {
    /// A `results.json` with one result.
    private static let results = """
        {"costs": [], "results": [{
          "method": "minimax", "imagesPerClass": 10, "network": "convnet-3",
          "protocol": "gu-hard-28+epochs=2", "classes": 2,
          "train": {"path": "a", "fingerprint": "b", "images": 20},
          "test": {"path": "c", "fingerprint": "d", "images": 20},
          "seeds": [0, 4], "epochs": 2, "evaluations": 1, "precision": "float32", "device": "cpu",
          "last": {"values": [0.5, 0.7], "mean": 0.6, "sampleDeviation": 0.1414,
                   "populationDeviation": 0.1, "confidence95": 1.27},
          "best": {"values": [0.5, 0.7], "mean": 0.6, "sampleDeviation": 0.1414,
                   "populationDeviation": 0.1, "confidence95": 1.27},
          "seconds": 1, "peakMemoryBytes": 1}]}
        """

    private static let grid = """
        name: small
        methods: [random, herding]
        imagesPerClass: [1, 2]
        networks: [convnet-3]
        seeds: [0]
        """

    private func facts(_ path: String, in folder: URL) throws -> (kind: String, [String: String]) {
        let process = try DistillProcess(["inspect", path, "--json"], in: folder)
        try #require(process.exitCode == 0, "\(process.errors)")
        let object = try process.json()
        return (
            try #require(object["kind"] as? String),
            try #require(object["facts"] as? [String: String])
        )
    }

    @Test("of a comparison it tells its cells and lists, whether cells or only results are there")
    func comparison() throws {
        try withTemporaryFolder { folder in
            try write(InspectFolderTests.grid, to: "run/grid.resolved.yaml", in: folder)
            try write(
                InspectFolderTests.results,
                to: "run/cells/random_1_convnet-3_seed0/results.json",
                in: folder
            )
            try write("{", to: "run/cells/random_2_convnet-3_seed0/results.json", in: folder)
            try write("{}", to: "run/cells/herding_1_convnet-3_seed0/failed.json", in: folder)
            let (kind, found) = try facts("run", in: folder)
            #expect(kind == "comparison")
            #expect(found["cells"] == "4, 1 finished, 1 failed")
            #expect(found["methods"] == "random, herding")
            #expect(found["images per class"] == "1, 2")
            #expect(found["networks"] == "convnet-3")
            #expect(found["tables and figures"]?.contains("distill report run") == true)

            let kept = """
                {"results": [{"cell": "random_1_convnet-3_seed0"},
                             {"cell": "random_2_convnet-3_seed0"}], "failed": [], "missing": []}
                """
            try write(kept, to: "run/comparison.json", in: folder)
            #expect(try facts("run", in: folder).1["cells"] == "4, 2 finished, 1 failed")
            try write("{", to: "run/comparison.json", in: folder)
            #expect(try facts("run", in: folder).1["comparison.json"]?.contains("damaged") == true)
        }
    }

    @Test("of a run it tells baselines, protocol, seeds and accuracies, or that they are damaged")
    func run() throws {
        try withTemporaryFolder { folder in
            try write("name: run", to: "Runs/one/recipe.resolved.yaml", in: folder)
            try write("", to: "Runs/one/baselines/random/metadata.jsonl", in: folder)
            try write("", to: "Runs/one/baselines/dm/left/0.png", in: folder)
            try write(InspectFolderTests.results, to: "Runs/one/results.json", in: folder)
            let (kind, found) = try facts("Runs/one", in: folder)
            #expect(kind == "run folder")
            #expect(found["baselines"] == "dm (unfinished), random")
            #expect(
                found["minimax, convnet-3, 10 images per class"]
                    == "60.0 ± 14.1 % after the last epoch; protocol gu-hard-28+epochs=2; seeds "
                    + "0: 50.0, 4: 70.0"
            )
            try write("{", to: "Runs/one/results.json", in: folder)
            let damaged = try facts("Runs/one", in: folder).1
            #expect(damaged["results"]?.contains("damaged") == true)
        }
    }

    @Test("a folder of runs is told as one, and how to compare them")
    func runs() throws {
        try withTemporaryFolder { folder in
            try write("name: run", to: "Runs/one/recipe.resolved.yaml", in: folder)
            try write(InspectFolderTests.grid, to: "Runs/grid/grid.resolved.yaml", in: folder)
            let (kind, found) = try facts("Runs", in: folder)
            #expect(kind == "folder of runs")
            #expect(found["runs"] == "1: one")
            #expect(found["comparisons"] == "1: grid")
            #expect(found["all together"]?.hasPrefix("distill report Runs") == true)
        }
    }
}
