/// The table of accuracies: a block a network and number of images per class, a row a method.
struct AccuracySection {
    struct Row {
        var method: String
        var last: String
        /// At the epochs that training images held back have chosen; empty if none were.
        var selected: String
        /// Which of its numbers is the highest of those that count, or not to be told from it.
        var isBestLast: Bool
        var isBestSelected: Bool
        var isBestBest: Bool
        var isOwn: Bool
        var values: String
        /// The seeds of the values, unless the heading of the block names them.
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
    /// By which epoch methods are to be compared.
    var advice: String
    var figures: [FigureView]

    /// Nothing when no accuracy was measured yet.
    init?(_ run: RunFolder, figures: [FigureView]) {
        guard let results = run.results?.results, !results.isEmpty else { return nil }
        self.figures = figures
        let own = run.surrogate?.method ?? "minimax"
        let selections = Set(results.compactMap(\.selection))
        advice =
            selections.isSubset(of: ["last"])
            ? "Compare methods by the accuracy after the last epoch."
            : "By the recipe, the accuracies that count are those \(Names.epoch(selections)): they are "
                + "the ones in bold and in the figures."
        let groups = AccuracyFigures.groups(results)
        let areSeveral = Set(groups.map(\.testSet)).count > 1
        blocks = groups.flatMap { group in
            group.imagesPerClass.map { count in
                Self.block(
                    group.results.filter { $0.imagesPerClass == count }
                        .sorted(by: AccuracyResult.precedes),
                    own: own,
                    namesTestSet: areSeveral
                )
            }
        }
    }

    /// Results that differ in nothing but the method.
    private static func block(
        _ results: [AccuracyResult],
        own: String,
        namesTestSet: Bool
    ) -> Block {
        var parts: [String] = []
        if let first = results.first {
            parts.append(Names.network(first.network))
            parts.append("\(Words.count(first.imagesPerClass, "image")) per class")
            if let name = first.protocolName { parts.append("protocol \(name)") }
            if let epochs = first.epochs { parts.append(Words.count(epochs, "epoch")) }
        }
        let test = results.compactMap(\.test).first
        if let text = test?.testDescription(withPath: namesTestSet) { parts.append(text) }
        let seeds = Set(results.map { self.seeds($0) })
        let areShared = seeds.count == 1
        if areShared { parts += seeds.filter { !$0.isEmpty } }
        return Block(
            heading: parts.joined(separator: " · "),
            rows: results.map { row($0, among: results, own: own, namesSeeds: !areShared) }
        )
    }

    private static func row(
        _ result: AccuracyResult,
        among results: [AccuracyResult],
        own: String,
        namesSeeds: Bool
    ) -> Row {
        let isBest = isBest(result, among: results)
        let counts = result.selection
        return Row(
            method: Method(result.method).longName,
            last: Words.percent(result.last.mean, deviation: result.last.deviation),
            selected: result.selected.map {
                Words.percent($0.mean, deviation: $0.deviation)
            } ?? "",
            isBestLast: isBest && counts != "best" && counts != "holdout",
            isBestSelected: isBest && counts == "holdout",
            isBestBest: isBest && counts == "best",
            isOwn: result.method == own,
            values: result.last.values.map(Words.points).joined(separator: ", "),
            seeds: namesSeeds ? seeds(result) : "",
            best: result.best.map { Words.percent($0.mean, deviation: $0.deviation) } ?? "–",
            trainImages: result.trainImages.map(Words.count) ?? "–",
            time: result.seconds.map(Words.duration) ?? "–"
        )
    }

    private static func isBest(_ result: AccuracyResult, among results: [AccuracyResult]) -> Bool {
        guard let top = results.max(by: { $0.counting.mean < $1.counting.mean }) else {
            return false
        }
        switch Comparison(top.counting, result.counting) {
        case .withinNoise: return true
        case .unknownSpread(let difference): return difference == 0
        case .higher, .lower: return false
        }
    }

    /// "seeds 0, 1, 2", or nothing.
    private static func seeds(_ result: AccuracyResult) -> String {
        guard let seeds = result.seeds, !seeds.isEmpty else { return "" }
        return (seeds.count == 1 ? "seed " : "seeds ")
            + seeds.map(String.init).joined(separator: ", ")
    }
}
