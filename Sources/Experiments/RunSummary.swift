import Evaluation
import Foundation

extension RunResults {
    /// The accuracies as a table for people, percent with one decimal.
    public var table: String {
        let choosesEpochs = results.contains { $0.selected != nil }
        let protocols = Set(results.map(\.evaluationProtocol)).count > 1
        let header =
            ["method", "images/class", "network"] + (protocols ? ["protocol"] : []) + ["last %"]
            + (choosesEpochs ? ["chosen on images held back %"] : [])
            + ["best % (chosen on the test set, as published)"]
        let rows = results.map { result in
            [
                result.method, "\(result.imagesPerClass)", result.network,
            ] + (protocols ? [result.evaluationProtocol] : [])
                + [RunResults.percent(result.last)]
                + (choosesEpochs ? [result.selected.map(RunResults.percent) ?? ""] : [])
                + [RunResults.percent(result.best)]
        }
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].count }.max() ?? 0
        }
        return ([header] + rows).map { row in
            zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
                .joined(separator: "  ").trimmingCharacters(in: .whitespaces)
        }.joined(separator: "\n")
    }

    /// "78.4 ± 0.6", with the sample deviation where there are several seeds.
    fileprivate static func percent(_ accuracy: EvaluationResult.Accuracy) -> String {
        let mean = String(format: "%.1f", accuracy.mean * 100)
        return accuracy.sampleDeviation.map { mean + String(format: " ± %.1f", $0 * 100) } ?? mean
    }
}

extension EvaluationResult {
    /// What the accuracy depends on, in lines for people.
    public var conditions: String {
        let values = headline.values.map { String(format: "%.1f", $0 * 100) }
        var lines = [
            ("protocol", evaluationProtocol),
            (
                "training",
                "\(train.images) images, \(epochs) epochs, the test set looked at "
                    + (evaluations == 1 ? "once" : "\(evaluations) times")
            ),
            ("seeds", zip(seeds, values).map { "\($0): \($1) %" }.joined(separator: ", ")),
        ]
        if let choice { lines.insert(("images", choice), at: 1) }
        if let interval = headline.confidence95 {
            lines.append(("95 % interval", String(format: "± %.1f of the mean", interval * 100)))
        }
        lines.append(
            (
                "cost",
                String(format: "%.0f s, at most %.1f GB", seconds, Double(peakMemoryBytes) / 1e9)
                    + ", \(precision) on \(device)"
            )
        )
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { $0.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $1 }
            .joined(separator: "\n")
    }
}

extension Pipeline {
    /// What is measured so far.
    public func results() throws -> RunResults {
        try folder.read(json: "results.json", as: RunResults.self) ?? RunResults()
    }
}

/// What a run folder holds, in plain words.
public struct RunSummaryFacts {
    /// Name and value, in reading order.
    public let facts: [(String, String)]

    /// Looks into a run folder.
    public init(_ url: URL) {
        func has(_ name: String) -> Bool {
            FileManager.default.fileExists(atPath: url.appendingPathComponent(name).path)
        }
        func state(_ name: String) -> String { has(name) ? name : "not there" }
        var facts = [
            ("fine-tuned model", state("checkpoints/finetuned.safetensors")),
            ("surrogate dataset", state("surrogate/metadata.jsonl")),
            ("baselines", RunSummaryFacts.baselines(url)),
        ]
        let file = url.appendingPathComponent("results.json")
        var results = RunResults()
        if has("results.json") {
            do {
                results = try JSONDecoder().decode(RunResults.self, from: Data(contentsOf: file))
                facts.append(("results", "results.json"))
            } catch {
                facts.append(
                    (
                        "results",
                        "results.json is damaged and cannot be read: remove it, and the command of "
                            + "the run measures again"
                    )
                )
            }
        } else {
            facts.append(("results", "not there"))
        }
        facts.append(("report", state("report.html")))
        let protocols = Set(results.results.map(\.evaluationProtocol))
        for result in results.results {
            let name =
                "\(result.method), \(result.network), \(result.imagesPerClass) images per class"
            facts.append(
                (
                    protocols.count > 1 ? "\(name), \(result.evaluationProtocol)" : name,
                    result.sentence
                )
            )
        }
        self.facts = facts
    }

    /// The other methods whose images are there.
    private static func baselines(_ run: URL) -> String {
        let folder = run.appendingPathComponent("baselines")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let methods = names.filter { !$0.hasPrefix(".") }.sorted().map { name in
            let mark = folder.appendingPathComponent("\(name)/metadata.jsonl")
            return FileManager.default.fileExists(atPath: mark.path) ? name : "\(name) (unfinished)"
        }
        return methods.isEmpty ? "none" : methods.joined(separator: ", ")
    }
}

extension EvaluationResult {
    /// The accuracy that counts, and what it depends on, in one line.
    fileprivate var sentence: String {
        let epoch =
            switch selection ?? .last {
            case .last: "after the last epoch"
            case .best: "at the best epoch on the test set"
            case .holdout: "at the epoch chosen on images held back"
            }
        let values = zip(seeds, headline.values).map { seed, value in
            "\(seed): " + String(format: "%.1f", value * 100)
        }
        return "\(RunResults.percent(headline)) % \(epoch); protocol \(evaluationProtocol); seeds "
            + values.joined(separator: ", ")
    }
}

/// What a folder of runs holds, such as `Runs`, in plain words.
public struct RunCollectionFacts {
    /// Name and value, in reading order.
    public let facts: [(String, String)]

    /// Looks into a folder; nil if no folder in it is a run or a comparison.
    public init?(_ url: URL) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        let places = names.filter { !$0.hasPrefix(".") }.sorted()
        let runs = places.filter { name in
            let recipe = url.appendingPathComponent("\(name)/recipe.resolved.yaml")
            return FileManager.default.fileExists(atPath: recipe.path)
        }
        let comparisons = places.filter {
            ComparisonFacts.isComparison(url.appendingPathComponent($0))
        }
        guard let first = (runs + comparisons).first else { return nil }
        func list(_ names: [String]) -> String {
            "\(names.count): \(names.joined(separator: ", "))"
        }
        var facts = [(String, String)]()
        if !runs.isEmpty { facts.append(("runs", list(runs))) }
        if !comparisons.isEmpty { facts.append(("comparisons", list(comparisons))) }
        facts.append(
            ("one of them", "distill inspect \(url.appendingPathComponent(first).relativePath)")
        )
        facts.append(("all together", "distill report \(url.relativePath)"))
        self.facts = facts
    }
}
