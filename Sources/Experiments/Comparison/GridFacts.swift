import Foundation

/// What the folder of a comparison holds, in plain words.
public struct ComparisonFacts {
    /// Name and value, in reading order.
    public let facts: [(String, String)]

    /// What is needed of `comparison.json`.
    private struct Record: Decodable {
        struct Cell: Decodable { let cell: String }
        let results: [Cell]
        let failed: [Cell]?
        let missing: [String]?
    }

    /// Whether a folder is that of a comparison.
    ///
    /// - Parameter url: Any folder.
    /// - Returns: Whether `distill compare` has written into it.
    public static func isComparison(_ url: URL) -> Bool {
        ["grid.resolved.yaml", "comparison.json"].contains { exists($0, in: url) }
    }

    /// Looks into the folder of a comparison; nothing of it is changed.
    ///
    /// - Parameter url: The folder.
    public init(_ url: URL) {
        var facts = [(String, String)]()
        var record: Record?
        var problems = [(String, String)]()
        if ComparisonFacts.exists("comparison.json", in: url) {
            do {
                let data = try Data(contentsOf: url.appendingPathComponent("comparison.json"))
                record = try JSONDecoder().decode(Record.self, from: data)
            } catch {
                problems.append(("comparison.json", "damaged: it cannot be read"))
            }
        }
        let kept = Set(record?.results.map(\.cell) ?? [])
        let keptFailed = Set(record?.failed?.map(\.cell) ?? [])
        do {
            let plan = try GridPlan(Grid.read(url.appendingPathComponent("grid.resolved.yaml")))
            let grid = plan.grid
            let keys = plan.cells.map(\.key)
            let finished = keys.filter {
                kept.contains($0) || ComparisonFacts.hasResult("cells/\($0)", in: url)
            }
            let failed = Set(keys).subtracting(finished).filter {
                keptFailed.contains($0)
                    || ComparisonFacts.exists("cells/\($0)/failed.json", in: url)
            }
            facts = [
                ("name", grid.name),
                ("cells", ComparisonFacts.count(keys.count, finished.count, failed.count)),
                ("methods", grid.methods.joined(separator: ", ")),
                ("images per class", ComparisonFacts.list(grid.imagesPerClass)),
                ("networks", grid.networks.joined(separator: ", ")),
                ("seeds", ComparisonFacts.list(grid.seeds)),
            ]
            if !plan.base.isEmpty {
                facts.append(("varied", plan.base.keys.sorted().joined(separator: ", ")))
            }
        } catch {
            if let record {
                let missing = record.missing?.count ?? 0
                let all = kept.count + keptFailed.count + missing
                facts = [("cells", ComparisonFacts.count(all, kept.count, keptFailed.count))]
            }
            problems.append(("grid.resolved.yaml", "it cannot be read: \(error)"))
        }
        let hasTables = ComparisonFacts.exists("comparison.md", in: url)
        facts.append(
            (
                "tables and figures",
                hasTables
                    ? "comparison.md, .csv, .tex, .html and figures/"
                    : "not there: distill report \(url.relativePath) makes them"
            )
        )
        self.facts = facts + problems
    }

    private static func exists(_ name: String, in folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path)
    }

    /// Whether the folder of a cell holds a result.
    private static func hasResult(_ cell: String, in folder: URL) -> Bool {
        let file = folder.appendingPathComponent("\(cell)/results.json")
        guard let data = try? Data(contentsOf: file),
            let results = try? JSONDecoder().decode(RunResults.self, from: data)
        else { return false }
        return !results.results.isEmpty
    }

    /// "45, 44 finished, 1 failed".
    private static func count(_ all: Int, _ finished: Int, _ failed: Int) -> String {
        "\(all), \(finished) finished" + (failed > 0 ? ", \(failed) failed" : "")
    }

    private static func list(_ numbers: [Int]) -> String {
        numbers.map(String.init).joined(separator: ", ")
    }
}
