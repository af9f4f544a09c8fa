/// The numbers in plain words, claiming nothing that the spread over seeds could explain.
struct SummarySection {
    /// One number that stands out.
    struct Tile {
        var name: String
        var value: String
        var detail: String
        /// Whether it is the method of this run.
        var isOwn: Bool
    }

    /// What was measured with one network and number of images per class.
    struct Finding {
        var heading: String
        var tiles: [Tile]
        var paragraphs: [String]
    }

    var findings: [Finding]
    var remarks: [String]
    /// What is not there yet, and how to get it.
    var gaps: [String]

    /// Up to so many comparisons get a sentence each.
    private static let sentenceCount = 3
    /// At most so many findings are put in words; the table holds all.
    private static let findingCount = 4

    init(_ run: RunFolder, gaps: [String]) {
        self.gaps = gaps
        findings = []
        remarks = []
        let results = run.results?.results ?? []
        let groups = AccuracyFigures.groups(results).flatMap { group in
            group.imagesPerClass.map { count in
                group.results.filter { $0.imagesPerClass == count }
            }
        }
        findings = groups.prefix(Self.findingCount).map {
            Self.finding($0, own: run.surrogate?.method ?? "minimax")
        }
        if !findings.isEmpty {
            let selections = Set((run.results?.results ?? []).compactMap(\.selection))
            remarks.append(
                """
                Accuracies are those \(Names.epoch(selections)), on images that were not used for \
                training. ± is the sample standard deviation over the training seeds. Two methods \
                are called different only if Welch's test over the seeds finds a difference \
                (p < 0.05; no correction for many comparisons).
                """
            )
        }
        if groups.count > findings.count {
            remarks.append(
                "\(groups.count - findings.count) more comparisons are in the table below."
            )
        }
        remarks += [Self.compression(run), Self.costs(run.results?.costs ?? [])].compactMap { $0 }
    }

    private static func finding(_ results: [AccuracyResult], own: String) -> Finding {
        let results = results.sorted(by: AccuracyResult.precedes)
        let best = results.max { $0.counting.mean < $1.counting.mean }
        // The method of this run leads; in a run of baselines alone, the best one.
        guard let lead = results.first(where: { $0.method == own }) ?? best else {
            return Finding(heading: "", tiles: [], paragraphs: [])
        }
        let network = Names.network(lead.network)
        let others = results.filter { $0.method != lead.method }
        var measured = """
            \(network) trained from scratch on \(images(lead)) (\(lead.imagesPerClass) per class) \
            reaches \(accuracy(lead)) on \(testImages(lead)).
            """
        // The numbers of many methods are easier to find beside their names, above the text.
        let isLong = others.count > sentenceCount
        if !others.isEmpty, !isLong {
            let parts = others.map { "\(accuracy($0)) when trained on \(images($0))" }
            measured += " It reaches \(Words.list(parts))."
        }
        let compared = verdicts(lead, others).joined(separator: " ")
        return Finding(
            heading: "\(network), \(Words.count(lead.imagesPerClass, "image")) per class",
            tiles: results.map { result in
                Tile(
                    name: isLong
                        ? Method(result.method).shortName : Method(result.method).longName,
                    value: Words.percent(result.counting.mean),
                    detail: detail(result.counting),
                    isOwn: result.method == own
                )
            },
            paragraphs: [measured, compared].filter { !$0.isEmpty }
        )
    }

    /// One sentence a comparison, or all methods sorted by their verdict where there are many.
    private static func verdicts(_ lead: AccuracyResult, _ others: [AccuracyResult]) -> [String] {
        let name = Method(lead.method).shortName
        let compared = others.map { ($0, Comparison(lead.counting, $0.counting)) }
        guard others.count > sentenceCount else {
            return compared.map { $1.sentence(name, Method($0.method).shortName) }
        }
        var above: [String] = []
        var below: [String] = []
        var equal: [String] = []
        var unknown: [String] = []
        for (other, comparison) in compared {
            let other = Method(other.method).shortName
            switch comparison {
            case .higher(let by): above.append("\(other) (by \(Words.points(by)))")
            case .lower(let by): below.append("\(other) (by \(Words.points(by)))")
            case .withinNoise: equal.append(other)
            case .unknownSpread: unknown.append(other)
            }
        }
        return [
            above.isEmpty
                ? nil
                : "\(name) is above \(Words.list(above)), in percentage points, each time by more than the seeds explain (Welch's test, p < 0.05).",
            below.isEmpty
                ? nil
                : "\(name) is below \(Words.list(below)), in percentage points, each time by more than the seeds explain (Welch's test, p < 0.05).",
            equal.isEmpty
                ? nil
                : "Between \(name) and \(Words.list(equal)), the differences may be due to the seeds (p ≥ 0.05): none is shown to be better.",
            unknown.isEmpty
                ? nil
                : "For \(Words.list(unknown)), a single seed leaves the spread unknown, so differences may be due to chance.",
        ].compactMap { $0 }
    }

    private static func accuracy(_ result: AccuracyResult) -> String {
        Words.percent(result.counting.mean, deviation: result.counting.deviation)
    }

    private static func detail(_ accuracy: AccuracyResult.Accuracy) -> String {
        let seeds = Words.count(accuracy.values.count, "seed")
        return accuracy.deviation.map { "±\(Words.space)\(Words.points($0)) over \(seeds)" }
            ?? seeds
    }

    private static func images(_ result: AccuracyResult) -> String {
        let phrase = Method(result.method).imagesPhrase
        return result.trainImages.map { "\(Words.count($0)) \(phrase)" } ?? phrase
    }

    private static func testImages(_ result: AccuracyResult) -> String {
        result.test?.images.map { "the \(Words.count($0)) test images" } ?? "the test set"
    }

    /// How much smaller the surrogate is, where the provenance counts the training images.
    private static func compression(_ run: RunFolder) -> String? {
        let datasets = run.provenance?["datasets"]?.array ?? []
        let training = datasets.first { ["train", "training"].contains($0["role"]?.string) }
        guard let source = training?["images"]?.number, let surrogate = run.surrogate else {
            return nil
        }
        let count = surrogate.classes.values.map(\.count).reduce(0, +)
        guard count > 0, source > Double(count) else { return nil }
        let ratio = Words.count(source / Double(count))
        return """
            The surrogate has \(Words.count(count, "image")) in place of the \
            \(Words.count(source)) training images: one for every \(ratio).
            """
    }

    private static func costs(_ costs: [Results.Cost]) -> String? {
        guard !costs.isEmpty else { return nil }
        let total = costs.map(\.seconds).reduce(0, +)
        let devices = Set(costs.compactMap(\.device)).sorted()
        let place = devices.isEmpty ? "" : " on \(Words.list(devices))"
        let peak = costs.max { ($0.peakMemoryBytes ?? 0) < ($1.peakMemoryBytes ?? 0) }
        var sentence = "All stages took \(Words.duration(total))\(place)"
        if let peak, let bytes = peak.peakMemoryBytes {
            sentence += """
                ; memory use peaked at \(Words.bytes(bytes)), during \
                \(Names.stage(peak.stage).lowercased())
                """
        }
        return sentence + "."
    }
}
