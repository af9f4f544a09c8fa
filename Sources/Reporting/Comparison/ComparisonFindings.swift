/// What the tables of a comparison say, in plain words with the numbers.
enum ComparisonFindings {
    /// So many rows or columns are told one by one.
    private static let mostSentences = 6

    static func sentences(_ table: ComparisonTable) -> [String] {
        switch table.kind {
        case .methods: methods(table)
        case .settings: settings(table)
        // Their means are what the other tables tell.
        case .draws: []
        }
    }

    /// Who wins how often, and every row in a sentence while there are few.
    private static func methods(_ table: ComparisonTable) -> [String] {
        let rows = table.rows.map { $0.entries.compactMap { $0 } }.filter { $0.count > 1 }
        guard !rows.isEmpty else { return [] }
        let winners = Dictionary(grouping: rows.compactMap { $0.first { $0.verdict == .best } }) {
            $0.group.method
        }
        let counts = winners.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
            .map { "\($0.key.shortName) in \($0.value.count)" }
        let highest = "the highest mean is that of \(Words.list(counts))."
        var sentences =
            rows.count == 1
            ? [certainty(rows[0], table)]
            : ["Of \(rows.count) comparisons, \(highest)", certainty(rows, table)]
        guard table.rows.count <= mostSentences else { return sentences }
        for row in table.rows {
            let entries = row.entries.compactMap { $0 }.sorted { $0.group.mean > $1.group.mean }
            let parts = entries.map { "\($0.group.method.shortName) \(percent($0))" }
            sentences.append("\(place(row)): \(Words.list(parts)).")
        }
        return sentences
    }

    /// Whether the highest of a single row is above all others for sure.
    private static func certainty(
        _ row: [ComparisonTable.Entry],
        _ table: ComparisonTable
    ) -> String {
        let best = row.first { $0.verdict == .best }?.group.method.shortName ?? "–"
        if row.contains(where: { $0.verdict == .unknown }) {
            return
                "The highest mean is that of \(best); a single \(table.spread.singular) leaves open "
                + "whether this is due to chance."
        }
        return row.contains { $0.verdict == .noise }
            ? "The highest mean is that of \(best); the difference from at least one other method may "
                + "be noise."
            : "The highest mean is that of \(best), above every other method by more than the "
                + "variation over the \(table.spread.plural) explains."
    }

    /// In how many rows the highest is above all others for sure.
    private static func certainty(
        _ rows: [[ComparisonTable.Entry]],
        _ table: ComparisonTable
    ) -> String {
        let unknown = rows.count { row in row.contains { $0.verdict == .unknown } }
        if unknown == rows.count {
            return
                "With single \(table.spread.plural), nothing is known about the spread: differences "
                + "may be due to chance."
        }
        let noise = rows.count { row in
            row.contains { $0.verdict == .noise } && !row.contains { $0.verdict == .unknown }
        }
        let clear = rows.count - unknown - noise
        var parts = [
            "In \(clear == 0 ? "none of them is it" : "\(clear) of them it is") above every other "
                + "method by more than the variation over the \(table.spread.plural) explains"
        ]
        if noise > 0 {
            parts.append("in \(noise) the difference from at least one other method may be noise")
        }
        if unknown > 0 {
            parts.append("in \(unknown) a single \(table.spread.singular) leaves this open")
        }
        return parts.joined(separator: "; ") + "."
    }

    /// For every method, network and number of images the best setting beside that of the recipe.
    private static func settings(_ table: ComparisonTable) -> [String] {
        let sentences = table.rows.map(place).withoutRepetitions.flatMap { name in
            table.methods.indices.compactMap { column -> String? in
                let entries = table.rows.filter { place($0) == name }.compactMap { row in
                    row.entries[column].map { (settings: row.settings, entry: $0) }
                }
                return sentence(entries, of: table.methods[column], at: name)
            }
        }
        guard sentences.count > mostSentences else { return sentences }
        return Array(sentences.prefix(mostSentences))
            + ["\(sentences.count - mostSentences) more comparisons of settings are in the table."]
    }

    private static func sentence(
        _ entries: [(settings: String, entry: ComparisonTable.Entry)],
        of method: Method,
        at place: String
    ) -> String? {
        guard entries.count > 1, let best = entries.first(where: { $0.entry.verdict == .best })
        else { return nil }
        var text =
            "\(method.shortName), \(place): of \(entries.count) settings, the highest mean is "
            + "\(percent(best.entry)) (\(best.settings))"
        let usual = entries.first { $0.entry.group.variation.isEmpty }
        if let usual, !best.entry.group.variation.isEmpty {
            text += "; the recipe's own settings give \(percent(usual.entry))"
        }
        let others = entries.filter { $0.entry.verdict != .best }
        let noise = others.count { $0.entry.verdict == .noise }
        let unknown = others.count { $0.entry.verdict == .unknown }
        let spread = best.entry.group.spread
        if unknown > 0 {
            return text + ". Single \(spread.plural) do not show whether this is due to chance."
        }
        switch noise {
        case 0:
            return text + ". All others are lower by more than the variation over the "
                + "\(spread.plural) explains."
        case others.count: return text + ". None of the others can be distinguished from it."
        default:
            return text + ". \(noise) of the \(others.count) others cannot be distinguished from "
                + "it."
        }
    }

    private static func percent(_ entry: ComparisonTable.Entry) -> String {
        Words.percent(entry.group.mean, deviation: entry.group.deviation)
    }

    private static func place(_ row: ComparisonTable.Row) -> String {
        "\(Names.network(row.network)) with \(Words.count(row.imagesPerClass, "image")) per class"
    }
}
