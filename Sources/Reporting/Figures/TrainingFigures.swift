/// The curves of `metrics.jsonl`: losses over steps, and accuracies over epochs.
enum TrainingFigures {
    /// What a logged key is called, and how to read its curve.
    private struct Term {
        var key: String
        var title: String
        var meaning: String
    }

    private static let losses = [
        Term(key: "loss", title: "Total loss", meaning: "What the optimizer minimises."),
        Term(
            key: "diffusion",
            title: "Diffusion loss",
            meaning: "How well the model still predicts the noise."
        ),
        Term(
            key: "representativeness",
            title: "Representativeness term",
            meaning: "Falls as predictions move closer to the least similar real images in memory."
        ),
        Term(
            key: "diversity",
            title: "Diversity term",
            meaning: "Falls as predictions move away from the most similar earlier predictions."
        ),
    ]

    /// Keys that count, identify or describe; `seconds` only grows.
    private static let bookkeeping: Set<String> = [
        "step", "epoch", "seed", "imagesPerClass", "seconds", "batchSize", "totalSteps",
    ]

    /// Keys that a run sets or reads off, so that there is no noise to smooth.
    private static let exact: Set<String> = ["learningRate", "peakMemoryBytes"]

    /// A group of figures for every stage that counts steps, in the order of the log.
    static func groups(_ log: MetricsLog) -> [FigureGroup] {
        var stages: [String] = []
        for record in log.records where record["step"] != nil && record.method == nil {
            if !stages.contains(record.stage) { stages.append(record.stage) }
        }
        return stages.compactMap { group(stage: $0, records: log.steps(of: $0)) }
    }

    private static func group(stage: String, records: [MetricsRecord]) -> FigureGroup? {
        let present = Set(records.flatMap(\.numbers.keys)).subtracting(bookkeeping)
        let known = Set(losses.map(\.key))
        let terms = losses.filter { present.contains($0.key) }
        let charts = terms.compactMap { chart(stage, $0, records) }
        let details = present.subtracting(known).sorted().compactMap { key in
            let name = key.hasSuffix("Bytes") ? String(key.dropLast(5)) : key
            return chart(stage, Term(key: key, title: Names.key(name), meaning: ""), records)
        }
        guard !charts.isEmpty || !details.isEmpty else { return nil }
        return FigureGroup(
            title: Names.stage(stage),
            note: note(records, charts),
            charts: charts,
            details: details
        )
    }

    private static func chart(_ stage: String, _ term: Term, _ records: [MetricsRecord]) -> Chart? {
        let (divisor, unit) = unit(term.key)
        let values = records.compactMap { record in
            zip(record["step"], record[term.key]).map { (x: $0, y: $1 / divisor) }
        }
        // Neither a single value nor a constant is a curve.
        guard values.count > 1, let first = values.first, let last = values.last,
            values.contains(where: { $0.y != first.y })
        else { return nil }
        let smoothing = Smoothing(values, isNoisy: !exact.contains(term.key))
        let ends = [smoothing.points.first, smoothing.points.last].map {
            Words.significant($0?.y ?? 0, digits: 3)
        }
        let spread =
            smoothing.window > 1
            ? """
             The line is the mean of \(smoothing.window) logged steps around each point; the band \
            is one standard deviation.
            """ : ""
        let title = "\(Names.stage(stage)): \(term.title.lowercasedFirst)"
        let begin = term.meaning.isEmpty ? "" : term.meaning + " "
        return Chart(
            name: "\(stage)-\(term.title)",
            title: title,
            caption: """
                \(begin)From \(ends[0]) at step \(Words.count(first.x)) to \(ends[1]) at step \
                \(Words.count(last.x)).\(spread)
                """,
            x: .init("step"),
            y: .init(term.title.lowercasedFirst, unit: unit),
            series: [
                .init(
                    term.title,
                    color: color(term.key),
                    mark: .line,
                    points: smoothing.points
                )
            ]
        )
    }

    /// Divisor and name of the unit that a key is shown in.
    private static func unit(_ key: String) -> (Double, String?) {
        switch key {
        case _ where key.hasSuffix("Bytes"): (1e9, "GB")
        case _ where key.hasSuffix("Seconds"): (1, "s")
        default: (1, nil)
        }
    }

    private static func color(_ key: String) -> Palette.Color {
        switch key {
        case "diffusion": .green
        case "representativeness": .vermillion
        case "diversity": .purple
        default: .blue
        }
    }

    private static func note(_ records: [MetricsRecord], _ charts: [Chart]) -> String {
        guard let last = records.last else { return "" }
        let steps = last["step"] ?? 0
        var parts = [Words.count(steps) + (steps == 1 ? " step" : " steps")]
        let seconds = records.compactMap { $0["seconds"] }
        // Only a clock that was never set back, as by a resumed run, tells the whole time.
        if let total = seconds.last, seconds.count == records.count, seconds == seconds.sorted() {
            parts.append("in \(Words.duration(total))")
        }
        let rates = records.compactMap { $0["imagesPerSecond"] }.sorted()
        if !rates.isEmpty {
            let median = Words.significant(rates[rates.count / 2], digits: 3)
            parts.append("at \(median) images per second (median)")
        }
        let peak = records.compactMap { $0["peakMemoryBytes"] }.max()
        let memory = peak.map { "; memory peaked at \(Words.bytes($0))" } ?? ""
        let rate = Set(records.compactMap { $0["learningRate"] })
        let constant =
            rate.count == 1 ? rate.map { " The learning rate was \(Words.number($0))." }[0] : ""
        return parts.joined(separator: " ") + memory + "." + constant
    }
}

/// Both, or nothing.
private func zip<A, B>(_ a: A?, _ b: B?) -> (A, B)? {
    guard let a, let b else { return nil }
    return (a, b)
}

extension String {
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
