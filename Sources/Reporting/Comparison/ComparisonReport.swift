import Foundation

/// The tables, figures and page of a comparison, made from the files that `distill compare` wrote.
///
/// Beside `comparison.json` it writes `comparison.csv`, `.md`, `.tex` and `.html`, and `figures/`.
public struct ComparisonReport: Sendable {
    private let url: URL
    private let file: ComparisonFile
    private let distribution: DistributionFile?
    private let grid: String?
    private let published: PublishedNumbers?

    /// Whether a folder is that of a comparison.
    ///
    /// - Parameter folder: Any folder.
    /// - Returns: Whether it holds `comparison.json`.
    public static func isComparison(_ folder: URL) -> Bool {
        RunFile(url: folder.appending(path: "comparison.json")).exists
    }

    /// Reads the files of a comparison.
    ///
    /// - Parameters:
    ///   - folder: The folder that `distill compare` wrote.
    ///   - published: Numbers of others, for a table of their own.
    /// - Throws: ``ReportError`` if there is no `comparison.json` in it, or if a file is malformed.
    public init(comparison folder: URL, published: PublishedNumbers? = nil) throws {
        func read(_ name: String) -> RunFile? {
            let file = RunFile(url: folder.appending(path: name))
            return file.exists ? file : nil
        }
        guard let results = read("comparison.json") else {
            throw ReportError(
                .notARunFolder,
                """
                \(folder.path(percentEncoded: false)): there is no comparison.json in it. Give the \
                folder that 'distill compare' wrote.
                """
            )
        }
        url = folder
        file = try ComparisonFile.read(results)
        distribution = try read("distribution.json")?.decoded(DistributionFile.self)
        grid = try read("grid.resolved.yaml")?.text()
        self.published = published
    }

    /// The file that keeps for which dataset published numbers were asked.
    private static let publishedFile = "published.txt"

