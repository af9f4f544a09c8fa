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
    private static func percent(_ accuracy: EvaluationResult.Accuracy) -> String {
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
        var facts = [(String, String)]()
        let stages = [
            ("fine-tuned model", "checkpoints/finetuned.safetensors"),
            ("surrogate dataset", "surrogate/metadata.jsonl"), ("results", "results.json"),
            ("report", "report.html"),
        ]
        for (title, name) in stages { facts.append((title, has(name) ? name : "not there")) }
        if let data = try? Data(contentsOf: url.appendingPathComponent("results.json")),
            let results = try? JSONDecoder().decode(RunResults.self, from: data)
        {
            for result in results.results {
                facts.append(
                    (
                        "\(result.method), \(result.network), \(result.imagesPerClass) images per class",
                        String(format: "%.1f %%", result.last.mean * 100)
                    )
                )
            }
        }
        self.facts = facts
    }
}
