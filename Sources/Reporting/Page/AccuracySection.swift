/// The table of accuracies: a block a network and number of images per class, a row a method.
struct AccuracySection {
    struct Row {
        var method: String
        var last: String
        /// The highest mean, or one within the deviations of it.
        var isBest: Bool
        var isOwn: Bool
        var values: String
        var seeds: String
        var best: String
        var trainImages: String
        var time: String
    }

    struct Block {
        var heading: String
        var rows: [Row]
    }

    var blocks: [Block]
    var figures: [FigureView]

    /// Nothing when no accuracy was measured yet.
    init?(_ run: RunFolder, figures: [FigureView]) {
        guard let results = run.results?.results, !results.isEmpty else { return nil }
        self.figures = figures
        let own = run.surrogate?.method
        blocks = AccuracyFigures.groups(results).flatMap { group in
            group.imagesPerClass.map { count in
                let results = group.results.filter { $0.imagesPerClass == count }
                    .sorted(by: AccuracyResult.precedes)
                return Block(
                    heading: Self.heading(group, count, results),
                    rows: results.map { Self.row($0, among: results, own: own) }
                )
            }
        }
    }

    private static func heading(
        _ group: AccuracyFigures.Group,
        _ count: Int,
        _ results: [AccuracyResult]
    ) -> String {
        var parts = [Names.network(group.network), "\(Words.count(count, "image")) per class"]
        if let name = group.protocolName { parts.append("protocol \(name)") }
        if let epochs = group.epochs { parts.append(Words.count(epochs, "epoch")) }
        if let images = results.compactMap(\.test?.images).first {
            parts.append(Words.count(images, "test image"))
        }
        return parts.joined(separator: " · ")
    }

    private static func row(_ result: AccuracyResult, among results: [AccuracyResult], own: String?)
        -> Row
    {
        let top = results.max { $0.last.mean < $1.last.mean }
        let isBest: Bool =
            if let top {
                switch Comparison(top.last, result.last) {
                case .withinDeviations: true
                case .unknownDeviation(let difference): difference == 0
                case .higher, .lower: false
                }
            } else { false }
        return Row(
            method: Method(result.method).longName,
            last: Words.percent(result.last.mean, deviation: result.last.deviation),
            isBest: isBest,
            isOwn: result.method == own,
            values: result.last.values.map(Words.points).joined(separator: ", "),
            seeds: result.seeds.map { seeds in
                (seeds.count == 1 ? "seed " : "seeds ")
                    + seeds.map(String.init).joined(separator: ", ")
            } ?? "",
            best: result.best.map { Words.percent($0.mean, deviation: $0.deviation) } ?? "–",
            trainImages: result.trainImages.map(Words.count) ?? "–",
            time: result.seconds.map(Words.duration) ?? "–"
        )
    }
}