    /// The dataset whose published numbers were shown when the page was made; nil for none.
    ///
    /// - Parameter folder: The folder of the comparison.
    /// - Returns: The name of the dataset.
    public static func publishedDataset(_ folder: URL) -> String? {
        let file = RunFile(url: folder.appending(path: publishedFile))
        return (try? file.text())?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Writes tables, figures and page.
    ///
    /// - Returns: The page.
    /// - Throws: ``ReportError`` if a file cannot be written.
    @discardableResult
    public func write() throws -> URL { try write(gnuplot: Gnuplot()) }

    /// Writes them with a given gnuplot, or with none.
    @discardableResult
    package func write(gnuplot: Gnuplot?) throws -> URL {
        let tables = self.tables
        if let published { try save(published.dataset + "\n", Self.publishedFile) }
        try save(
            ComparisonText.csv(tables.map(\.table), base: file.base),
            "comparison.csv"
        )
        try save(markdown(tables), "comparison.md")
        try save(
            tables.map { "% \($0.title)\n" + ComparisonText.latex($0.table) }
                .joined(separator: "\n"),
            "comparison.tex"
        )
        let writer = FigureWriter(folder: url.appending(path: "figures"), gnuplot: gnuplot)
        let figures = self.figures
        try writer.removeAll(
            but: Set(figures.flatMap { $0.charts + $0.details }.map(\.name))
        )
        let page = ComparisonPage(
            url: url,
            file: file,
            tables: tables,
            figures: try figures.map { group in
                FigureGroupView(
                    title: group.title,
                    note: group.note,
                    figures: try group.charts.map(writer.view),
                    details: try group.details.map(writer.view)
                )
            },
            gallery: try GallerySection(gallery),
            published: published,
            grid: grid,
            gaps: missingDistribution.map { [$0] } ?? []
        )

        return try save(page.html(), "comparison.html")
    }

    /// The largest set of each method, in the settings of the grid's own recipe; where that was not
    /// measured, in those of its first results.
    private var gallery: GallerySection.Source {
        let methods = Set(file.results.map(\.result.method))
        let sets = methods.compactMap { method -> ImageSet? in
            let all = file.results.filter { $0.result.method == method }
            let shown = all.contains(where: \.variation.isEmpty) ? [:] : all.first?.variation
            let largest = all.filter { $0.variation == shown }
                .max { $0.result.imagesPerClass < $1.result.imagesPerClass }
            guard let unit = largest?.unit else { return nil }
            return ["surrogate", "baselines/\(method)"].lazy.compactMap {
                ImageSet(method: method, place: "shared/\(unit)/\($0)", in: url)
            }.first
        }
        return .init(
            url: url,
            sets: sets.sorted { Method($0.method) < Method($1.method) },
            ownMethod: "minimax"
        )
    }

    /// Why there is no figure of the distribution, where the grid asks for one.
    private var missingDistribution: String? {
        guard distribution == nil, let features = file.distribution, features != "none" else {
            return nil
        }
        struct Failure: Decodable { var error: String }
        let failed = RunFile(url: url.appending(path: "distribution-failed.json"))
        let reason = failed.exists ? try? failed.decoded(Failure.self).error : nil
        return reason.map { "The distribution figure could not be made: \($0)" }
            ?? "The distribution figure is made once all cells have been tried, by "
            + "distill compare without --cell; with --gather, of the images there are."
    }

    /// The tables as text for a terminal.
    public var text: String { markdown(tables) }

    /// Results over the seeds of the networks, or over the draws where there are several.
    private var groups: [ComparisonGroup] {
        ComparisonGroup.overDraws(ComparisonGroup.all(file), of: file)
    }

    private var tables: [(title: String, table: ComparisonTable)] {
        let methods = ComparisonTable(methodsOf: groups)
        // Of the draws it shows means.
        let base = file.base.filter { $0.key != ComparisonFile.drawPath }
        let settings = ComparisonTable(settingsOf: groups, base: base)
        var tables = [("Methods", methods), ("Settings", settings)]
        if file.hasDraws {
            let draws = ComparisonTable(drawsOf: ComparisonGroup.all(file), base: file.base)
            tables.append(("Single draws", draws))
        }
        return tables.filter { !$0.1.rows.isEmpty }
    }

    private func markdown(_ tables: [(title: String, table: ComparisonTable)]) -> String {
        var parts = tables.map { title, table in
            "## \(title)\n\n\(ComparisonText.markdown(table))\n"
                + "\(ComparisonText.legend(table)) \(table.note)\n"
        }
        if let published {
            parts.append(
                """
                ## Published numbers on \(published.dataset)

                Not measured here: as reported by others, with their own code and machines, mostly \
                at the best epoch on the test set.

                \(published.markdown)
                """
            )
        }
        if !file.failed.isEmpty {
            parts.append(
                "## Failed cells\n\n"
                    + file.failed.map { cell in
                        let lines = cell.error.split(whereSeparator: \.isNewline)
                        // Messages have code in backticks; a tag would vanish.
                        let text = lines.joined(separator: " ").replacing("<", with: "\\<")
                        return "* `\(cell.cell)`: \(text)\n"
                    }.joined()
            )
        }
        return "# \(file.name)\n\n" + parts.joined(separator: "\n")
    }

    private var figures: [FigureGroup] {
        let groups = self.groups
        let (costs, accuracies) = (
            ComparisonFigures.costs(groups), ComparisonFigures.accuracies(groups)
        )
        let ablations = VariationFigures.ablations(groups, base: file.base)
        let sensitivities = VariationFigures.sensitivities(groups, base: file.base)
        return [
            FigureGroup(
                title: "Accuracy",
                note: "Networks trained from scratch on the images of each method.",
                charts: accuracies + costs
            ),
            FigureGroup(title: "Ablation", note: "", charts: ablations),
            FigureGroup(title: "Sensitivity", note: "", charts: sensitivities),
            FigureGroup(
                title: "Costs against images per class",
                note: "",
                charts: [ComparisonFigures.times(groups), ComparisonFigures.changes(groups)]
                    .compactMap { $0 }
            ),
            FigureGroup(
                title: "Distribution",
                note: "How the images of each method lie among the real ones.",
                charts: distribution.map(DistributionFigures.charts) ?? []
            ),
        ].filter { !$0.charts.isEmpty }
    }

    @discardableResult
    private func save(_ text: String, _ name: String) throws -> URL {
        let place = url.appending(path: name)
        try FigureWriter.write(text, to: place)
        return place
    }
}
