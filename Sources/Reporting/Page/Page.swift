import Foundation

/// The whole page: every section with its numbers, ready for the templates.
///
/// The templates read the stored properties of this and of the sections, by their names.
struct Page {
    var name: String
    var subtitle: String
    var styleSheet: String
    var summary: SummarySection
    var accuracy: AccuracySection?
    var gallery: GallerySection?
    var curves: [FigureGroupView]
    var costs: CostsSection?
    var provenance: ProvenanceSection

    var hasCurves: Bool

    init(run: RunFolder, gnuplot: Gnuplot?) throws {
        name = run.name
        subtitle = Self.subtitle(run)
        styleSheet = StyleSheet.css

        let writer = FigureWriter(folder: run.url.appending(path: "figures"), gnuplot: gnuplot)
        let bars = AccuracyFigures.bars(run.results?.results ?? [])
        let log = run.metrics ?? MetricsLog()
        let groups =
            TrainingFigures.groups(log) + [AccuracyFigures.curves(log)].compactMap { $0 }
        try writer.removeAll(
            but: Set((bars + groups.flatMap { $0.charts + $0.details }).map(\.name))
        )
        accuracy = AccuracySection(run, figures: try bars.map(writer.view))
        gallery = try GallerySection(run.gallery)
        curves = try groups.map { group in
            FigureGroupView(
                title: group.title,
                note: group.note,
                figures: try group.charts.map(writer.view),
                details: try group.details.map(writer.view)
            )
        }
        hasCurves = !curves.isEmpty
        costs = CostsSection(run.results?.costs ?? [])
        provenance = ProvenanceSection(run)

        var gaps = Self.gaps(run)
        let hasFigures = accuracy?.figures.isEmpty == false || !curves.isEmpty
        if hasFigures, gnuplot == nil {
            gaps.append(
                """
                The curves and bars are not drawn, since gnuplot was not found. Their numbers are \
                in the folder figures. Install gnuplot (Debian: apt-get install gnuplot-nox) and \
                rebuild this report.
                """
            )
        }
        summary = SummarySection(run, gaps: gaps)
    }

    /// What was run when, on what.
    private static func subtitle(_ run: RunFolder) -> String {
        let keys = [("startedAt", "started "), ("device", "on "), ("version", "distill ")]
        let parts = keys.compactMap { key, prefix in
            run.provenance?[key].map { prefix + $0.text }
        }
        return parts.joined(separator: " · ")
    }

    private static func gaps(_ run: RunFolder) -> [String] {
        var gaps: [String] = []
        if run.results?.results.isEmpty != false {
            gaps.append(
                """
                No network has been evaluated yet, so there are no accuracies. Start the run \
                again: it continues where it stopped.
                """
            )
        }
        if run.surrogate == nil {
            gaps.append("No surrogate images have been sampled yet.")
        }
        if run.baselines.isEmpty {
            gaps.append("There are no images of other methods to compare with.")
        }
        if run.metrics?.records.isEmpty != false {
            gaps.append("No training step has been logged yet, so there are no curves.")
        }
        if run.metrics?.endsTorn == true {
            gaps.append(
                "The last line of metrics.jsonl was cut off in the middle and is ignored."
            )
        }
        if run.results?.costs.isEmpty != false {
            gaps.append("No time or memory use of finished stages has been recorded yet.")
        }
        if run.provenance == nil {
            gaps.append("There is no provenance.json, so the origin of this run is not known.")
        }
        if run.recipe == nil {
            gaps.append(
                "There is no recipe.resolved.yaml, so the settings that were used are not known."
            )
        }
        return gaps
    }

    /// The page as text.
    func html() throws -> String { try Templates.render(self, with: "page") }
}
