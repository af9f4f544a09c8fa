import Foundation
import TestSupport
import Testing

@Suite("Results of a comparison that nothing else holds", .timeLimit(.minutes(5)))
struct KeptResultsTests {
    private func grid(seeds: String, more: String = "", in folder: URL) throws {
        let text = """
            name: kept
            recipe: {from: recipe.yaml, evaluate: {epochs: 2, evaluations: 1}}
            methods: [random]
            imagesPerClass: [1]
            networks: [convnet-3]
            seeds: \(seeds)
            distribution: {features: none}
            \(more)
            """
        try Data(text.utf8).write(to: folder.appendingPathComponent("grid.yaml"))
    }

    private func compare(_ folder: URL, _ arguments: [String] = []) throws -> DistillProcess {
        try DistillProcess(
            ["compare", "grid.yaml", "--quiet", "-o", "run"] + arguments,
            in: folder
        )
    }

    private func results(_ folder: URL) throws -> [String] {
        let data = try Data(contentsOf: folder.appendingPathComponent("run/comparison.json"))
        let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        return (object?["results"] as? [[String: Any]] ?? []).compactMap { $0["cell"] as? String }
    }

    @Test("they outlast a narrower grid, and a damaged file is never written over")
    func kept() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            try grid(seeds: "[0, 1]", in: folder)
            let whole = try compare(folder)
            try #require(whole.exitCode == 0, "\(whole.errors)")
            let keys = ["random_1_convnet-3_seed0", "random_1_convnet-3_seed1"]
            #expect(try results(folder) == keys)
            for name in ["cells", "shared"] {
                try FileManager.default.removeItem(at: folder.appendingPathComponent("run/\(name)"))
            }
            try grid(seeds: "[1]", in: folder)
            #expect(try compare(folder, ["--gather"]).exitCode == 0)
            #expect(try results(folder) == [keys[1]])
            try grid(seeds: "[0, 1]", in: folder)
            let again = try compare(folder, ["--gather", "--json"])
            #expect(again.exitCode == 0)
            #expect(again.output.contains("\"finished\":2"), "\(again.output)")
            #expect(try results(folder) == keys)

            // Nor do results go with trainings that the grid has otherwise now.
            try grid(seeds: "[0, 1]", more: "epochs: {convnet-3: 3}", in: folder)
            #expect(try compare(folder, ["--gather"]).exitCode == 0)
            #expect(try results(folder) == [])
            try grid(seeds: "[0, 1]", in: folder)
            #expect(try compare(folder, ["--gather"]).exitCode == 0)
            #expect(try results(folder) == keys)

            let file = folder.appendingPathComponent("run/comparison.json")
            let half = try Data(contentsOf: file).prefix(300)
            try half.write(to: file)
            // Before any work, not after it.
            for arguments in [["--gather"], []] {
                let damaged = try compare(folder, arguments)
                #expect(damaged.exitCode == 65)
                #expect(damaged.errors.contains("comparison.json is damaged"), "\(damaged.errors)")
                #expect(try Data(contentsOf: file) == half)
                let cells = folder.appendingPathComponent("run/cells").path
                #expect(!FileManager.default.fileExists(atPath: cells))
            }
        }
    }

    private func editJSON(_ file: URL, _ edit: (inout [String: Any]) throws -> Void) throws {
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        var value = try #require(object as? [String: Any])
        try edit(&value)
        try JSONSerialization.data(withJSONObject: value).write(to: file)
    }

    @Test("images that somebody removed are made again, and paid once")
    func removedImages() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            try grid(seeds: "[0]", in: folder)
            try #require(try compare(folder).exitCode == 0)
            try FileManager.default.removeItem(
                at: folder.appendingPathComponent("run/shared/random-1/baselines")
            )
            let costs = folder.appendingPathComponent("run/shared/random-1/results.json")
            try editJSON(costs) { booked in
                var stages = booked["costs"] as? [[String: Any]] ?? []
                try #require(stages.count == 1)
                stages[0]["seconds"] = 1e6
                booked["costs"] = stages
            }
            try grid(seeds: "[0, 1]", in: folder)
            let dry = try compare(folder, ["--dry-run", "--json"])
            let units = try #require(try dry.json()["shared"] as? [[String: Any]])
            #expect(units.map { $0["isFinished"] as? Bool } == [false], "\(dry.output)")
            let more = try compare(folder)
            #expect(more.exitCode == 0, "\(more.errors)")
            #expect(try results(folder).count == 2)
            try editJSON(costs) { booked in
                let stages = booked["costs"] as? [[String: Any]]
                let seconds = stages?.map { $0["seconds"] as? Double }
                #expect(seconds?.count == 1 && seconds?[0].map { $0 < 1e6 } == true)
            }
        }
    }
}
