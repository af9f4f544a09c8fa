/// The figures of a comparison that are drawn from accuracies and costs.
enum ComparisonFigures {
    /// Accuracy against the time of distillation: a point a method and number of images.
    static func costs(_ groups: [ComparisonGroup]) -> [Chart] {
        networks(groups).compactMap { network in
            let own = groups.filter { $0.network == network && $0.variation.isEmpty }
                .sorted { $0.imagesPerClass < $1.imagesPerClass }
            let series = series(own, mark: .path) { group in
                guard let cost = group.distillation, cost.seconds > 0 else { return nil }
                return Chart.Point(
                    cost.seconds,
                    group.mean * 100,
                    size: cost.peakMemoryBytes.map { $0 / 1e9 },
                    label: "\(group.imagesPerClass)"
                )
            }
            let points = series.flatMap(\.points)
            // A single point has nothing to be compared with.
            guard points.count > 1 else { return nil }
            var chart = Chart(
                name: "accuracy-time-\(network)",
                title: "Accuracy of \(Names.network(network)) against the time of distillation",
                caption: """
                    One point for each method and number of images per class, joined in increasing \
                    order; the largest number is shown at its point. \(memory(points))Further left \
                    and higher is better.
                    """,
                summary: summary(own) { group in
                    group.distillation.map {
                        "\(Words.duration($0.seconds)) for \(Words.percent(group.mean))"
                    }
                },
                x: .init("time of distillation", unit: "s", isLogarithmic: true),
                y: .init("accuracy", unit: "%"),
                series: series
            )
            chart.sizeTitle = "peak memory (GB)"
            return chart
        }
    }

    /// What the areas of points say.
    private static func memory(_ points: [Chart.Point]) -> String {
        let sizes = points.compactMap { $0.size.map { $0 * 1e9 } }
        guard let least = sizes.min(), let most = sizes.max() else { return "" }
        return "Larger points mean more memory, from \(Words.bytes(least)) to "
            + "\(Words.bytes(most)). "
    }

    /// Accuracy against images per class: a line a method.
    static func accuracies(_ groups: [ComparisonGroup]) -> [Chart] {
        networks(groups).compactMap { network in
            let own = groups.filter { $0.network == network && $0.variation.isEmpty }
            return lines(
                own,
                name: "accuracy-images-\(network)",
                title: "Accuracy of \(Names.network(network)) against images per class",
                caption: "Means over the \(spread(own)); bands: one sample standard deviation.",
                y: .init("accuracy", unit: "%"),
                value: { ($0.mean * 100, $0.deviation.map { $0 * 100 }) },
                words: { Words.percent($0.mean, deviation: $0.deviation) }
            )
        }
    }

    /// Time of distillation against images per class.
    static func times(_ groups: [ComparisonGroup]) -> Chart? {
        lines(
            oneNetwork(groups),
            name: "time-images",
            title: "Time of distillation against images per class",
            caption: """
                Time taken to make the images, excluding pre-training; work shared by several \
                numbers of images counts towards each of them.
                """,
            y: .init("time of distillation", unit: "s", isLogarithmic: true),
            value: { group in
                group.distillation.flatMap { $0.seconds > 0 ? ($0.seconds, nil) : nil }
            },
            words: { group in group.distillation.map { Words.duration($0.seconds) } ?? "–" }
        )
    }

    /// How far methods that change pixels move them, against images per class.
    static func changes(_ groups: [ComparisonGroup]) -> Chart? {
        lines(
            oneNetwork(groups).filter { $0.meanPixelChange != nil },
            name: "pixel-change-images",
            title: "Mean change of a pixel from its initial value",
            caption: """
                Methods that optimise pixels begin with real images; the figure shows how far a \
                pixel is, on average, from where it began.
                """,
            y: .init("mean change of a pixel", unit: "% of the range", minimum: 0),
            value: { group in group.meanPixelChange.map { ($0 * 100, nil) } },
            words: { group in Words.percent(group.meanPixelChange ?? 0) }
        )
    }

    // MARK: Parts

    static func networks(_ groups: [ComparisonGroup]) -> [String] {
        groups.map(\.network).withoutRepetitions
    }

    /// What bands and whiskers are taken over.
    static func spread(_ groups: [ComparisonGroup]) -> String {
        (groups.first?.spread ?? .seeds).plural
    }

    /// Costs are the same for every network, so those of one are enough.
    private static func oneNetwork(_ groups: [ComparisonGroup]) -> [ComparisonGroup] {
        let first = networks(groups).first
        return groups.filter { $0.network == first && $0.variation.isEmpty }
    }

    /// A series a method, in the order of every table; a path has its points in that of the groups.
    private static func series(
        _ groups: [ComparisonGroup],
        mark: Chart.Mark = .lineWithPoints,
        _ point: (ComparisonGroup) -> Chart.Point?
    ) -> [Chart.Series] {
        Set(groups.map(\.method)).sorted().compactMap { method in
            let points = groups.filter { $0.method == method }.compactMap(point)
            guard !points.isEmpty else { return nil }
            return Chart.Series(
                method.shortName,
                color: method.color,
                mark: mark,
                points: mark == .path ? points : points.sorted { $0.x < $1.x }
            )
        }
    }

    private static func lines(
        _ groups: [ComparisonGroup],
        name: String,
        title: String,
        caption: String,
        y: Chart.Axis,
        value: (ComparisonGroup) -> (Double, Double?)?,
        words: @escaping (ComparisonGroup) -> String
    ) -> Chart? {
        let series = series(groups) { group in
            value(group).map { Chart.Point(Double(group.imagesPerClass), $0, deviation: $1) }
        }
        guard series.contains(where: { $0.points.count > 1 }) else { return nil }
        let counts = Set(groups.map(\.imagesPerClass)).sorted()
        return Chart(
            name: name,
            title: title,
            caption: caption,
            summary: summary(groups) { words($0) },
            x: .init(
                "images per class",
                // Small numbers of images would crowd at the left of a linear axis.
                isLogarithmic: (counts.last ?? 1) > 3 * (counts.first ?? 1),
                tics: counts.map(Double.init)
            ),
            y: y,
            series: series
        )
    }

    private static func summary(
        _ groups: [ComparisonGroup],
        _ words: (ComparisonGroup) -> String?
    ) -> String {
        let parts = groups.sorted {
            ($0.imagesPerClass, $0.method) < ($1.imagesPerClass, $1.method)
        }
        .compactMap { group in
            words(group).map {
                "\(group.method.shortName) with \(Words.count(group.imagesPerClass, "image")) "
                    + "per class: \($0)"
            }
        }
        return parts.joined(separator: "; ") + "."
    }
}
