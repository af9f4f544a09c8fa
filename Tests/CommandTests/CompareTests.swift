import Foundation
import TestSupport
import Testing

@Suite("Comparisons", .timeLimit(.minutes(10)))
struct CompareTests {
    private static let grid = """
        name: small-grid
        recipe:
          from: recipe.yaml
          finetune: {minimax: {steps: 6}}
          evaluate: {epochs: 3, evaluations: 1}
        methods: [random, dit, minimax]
        imagesPerClass: [1, 2]
        networks: [convnet-3]
        seeds: [0, 1]
        vary: {finetune.minimax.diversity: [0.008, 0]}
        distribution: {realImages: 12, perplexity: 3}
        """

    private func withGrid(_ text: String = grid, _ body: (URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            try Data(text.utf8).write(to: folder.appendingPathComponent("grid.yaml"))
            try body(folder)
        }
    }

    /// `comparison.json` without what depends on the clock.
    private func outcome(_ folder: URL) throws -> NSDictionary {
        let times: Set = ["seconds", "peakMemoryBytes", "distillation"]
        func timeless(_ value: Any) -> Any {
            if let object = value as? [String: Any] {
                return object.filter { !times.contains($0.key) }.mapValues(timeless)
            }
            return (value as? [Any])?.map(timeless) ?? value
        }
        let data = try Data(contentsOf: folder.appendingPathComponent("comparison.json"))
        let object = timeless(try JSONSerialization.jsonObject(with: data))
        return try #require(object as? NSDictionary)
    }

    private func compare(_ folder: URL, _ arguments: [String]) throws -> DistillProcess {
        try DistillProcess(["compare", "grid.yaml", "--quiet"] + arguments, in: folder)
    }

