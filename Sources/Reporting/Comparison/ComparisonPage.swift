import Foundation

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
        /// What its marks mean; empty where it is what the table before it says.
        var legend: String
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

    struct Origin {
        var cells: String
        var program: String
        var machine: String
        var test: String
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
    var figures: [FigureGroupView]
    var hasFigures: Bool
    var gallery: GallerySection?
    var published: Published?
    var units: [Unit]
    var hasUnits: Bool
    /// What the cells were measured by and on, a row for each that differs.
    var origins: [Origin]
    var hasOrigins: Bool
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
        gallery: GallerySection?,
        published: PublishedNumbers?,
        grid: String?,
        gaps reasons: [String]
    ) {
        name = file.name
        // A cell that failed may have a result of an earlier time.
        let all = file.results.map(\.key) + file.failed.map(\.cell) + file.missing
        let total = Set(all).count
        subtitle = "\(Words.count(file.results.count)) of \(Words.count(total, "cell")) measured"
        styleSheet = StyleSheet.css
        findings = tables.flatMap { ComparisonFindings.sentences($0.table) }
        gaps = Self.gaps(file, figures) + reasons
        let legends = tables.map { ComparisonText.legend($0.table) }
        self.tables = zip(tables, legends).enumerated().map { place, item in
            let isRepeated = place > 0 && legends[place - 1] == item.1
            return Self.table(item.0.title, item.0.table, legend: isRepeated ? "" : item.1)
        }
        self.figures = figures
        hasFigures = !figures.isEmpty
        self.gallery = gallery
        origins = Self.origins(file)
        hasOrigins = !origins.isEmpty
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

    private static func table(_ title: String, _ table: ComparisonTable, legend: String) -> Table {
        Table(
            title: title,
            note: table.note,
            legend: legend,
            leads: ["Images per class", "Network"] + (table.hasSettings ? ["Settings"] : []),
            methods: table.methods.map(\.shortName),
            rows: table.rows.map { row in
                Table.Row(
                    leads: ["\(row.imagesPerClass)", Names.network(row.network)]
                        + (table.hasSettings ? [row.settings] : []),
                    cells: row.entries.map { cell($0, outOf: table.mostValues) }
                )
            },
            isWide: table.methods.count + (table.hasSettings ? 3 : 2) > 8
        )
    }

    private static func cell(_ entry: ComparisonTable.Entry?, outOf most: Int) -> Table.Cell {
        guard let entry else { return .init(text: "–", mark: "", remark: "", isBest: false) }
        let (mark, remark) =
            switch entry.verdict {
            case .best: ("", "highest")
            case .lower: ("", "")
            case .noise: ("≈", "not distinguishable from the highest")
            case .unknown: ("?", "a single \(entry.group.spread.singular)")
            }
        return .init(
            text: entry.text + entry.remark(outOf: most),
            mark: mark,
            remark: remark,
            isBest: entry.verdict == .best
        )
    }

    /// Cells by what measured them, the largest part first.
    private static func origins(_ file: ComparisonFile) -> [Origin] {
        struct Key: Hashable {
            var provenance: ComparisonFile.Provenance?
            var device: String?
            var precision: String?
            var images: Int?
            var fingerprint: String?
        }
        let parts = Dictionary(grouping: file.results) { cell in
            Key(
                provenance: cell.provenance,
                device: cell.result.device,
                precision: cell.result.precision,
                images: cell.result.test?.images,
                fingerprint: cell.result.test?.fingerprint
            )
        }
        return parts.sorted {
            ($1.value.count, $0.value[0].key) < ($0.value.count, $1.value[0].key)
        }
        .map { key, cells in
            let program = key.provenance.map {
                "distill \($0.version), commit \($0.commit.prefix(12)), libtorch \($0.libtorch)"
            }
            let machine = [
                key.device,
                key.provenance.map {
                    "\($0.cpuCapability), \(Words.count($0.threads, "thread"))"
                },
                key.precision,
            ].compactMap { $0 }
            let test = [
                key.images.map { Words.count($0, "image") },
                key.fingerprint.map { "fingerprint \($0.prefix(12))" },
            ].compactMap { $0 }
            return Origin(
                cells: Words.count(cells.count),
                program: program ?? "not recorded",
                machine: machine.isEmpty ? "not recorded" : machine.joined(separator: ", "),
                test: test.isEmpty ? "not recorded" : test.joined(separator: ", ")
            )
        }
    }

    private static func gaps(_ file: ComparisonFile, _ figures: [FigureGroupView]) -> [String] {
        var gaps: [String] = []
        if !file.missing.isEmpty {
            gaps.append(
                "Not computed yet: \(Words.count(file.missing.count, "cell")). Run the same command "
                    + "to continue."
            )
        }
        if !file.failed.isEmpty {
            gaps.append("\(Words.count(file.failed.count, "cell")) failed; the reasons are below.")
        }
        func kinds(_ devices: [String?]) -> Set<String> {
            // "cuda:1" is no other kind than "cuda:0".
            Set(devices.compactMap { $0?.split(separator: ":").first.map(String.init) })
        }
        let different: [(String, Set<String>)] = [
            ("kinds of device", kinds(file.results.map(\.result.device))),
            ("precisions", Set(file.results.compactMap(\.result.precision))),
            ("test images", Set(file.results.compactMap(\.result.test?.fingerprint))),
        ]
        for (name, values) in different where values.count > 1 {
            gaps.append(
                "Cells were measured with different \(name) (\(Words.list(values.map { String($0.prefix(12)) }.sorted()))): "
                    + "means over them mix results that may not be comparable."
            )
        }
        let makers = kinds(file.results.map(\.distillation?.device))
        if makers.count > 1 {
            gaps.append(
                "Images were made on different kinds of device (\(Words.list(makers.sorted()))): do "
                    + "not compare their times and memory."
            )
        }
        let failure = figures.flatMap(\.figures).compactMap(\.failure).first
        if let failure {
            let remedy =
                failure == FigureWriter.notInstalled
                ? " Install it (Debian: apt-get install gnuplot-nox) and rebuild this page." : ""
            gaps.append("\(failure) The numbers are in the folder figures.\(remedy)")
        }
        return gaps
    }

    /// The page as text.
    func html() throws -> String { try Templates.render(self, with: "comparison") }
}
