import Foundation
import Mustache

/// The page of a comparison, ready for its template, which reads the stored properties by name.
struct ComparisonPage {
    struct Table {
        struct Row {
            var leads: [String]
            var cells: [Cell]
        }

        struct Cell {
            var text: String
            var mark: String
            /// What the mark means, for those who hear the page.
            var remark: String
            var isBest: Bool
        }

        var title: String
        var note: String
        var leads: [String]
        var methods: [String]
        var rows: [Row]
        /// Whether it needs small letters to be seen as a whole.
        var isWide: Bool
    }

    struct Published {
        /// What one source has measured with one protocol.
        struct Table {
            struct Row {
                var imagesPerClass: String
                var network: String
                var cells: [String]
            }

            var title: String
            var methods: [String]
            var rows: [Row]
        }

        var dataset: String
        var tables: [Table]
    }

    struct Unit {
        var name: String
        var cells: String
        var time: String
        var memory: String
    }

    struct Problem {
        var cell: String
        var error: String
    }

    var name: String
    var subtitle: String
    var styleSheet: String
    var findings: [String]
    var gaps: [String]
    var tables: [Table]
    var legend: String
    var figures: [FigureGroupView]
    var hasFigures: Bool
    var published: Published?
    var units: [Unit]
    var hasUnits: Bool
    var problems: [Problem]
    var hasProblems: Bool
    var grid: String?
    var repeatCommand: String
    var rebuildCommand: String

    init(
        url: URL,
        file: ComparisonFile,
        tables: [(title: String, table: ComparisonTable)],
        figures: [FigureGroupView],
        published: PublishedNumbers?,
        grid: String?
    ) {
        name = file.name
        let total = file.results.count + file.failed.count + file.missing.count
        subtitle = "\(Words.count(file.results.count)) of \(Words.count(total, "cell")) measured"
        styleSheet = StyleSheet.css
        findings = tables.first { !$0.table.hasSettings }.map { Self.findings($0.table) } ?? []
        gaps = Self.gaps(file, figures)
        self.tables = tables.map { Self.table($0.title, $0.table) }
        legend = tables.first.map { ComparisonText.legend($0.table) } ?? ""
        self.figures = figures
        hasFigures = !figures.isEmpty
        self.published = published.map(Self.published)
        units = file.shared.filter { !$0.costs.isEmpty }.map { unit in
            Unit(
                name: unit.unit,
                cells: Words.count(unit.cells),
                time: Words.duration(unit.costs.map(\.seconds).reduce(0, +)),
                memory: unit.costs.compactMap(\.peakMemoryBytes).max().map(Words.bytes) ?? "–"
            )
        }
        hasUnits = !units.isEmpty
        problems = file.failed.map { Problem(cell: $0.cell, error: $0.error) }
        hasProblems = !problems.isEmpty
        self.grid = grid.map { $0.trimmingCharacters(in: .newlines) }
        let path = ShellWord.quoted(url.relativePath)
        let resolved = ShellWord.quoted(url.relativePath + "/grid.resolved.yaml")
        repeatCommand =
            "distill compare \(resolved) --output \(path)"
            + (published.map { " --published \($0.dataset)" } ?? "")
        rebuildCommand = "distill report \(path)"
    }

    private static func table(_ title: String, _ table: ComparisonTable) -> Table {
        Table(
            title: title,
            note: table.note,
            leads: ["Images per class", "Network"] + (table.hasSettings ? ["Settings"] : []),
            methods: table.methods.map(\.shortName),
            rows: table.rows.map { row in
                Table.Row(
                    leads: ["\(row.imagesPerClass)", Names.network(row.network)]
                        + (table.hasSettings ? [row.settings] : []),
                    cells: row.entries.map(cell)
                )
            },
            isWide: table.methods.count + (table.hasSettings ? 3 : 2) > 8
        )
    }

    private static func cell(_ entry: ComparisonTable.Entry?) -> Table.Cell {
        guard let entry else { return .init(text: "–", mark: "", remark: "", isBest: false) }
        let (mark, remark) =
            switch entry.verdict {
            case .best: ("", "highest")
            case .lower: ("", "")
            case .noise: ("≈", "not to be told from the highest")
            case .unknown: ("?", "a single \(entry.group.spread.singular)")
            }
        return .init(text: entry.text, mark: mark, remark: remark, isBest: entry.verdict == .best)
    }

    /// Who wins how often, and every row in a sentence while there are few.
    private static func findings(_ table: ComparisonTable) -> [String] {
        let rows = table.rows.map { $0.entries.compactMap { $0 } }.filter { $0.count > 1 }
        guard !rows.isEmpty else { return [] }
        var sentences: [String] = []
        let winners = Dictionary(grouping: rows.compactMap { $0.first { $0.verdict == .best } }) {
            $0.group.method
        }
        let counts = winners.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
            .map { "\($0.key.shortName) in \($0.value.count)" }
        sentences.append(
            "Of \(Words.count(rows.count, "comparison")), the highest mean is that of "
                + "\(Words.list(counts))."
        )
        let clear = rows.count { row in
            row.allSatisfy { $0.verdict == .best || $0.verdict == .lower }
        }
        let unknown = rows.count { row in row.contains { $0.verdict == .unknown } }
        if unknown == rows.count {
            sentences.append(
                "With single \(table.spread.plural) nothing is known about the spread: differences "
                    + "may be chance."
            )
        } else {
            sentences.append(
                """
                In \(clear == 0 ? "none" : "\(clear)") of them it is above every other method by more than the \(table.spread.plural) explain; \
                in the rest the difference to at least one other method may be noise.
                """
            )
        }
        guard table.rows.count <= 6 else { return sentences }
        for row in table.rows {
            let entries = row.entries.compactMap { $0 }.sorted { $0.group.mean > $1.group.mean }
            let parts = entries.map {
                "\($0.group.method.shortName) "
                    + Words.percent($0.group.mean, deviation: $0.group.deviation)
            }
            sentences.append(
                "\(Names.network(row.network)) with \(Words.count(row.imagesPerClass, "image")) per "
                    + "class: \(Words.list(parts))."
            )
        }
        return sentences
    }

    private static func gaps(_ file: ComparisonFile, _ figures: [FigureGroupView]) -> [String] {
        var gaps: [String] = []
        if !file.missing.isEmpty {
            gaps.append(
                "\(Words.count(file.missing.count, "cell")) are not computed yet; the same command "
                    + "goes on with them."
            )
        }
        if !file.failed.isEmpty {
            gaps.append("\(Words.count(file.failed.count, "cell")) failed; the reasons are below.")
        }
        let failure = figures.flatMap(\.figures).compactMap(\.failure).first
        if let failure {
            gaps.append(
                "\(failure) The numbers are in the folder figures. Install gnuplot (Debian: apt-get "
                    + "install gnuplot-nox) and build this page again."
            )
        }
        return gaps
    }

    /// The page as text.
    func html() throws -> String {
        var library = MustacheLibrary()
        for (name, template) in Templates.all {
            try library.register(template, named: name)
        }
        return library.render(self, withTemplate: "comparison") ?? ""
    }
}