    @Test("interruptions, and cells spread over processes, do not change the results")
    func equivalence() throws {
        try withGrid { folder in
            let whole = try compare(folder, ["-o", "whole"])
            try #require(whole.exitCode == 0, "\(whole.errors)")
            let expected = try outcome(folder.appendingPathComponent("whole"))
            let results = try #require(expected["results"] as? [[String: Any]])
            #expect(results.count == 16)
            #expect(Set(results.compactMap { $0["cell"] as? String }).count == 16)
            #expect((expected["missing"] as? [Any])?.isEmpty == true)
            let models = (expected["shared"] as? [[String: Any]])?.compactMap {
                $0["unit"] as? String
            }
            #expect(
                models == [
                    "random-2", "dit-2", "finetune", "minimax-2",
                    "finetune_finetune.minimax.diversity=0",
                    "minimax-2_finetune.minimax.diversity=0",
                ]
            )

            // Stopped again and again, later each time.
            var codes = [Int32]()
            var sawUnfinished = false
            let messages = folder.appendingPathComponent("messages.txt")
            for attempt in 0..<40 where codes.last != 0 {
                let process = try DistillProcess.start(
                    ["compare", "grid.yaml", "-o", "broken"],
                    in: folder,
                    messages: messages
                )
                // Earlier than its first message a signal would find a process without handlers.
                try process.wait { try !Data(contentsOf: messages).isEmpty }
                Thread.sleep(forTimeInterval: 0.3 * Double(attempt))
                let code = try #require(process.end(by: SIGINT))
                let text = try String(contentsOf: messages, encoding: .utf8)
                #expect([0, 75].contains(code), "\(text)")
                codes.append(code)
                let unfinished = try? outcome(folder.appendingPathComponent("broken"))
                if (unfinished?["missing"] as? [Any])?.isEmpty == false { sawUnfinished = true }
            }
            #expect(sawUnfinished)
            #expect(codes.last == 0)
            #expect(codes.count > 1)
            #expect(try outcome(folder.appendingPathComponent("broken")) == expected)

            // Two processes take cells from one list, and both need the shared work at once.
            let spread = try DistillProcess(
                shell: """
                    "$0" compare grid.yaml --list-cells | xargs -P 2 -I {} \
                    "$0" compare grid.yaml --quiet -o spread --cell {}
                    """,
                [],
                in: folder
            )
            #expect(spread.exitCode == 0, "\(spread.errors)")
            #expect(try outcome(folder.appendingPathComponent("spread")) == expected)

            // Nothing is computed twice.
            let cells = folder.appendingPathComponent("whole/cells/dit_1_convnet-3_seed0")
            let file = cells.appendingPathComponent("results.json")
            let before = try Data(contentsOf: file)
            #expect(try compare(folder, ["-o", "whole"]).exitCode == 0)
            #expect(try Data(contentsOf: file) == before)
        }
    }

    @Test("a cell that fails is recorded, the others are computed, and it can be tried again")
    func failure() throws {
        let text = CompareTests.grid.replacingOccurrences(of: "seeds: [0, 1]", with: "seeds: [0]")
        try withGrid(text) { folder in
            let model = folder.appendingPathComponent("model.safetensors")
            let hidden = folder.appendingPathComponent("hidden")
            try FileManager.default.moveItem(at: model, to: hidden)
            let broken = try compare(folder, ["-o", "run"])
            #expect(broken.exitCode == 1)
            #expect(broken.errors.contains("6 of 8 cells failed"), "\(broken.errors)")
            #expect(broken.errors.contains("dit, minimax will fail"), "\(broken.errors)")
            let found = try outcome(folder.appendingPathComponent("run"))
            #expect((found["results"] as? [Any])?.count == 2)
            let failed = try #require(found["failed"] as? [[String: Any]])
            #expect(failed.count == 6)
            #expect((failed[0]["error"] as? String)?.contains("model.weights") == true)
            // Gathering computes no cells, so that none fails; those that did are told.
            let told = try compare(folder, ["-o", "run", "--gather"])
            #expect(told.exitCode == 0, "\(told.errors)")
            #expect(
                told.output.contains("* `dit_1_convnet-3_seed0`: model.weights"),
                "\(told.output)"
            )
            let counted = try compare(folder, ["-o", "run", "--gather", "--json"])
            #expect(counted.exitCode == 0, "\(counted.errors)")
            let counts = try counted.json()
            #expect(counts["cells"] as? Int == 8 && counts["finished"] as? Int == 2)
            #expect((counts["failed"] as? [Any])?.count == 6)
            let one = try compare(folder, ["-o", "run", "--cell", "dit_1_convnet-3_seed0"])
            #expect(one.exitCode == 66, "\(one.errors)")
            // A named cell that fails does not stop those named after it.
            let keys = ["dit_1_convnet-3_seed0", "random_1_convnet-3_seed0"]
            let two = try compare(folder, ["-o", "two"] + keys.flatMap { ["--cell", $0] })
            #expect(two.exitCode == 66, "\(two.errors)")
            let second = folder.appendingPathComponent("two/cells/\(keys[1])/results.json")
            #expect(FileManager.default.fileExists(atPath: second.path))
            // Tables of what such processes have left are made when they are asked for.
            let tables = try DistillProcess(["report", "two"], in: folder)
            #expect(tables.exitCode == 0, "\(tables.errors)")
            let gathered = try outcome(folder.appendingPathComponent("two"))
            #expect((gathered["results"] as? [Any])?.count == 1)
            #expect((gathered["failed"] as? [Any])?.count == 1)

            try FileManager.default.moveItem(at: hidden, to: model)
            let mended = try compare(folder, ["-o", "run"])
            #expect(mended.exitCode == 0, "\(mended.errors)")
            let now = try outcome(folder.appendingPathComponent("run"))
            #expect((now["failed"] as? [Any])?.isEmpty == true)
            #expect((now["results"] as? [Any])?.count == 8)
            let left = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            #expect(!left.contains { $0.hasSuffix("/begun") })

            // A cell is a run folder with linked images.
            let cellOfGrid = "run/cells/minimax_1_convnet-3_seed0"
            let report = try DistillProcess(["report", cellOfGrid], in: folder)
            #expect(report.exitCode == 0, "\(report.errors)")
            let page = try String(
                contentsOf: folder.appendingPathComponent("\(cellOfGrid)/report.html"),
                encoding: .utf8
            )
            #expect(page.contains("id=\"gallery\""))
            let export = try DistillProcess(
                ["export", cellOfGrid, "--format", "imagefolder"],
                in: folder
            )
            #expect(export.exitCode == 1)
            #expect(export.errors.contains("cell of a comparison"), "\(export.errors)")

            // More seeds are welcome; another recipe is not.
            let other = try compare(folder, ["-o", "run", "--set", "finetune.minimax.steps=7"])
            #expect(other.exitCode == 64)
            #expect(other.errors.contains("finetune.minimax.steps: 6 there, 7 here"))

            // A network may come with epochs of its own, and then keeps them.
            let larger = text.replacingOccurrences(
                of: "networks: [convnet-3]",
                with: "networks: [convnet-3, resnet-ap-10]\nepochs: {resnet-ap-10: 1}"
            )
            let grid = folder.appendingPathComponent("grid.yaml")
            try Data(larger.utf8).write(to: grid)
            let cell = "random_1_resnet-ap-10_seed0"
            let added = try compare(folder, ["-o", "run", "--cell", cell])
            #expect(added.exitCode == 0, "\(added.errors)")
            let result = try String(
                contentsOf: folder.appendingPathComponent("run/cells/\(cell)/results.json"),
                encoding: .utf8
            )
            #expect(result.contains("+epochs=1"), "\(result)")
            let table = try compare(folder, ["-o", "run"])
            #expect(table.exitCode == 0, "\(table.errors)")
            let written = try String(
                contentsOf: folder.appendingPathComponent("run/comparison.md"),
                encoding: .utf8
            )
            #expect(written.contains("+epochs=3 (ConvNet-3); "), "\(written)")
            #expect(written.contains("+epochs=1 (ResNetAP-10)."), "\(written)")
            try Data(larger.replacingOccurrences(of: "10: 1}", with: "10: 2}").utf8).write(to: grid)
            let changed = try compare(folder, ["-o", "run"])
            #expect(changed.exitCode == 64)
            #expect(
                changed.errors.contains(
                    "epochs.resnet-ap-10 for 1 images per class: 1 there, 2 here"
                )
            )
            try Data((larger + "\nbatchSize: {resnet-ap-10: 1}").utf8).write(to: grid)
            let smaller = try compare(folder, ["-o", "run"])
            #expect(smaller.exitCode == 64)
            #expect(smaller.errors.contains("batchSize.resnet-ap-10: the protocol's there, 1 here"))
        }
    }

    @Test("results that were kept alone stay until they are measured again, whatever interrupts it")
    func keptResults() throws {
        let text = CompareTests.grid
            .replacingOccurrences(of: "methods: [random, dit, minimax]", with: "methods: [random]")
            .replacingOccurrences(of: "vary: {finetune.minimax.diversity: [0.008, 0]}", with: "")
        try withGrid(text) { folder in
            let grid = folder.appendingPathComponent("grid.yaml")
            let run = folder.appendingPathComponent("run")
            let first = try compare(folder, ["-o", "run"])
            try #require(first.exitCode == 0, "\(first.errors)")
            let whole = try outcome(run)
            #expect((whole["results"] as? [Any])?.count == 4)
            let results = try #require(whole["results"] as? [[String: Any]])
            let provenance = try #require(results[0]["provenance"] as? [String: Any])
            #expect(provenance["libtorch"] != nil)
            let page = try String(
                contentsOf: run.appendingPathComponent("comparison.html"),
                encoding: .utf8
            )
            #expect(page.contains("id=\"gallery\""))
            #expect(page.contains("libtorch 2."))

            // Only tables are kept; then a single cell is measured again, and the rest is not lost.
            for name in ["cells", "shared"] {
                try FileManager.default.removeItem(at: run.appendingPathComponent(name))
            }
            let again = try compare(folder, ["-o", "run", "--cell", "random_2_convnet-3_seed1"])
            #expect(again.exitCode == 0, "\(again.errors)")
            let report = try DistillProcess(["report", "run"], in: folder)
            #expect(report.exitCode == 0, "\(report.errors)")
            #expect(try outcome(run) == whole)

            // The figure of the distribution needs images, of which those there are suffice.
            let distribution = run.appendingPathComponent("distribution.json")
            let before = try Data(contentsOf: distribution)
            // The real images beside those that a method has chosen are others.
            struct Planes: Decodable {
                struct Images: Decodable { let pca: [[Double]] }
                let sets: [Images]
            }
            let planes = try JSONDecoder().decode(Planes.self, from: before).sets.map(\.pca)
            #expect(planes.map(\.count) == [12, 4])
            #expect(Set(planes[0]).isDisjoint(with: planes[1]))
            try FileManager.default.removeItem(at: distribution)
            let gathered = try compare(folder, ["-o", "run", "--gather"])
            #expect(gathered.exitCode == 0, "\(gathered.errors)")
            #expect(try Data(contentsOf: distribution) == before)
            #expect(try outcome(run) == whole)
            let nothing = try compare(folder, ["-o", "elsewhere", "--gather"])
            #expect(nothing.exitCode == 66)
            #expect(nothing.errors.contains("nothing to gather"), "\(nothing.errors)")

            // Epochs that finished cells were not trained for are refused, also after the network
            // was left out for a while.
            try Data(text.replacingOccurrences(of: "[convnet-3]", with: "[resnet-ap-10]").utf8)
                .write(to: grid)
            let other = try compare(folder, ["-o", "run", "--cell", "random_1_resnet-ap-10_seed0"])
            #expect(other.exitCode == 0, "\(other.errors)")
            try Data((text + "\nepochs: {convnet-3: 2}").utf8).write(to: grid)
            let refused = try compare(folder, ["-o", "run"])
            #expect(refused.exitCode == 64)
            #expect(
                refused.errors.contains("epochs.convnet-3 for 2 images per class: 3 there, 2 here"),
                "\(refused.errors)"
            )
            try Data(text.utf8).write(to: grid)
            let back = try compare(folder, ["-o", "run"])
            #expect(back.exitCode == 0, "\(back.errors)")

            // What changes no result of a grid, or is its own, may differ in the recipe.
            let recipe = folder.appendingPathComponent("recipe.yaml")
            let changedText = try String(contentsOf: recipe, encoding: .utf8)
                .replacingOccurrences(of: "seeds: [0, 1]", with: "seeds: [5]")
            try Data("\(changedText)\nbaselines: [dit]".utf8).write(to: recipe)
            let same = try compare(folder, ["-o", "run", "--set", "idc.checkpointEvery=500"])
            #expect(same.exitCode == 0, "\(same.errors)")
        }
    }

    @Test("what a grid names wrongly is said before any work starts")
    func wrongNames() throws {
        let cases: [(yaml: String, code: Int32, words: String)] = [
            ("methods: [random, nonsense, worse]", 64, "nonsense, worse cannot be compared"),
            ("networks: [resnet-19]", 64, "networks"),
            ("recipe: nowhere.yaml", 66, "nowhere.yaml"),
            (
                "imagesPerClass: [1, 10]\nrecipe: {evaluate: {select: holdout}}", 64,
                "none can be held back"
            ),
        ]
        try withTemporaryFolder { folder in
            for (yaml, code, words) in cases {
                try Data(yaml.utf8).write(to: folder.appendingPathComponent("grid.yaml"))
                let process = try compare(folder, [])
                #expect(process.exitCode == code, "\(yaml): \(process.errors)")
                #expect(process.errors.contains(words), "\(process.errors)")
            }
            try Data(cases[0].yaml.utf8).write(to: folder.appendingPathComponent("grid.yaml"))
            let listed = try compare(folder, ["--list-cells"])
            #expect(listed.exitCode == 64, "\(listed.errors)")
            let missing = try DistillProcess(["compare", "none.yaml"], in: folder)
            #expect(missing.exitCode == 66)
            try Data("methods: [random]".utf8).write(to: folder.appendingPathComponent("grid.yaml"))
            // Before the cell in front of it is computed, which would fail: there are no images.
            let stranger = try compare(
                folder,
                ["--cell", "random_10_convnet-3_seed0", "--cell", "random_11_convnet-3_seed0"]
            )
            #expect(stranger.exitCode == 64)
            #expect(stranger.errors.contains("--list-cells"))
            let published = try compare(folder, ["--published", "imagewof"])
            #expect(published.exitCode == 64)
            #expect(published.errors.contains("imagewoof"), "\(published.errors)")
        }
    }

    @Test(
        "options that contradict each other are refused before anything is made",
        arguments: [
            ["--gather", "--cell", "random_10_convnet-3_seed0"], ["--gather", "--list-cells"],
            ["--gather", "--dry-run"], ["--dry-run", "--cell", "random_10_convnet-3_seed0"],
        ]
    )
    func contradictions(options: [String]) throws {
        try withTemporaryFolder { folder in
            try Data("methods: [random]".utf8).write(to: folder.appendingPathComponent("grid.yaml"))
            let process = try compare(folder, options)
            #expect(process.exitCode == 64)
            #expect(process.errors.contains("omit --cell"), "\(process.errors)")
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(left == ["grid.yaml"])
        }
    }

    @Test("a run and a comparison do not share a folder")
    func folders() throws {
        try withTemporaryFolder { folder in
            try Data("methods: [random]".utf8).write(to: folder.appendingPathComponent("grid.yaml"))
            try Data("name: x".utf8).write(to: folder.appendingPathComponent("recipe.yaml"))
            try write("name: x", to: "run/recipe.resolved.yaml", in: folder)
            try write("name: x", to: "comparison/grid.resolved.yaml", in: folder)
            let comparison = try compare(folder, ["-o", "run"])
            #expect(comparison.exitCode == 64)
            #expect(comparison.errors.contains("holds a run"), "\(comparison.errors)")
            let arguments = ["baseline", "random", "recipe.yaml", "-o", "comparison"]
            let run = try DistillProcess(arguments, in: folder)
            #expect(run.exitCode == 64)
            #expect(run.errors.contains("holds a comparison"), "\(run.errors)")
            #expect(
                try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() == [
                    "comparison", "comparison/grid.resolved.yaml", "grid.yaml", "recipe.yaml",
                    "run", "run/recipe.resolved.yaml",
                ]
            )
        }
    }

    @Test("images cost their share of a larger set, and all of a fine-tuning, but no pre-training")
    func costs() throws {
        let grid = """
            name: costs
            recipe:
              from: recipe.yaml
              model: {weights: pretrain}
              finetune: {minimax: {steps: 2}}
              dm: {iterations: 2, realBatchSize: 4}
              evaluate: {epochs: 1, evaluations: 1}
            methods: [random, dm, dit, minimax]
            imagesPerClass: [1, 4]
            networks: [convnet-3]
            seeds: [0]
            distribution: {features: none}
            """
        try withGrid(grid) { folder in
            let first = try compare(folder, ["-o", "run"])
            try #require(first.exitCode == 0, "\(first.errors)")
            // Round numbers in the place of the measured ones.
            let seconds = [
                "pretrain": 1000.0, "finetune": 100, "minimax-4": 20, "dit-4": 12, "random-4": 4,
                "dm-1": 7, "dm-4": 9,
            ]
            func change(_ unit: String, _ cost: [String: Any]?) throws {
                let file = folder.appendingPathComponent("run/shared/\(unit)/results.json")
                let old = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
                var object = try #require(old as? [String: Any])
                let costs = try #require(object["costs"] as? [[String: Any]])
                #expect(costs.count == 1, "\(unit)")
                object["costs"] = cost.map { [costs[0].merging($0) { $1 }] } ?? []
                try JSONSerialization.data(withJSONObject: object).write(to: file)
            }
            for (unit, seconds) in seconds {
                try change(unit, ["seconds": seconds, "peakMemoryBytes": Int(seconds)])
            }
            func costs() throws -> [String: [String: Any]] {
                let gathered = try compare(folder, ["-o", "run", "--gather"])
                #expect(gathered.exitCode == 0, "\(gathered.errors)")
                let file = folder.appendingPathComponent("run/comparison.json")
                let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
                let results = try #require((object as? [String: Any])?["results"])
                let cells = try #require(results as? [[String: Any]])
                return Dictionary(
                    uniqueKeysWithValues: cells.compactMap { cell in
                        let method = "\(cell["method"] ?? "")_\(cell["imagesPerClass"] ?? "")"
                        return (cell["distillation"] as? [String: Any]).map { (method, $0) }
                    }
                )
            }
            let whole = try costs()
            #expect(
                whole.compactMapValues { $0["seconds"] as? Double } == [
                    "random_1": 1, "random_4": 4, "dm_1": 7, "dm_4": 9, "dit_1": 3, "dit_4": 12,
                    "minimax_1": 105, "minimax_4": 120,
                ]
            )
            // The most that any of the stages takes.
            #expect(whole["minimax_1"]?["peakMemoryBytes"] as? Int == 100)
            #expect(whole["dit_4"]?["peakMemoryBytes"] as? Int == 12)
            // Part of a cost is not told as the whole. What was told before stays.
            let comparison = folder.appendingPathComponent("run/comparison.json")
            try FileManager.default.removeItem(at: comparison)
            try change("minimax-4", nil)
            let part = try costs()
            #expect(part["minimax_1"] == nil && part["minimax_4"] == nil)
            #expect(part["dit_1"]?["seconds"] as? Double == 3)
        }
    }

    @Test("a dry run tells cells, shared work and time, and leaves nothing behind")
    func dryRun() throws {
        try withGrid { folder in
            let before = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            let process = try compare(folder, ["--dry-run", "--json"])
            #expect(process.exitCode == 0, "\(process.errors)")
            let estimate = try process.json()
            let shared = try #require(estimate["shared"] as? [[String: Any]])
            #expect(shared.compactMap { $0["cells"] as? Int } == [4, 4, 4, 4, 4, 4])
            #expect(shared.allSatisfy { $0["seconds"] as? Double ?? 0 > 0 })
            // The images of a set at least, and the model.
            #expect(shared.allSatisfy { $0["diskBytes"] as? Int ?? 0 >= 2 * 2 * 28 * 28 })
            let bytes = shared.compactMap { $0["diskBytes"] as? Int }.reduce(0, +)
            #expect(estimate["diskBytes"] as? Int == bytes)
            let cells = try #require(estimate["cells"] as? [[String: Any]])
            #expect(cells.compactMap { $0["cells"] as? Int } == [8, 8])
            let after = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            #expect(after.sorted() == before.sorted())
        }
    }

    @Test("of three numbers of images per class, a dry run measures the ends")
    func interpolatedDryRun() throws {
        let grid = """
            name: three
            recipe: {from: recipe.yaml, dm: {iterations: 3, realBatchSize: 4}}
            methods: [dm]
            imagesPerClass: [1, 2, 3]
            networks: [convnet-3]
            seeds: [0]
            """
        try withGrid(grid) { folder in
            let process = try compare(folder, ["--dry-run", "--json"])
            #expect(process.exitCode == 0, "\(process.errors)")
            let shared = try #require(try process.json()["shared"] as? [[String: Any]])
            #expect(shared.compactMap { $0["unit"] as? String } == ["dm-1", "dm-2", "dm-3"])
            let seconds = shared.compactMap { $0["seconds"] as? Double }
            try #require(seconds.count == 3)
            #expect(seconds[0] > 0 && seconds[2] > 0)
            #expect(abs(seconds[1] - (seconds[0] + seconds[2]) / 2) < 1e-9 * seconds[1])
            #expect(shared[1]["work"] as? String == "between 1 and 3 images per class")
        }
    }
}
