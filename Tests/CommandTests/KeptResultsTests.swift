import Foundation
import TestSupport
import Testing

@Suite("Results of a comparison that nothing else holds", .timeLimit(.minutes(5)))
struct KeptResultsTests {
    private func grid(
        seeds: String,
        more: String = "",
        methods: String = "[random]",
        distribution: String = "features: none",
        in folder: URL
    ) throws {
        let text = """
            name: kept
            recipe: {from: recipe.yaml, evaluate: {epochs: 2, evaluations: 1}}
            methods: \(methods)
            imagesPerClass: [1]
            networks: [convnet-3]
            seeds: \(seeds)
            distribution: {\(distribution)}
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

    @Test("a cell that came to nothing takes other batches; one whose result is another's ends")
    func freeCells() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            try grid(seeds: "[0]", in: folder)
            try #require(try compare(folder).exitCode == 0)
            let cell = folder.appendingPathComponent("run/cells/random_1_convnet-3_seed0")
            let results = cell.appendingPathComponent("results.json")
            let done = try Data(contentsOf: results)
            // As if it had been killed for memory before its first checkpoint.
            for name in ["run/comparison.json", "run/cells/random_1_convnet-3_seed0/results.json"] {
                try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
            }
            for file in try FileManager.default.contentsOfDirectory(
                at: cell.appendingPathComponent("checkpoints"),
                includingPropertiesForKeys: nil
            ) {
                try FileManager.default.removeItem(at: file)
            }
            try Data("{}\n".utf8).write(to: cell.appendingPathComponent("metrics.jsonl"))
            try grid(seeds: "[0]", more: "batchSize: {convnet-3: 5}", in: folder)
            let smaller = try compare(folder)
            #expect(smaller.exitCode == 0, "\(smaller.errors)")
            #expect(try String(contentsOf: results, encoding: .utf8).contains("+batch=5"))

            // A result that this grid would call otherwise: an error instead of an endless loop.
            try FileManager.default.removeItem(
                at: folder.appendingPathComponent("run/comparison.json")
            )
            try done.write(to: results)
            let other = try compare(folder, ["--cell", "random_1_convnet-3_seed0"])
            #expect(other.exitCode == 64)
            #expect(other.errors.contains("holds a result of the protocol"), "\(other.errors)")
        }
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

    @Test("what half of the work cost does not take the place of what all of it did")
    func partialCosts() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            try grid(seeds: "[0]", in: folder)
            try #require(try compare(folder).exitCode == 0)
            let file = folder.appendingPathComponent("run/comparison.json")
            try editJSON(file) { kept in
                var units = kept["shared"] as? [[String: Any]] ?? []
                var costs = units.first?["costs"] as? [[String: Any]] ?? []
                try #require(costs.count == 1)
                costs[0]["seconds"] = 1e6
                units[0]["costs"] = costs
                kept["shared"] = units
            }
            // As if the set were being made again, and the process had been stopped.
            for name in ["cells", "shared/random-1/unit.json"] {
                try FileManager.default.removeItem(at: folder.appendingPathComponent("run/\(name)"))
            }
            #expect(try compare(folder, ["--gather"]).exitCode == 0)
            try editJSON(file) { kept in
                let units = kept["shared"] as? [[String: Any]]
                let costs = units?.first?["costs"] as? [[String: Any]]
                #expect(costs?.first?["seconds"] as? Double == 1e6)
            }
        }
    }

    @Test("cells of a set whose maker was killed come after all others")
    func leftUnit() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            try grid(seeds: "[0, 1]", methods: "[random, k-center]", in: folder)
            let unit = folder.appendingPathComponent("run/shared/random-1")
            try FileManager.default.createDirectory(at: unit, withIntermediateDirectories: true)
            try Data().write(to: unit.appendingPathComponent("begun"))
            let process = try DistillProcess(["compare", "grid.yaml", "-o", "run"], in: folder)
            #expect(process.exitCode == 0, "\(process.errors)")
            let made = process.errors.split(separator: "\n").filter { $0.contains("shared: ") }
            #expect(made.count >= 2 && made.last?.contains("random-1") == true, "\(made)")
            let mark = unit.appendingPathComponent("begun").path
            #expect(!FileManager.default.fileExists(atPath: mark))
        }
    }

    @Test("a figure of more images than exact t-SNE can take is refused with what to lower")
    func tooManyPlaces() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            try grid(seeds: "[0]", distribution: "realImages: 20000", in: folder)
            let process = try DistillProcess(["compare", "grid.yaml", "-o", "run"], in: folder)
            #expect(process.exitCode == 0, "\(process.errors)")
            #expect(process.errors.contains("too many for exact t-SNE"), "\(process.errors)")
            let page = folder.appendingPathComponent("run/comparison.html")
            #expect(
                try String(contentsOf: page, encoding: .utf8).contains("Lower distribution.images")
            )
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
