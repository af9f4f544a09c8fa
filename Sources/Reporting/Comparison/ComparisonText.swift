/// The tables as text for papers, pages and spreadsheets.
package enum ComparisonText {
    /// What the marks of a table mean.
    ///
    /// - Parameter table: The table.
    /// - Returns: A few sentences.
    package static func legend(_ table: ComparisonTable) -> String {
        let count = table.mostValues
        let isEqual = table.rows.flatMap(\.entries).allSatisfy {
            $0.map { $0.group.values.count == count && $0.group.incompleteDraws == 0 } ?? true
        }
        return """
            Mean accuracy on the test set in percent \(Names.epoch(table.selections)), ± the sample standard deviation \
            over \(Words.count(count)) \(count == 1 ? table.spread.singular : table.spread.plural)\
            \(isEqual ? "" : " (fewer where noted)"). \
            \(table.spread == .draws ? "Each draw counts as the mean of its networks. "
                : "The seeds are those of the networks, which all see the same images of each method. ")\
            Bold: the highest mean of those compared; one of a single \(table.spread.singular) counts only where \
            all are. ≈: not distinguishable from it \
            (Welch's test over the \(table.spread.plural), p ≥ 0.05). \
            ?: a single \(table.spread.singular), so nothing can be concluded.\
            \(table.protocols.isEmpty ? "" : " Protocol: \(table.protocols).")
            """
    }

    private static func mark(_ verdict: ComparisonTable.Verdict) -> String {
        switch verdict {
        case .best, .lower: ""
        case .noise: " ≈"
        case .unknown: " ?"
        }
    }

    private static func heads(_ table: ComparisonTable) -> [String] {
        ["images per class", "network"] + (table.hasSettings ? ["settings"] : [])
            + table.methods.map(\.shortName)
    }

    private static func leads(_ row: ComparisonTable.Row, _ table: ComparisonTable) -> [String] {
        ["\(row.imagesPerClass)", Names.network(row.network)]
            + (table.hasSettings ? [row.settings] : [])
    }

    /// A table of Markdown.
    package static func markdown(_ table: ComparisonTable) -> String {
        let heads = heads(table)
        let leadCount = heads.count - table.methods.count
        var lines = ["| " + heads.map(escapedMarkdown).joined(separator: " | ") + " |"]
        let rules = heads.indices.map { $0 == 0 || $0 >= leadCount ? "---:" : "---" }
        lines.append("| " + rules.joined(separator: " | ") + " |")
        for row in table.rows {
            let cells = row.entries.map { entry -> String in
                guard let entry else { return "–" }
                let text = entry.verdict == .best ? "**\(entry.text)**" : entry.text
                return text + entry.remark(outOf: table.mostValues) + mark(entry.verdict)
            }
            let fields = leads(row, table).map(escapedMarkdown) + cells
            lines.append("| " + fields.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A `tabular` of LaTeX that needs no packages.
    package static func latex(_ table: ComparisonTable) -> String {
        let heads = heads(table)
        let leadCount = heads.count - table.methods.count
        let columns =
            "r" + String(repeating: "l", count: leadCount - 1)
            + String(repeating: "c", count: table.methods.count)
        var lines = [
            "\\begin{tabular}{\(columns)}", "\\hline",
            heads.map(escapedLaTeX).joined(separator: " & ") + " \\\\", "\\hline",
        ]
        for row in table.rows {
            let cells = row.entries.map { entry -> String in
                guard let entry else { return "--" }
                let text = entry.text.replacing("±", with: "$\\pm$")
                let remark = entry.remark(outOf: table.mostValues)
                switch entry.verdict {
                case .best: return "\\textbf{\(text)}\(remark)"
                case .lower: return text + remark
                case .noise: return text + remark + "$^{\\approx}$"
                case .unknown: return text + remark + "$^{?}$"
                }
            }
            let fields = leads(row, table).map(escapedLaTeX) + cells
            lines.append(fields.joined(separator: " & ") + " \\\\")
        }
        lines += ["\\hline", "\\end{tabular}"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// Every mean with its values, tests and costs; accuracies as fractions.
    package static func csv(_ tables: [ComparisonTable], base: [String: String]) -> String {
        let paths = base.keys.sorted()
        var lines = [
            (["method", "imagesPerClass", "network", "protocol", "epochs", "selection"] + paths + [
                "seeds", "mean", "sampleDeviation", "values", "bestEpochMean", "comparedWith",
                "verdict", "welch", "paired", "distillationSeconds", "distillationMemoryBytes",
                "evaluationSeconds",
            ]).map(CSV.quoted).joined(separator: ",")
        ]
        for table in tables {
            for entry in table.rows.flatMap(\.entries).compactMap({ $0 }) {
                let group = entry.group
                let best = group.bestValues
                var fields = [
                    group.method.id, "\(group.imagesPerClass)", group.network,
                    group.protocolName ?? "", group.epochs.map(String.init) ?? "",
                    group.selection,
                ]
                fields += paths.map { path in
                    // A mean over draws belongs to none of them.
                    let isMerged = group.spread == .draws && path == ComparisonFile.drawPath
                    return isMerged ? "" : group.variation[path] ?? base[path] ?? ""
                }
                fields += [
                    group.seeds.map(String.init).joined(separator: " "), digits(group.mean),
                    group.deviation.map(digits) ?? "",
                    group.values.map(digits).joined(separator: " "),
                    best.isEmpty ? "" : digits(best.reduce(0, +) / Double(best.count)),
                    table.kind.rawValue, "\(entry.verdict)",
                    entry.welch.map(digits) ?? "", entry.paired.map(digits) ?? "",
                    group.distillation.map { digits($0.seconds) } ?? "",
                    group.distillation?.peakMemoryBytes.map(digits) ?? "", digits(group.seconds),
                ]
                lines.append(fields.map(CSV.quoted).joined(separator: ","))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func digits(_ value: Double) -> String { Words.number(value) }

    private static func escapedMarkdown(_ text: String) -> String {
        text.map { "\\|_*`<".contains($0) ? "\\\($0)" : String($0) }.joined()
    }

    private static func escapedLaTeX(_ text: String) -> String {
        let text = text.map { character in
            switch character {
            case "\\": "\\textbackslash{}"
            case "~": "\\textasciitilde{}"
            case "^": "\\textasciicircum{}"
            case "&", "%", "$", "#", "_", "{", "}": "\\\(character)"
            default: String(character)
            }
        }.joined()
        return text.replacing("λ\\_r", with: "$\\lambda_r$").replacing(
            "λ\\_d",
            with: "$\\lambda_d$"
        )
    }
}
