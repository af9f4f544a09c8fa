/// The figures of what a grid varies: the criteria switched on and off, and lines over the values
/// of a setting.
enum VariationFigures {
    private static let weights = (
        representativeness: "finetune.minimax.representativeness",
        diversity: "finetune.minimax.diversity"
    )

    /// The setting's value in a group.
    private static func value(
        _ path: String,
        of group: ComparisonGroup,
        _ base: [String: String]
    ) -> String { group.variation[path] ?? base[path] ?? "" }

    /// Groups in which everything that is varied, but for some paths, is as in the recipe.
    private static func varying(
        _ groups: [ComparisonGroup],
        only paths: Set<String>
    ) -> [ComparisonGroup] {
        groups.filter { $0.variation.keys.allSatisfy(paths.contains) }
    }

    /// L_diff alone, with L_r, with L_d and with both, a chart a network.
    static func ablations(_ groups: [ComparisonGroup], base: [String: String]) -> [Chart] {
        guard base[weights.representativeness] != nil, base[weights.diversity] != nil else {
            return []
        }
        let paths: Set = [weights.representativeness, weights.diversity]
        let own = varying(groups.filter { $0.method.id == "minimax" }, only: paths)
        func isOn(_ path: String, _ group: ComparisonGroup) -> Bool {
            Double(value(path, of: group, base)) ?? 0 != 0
        }
        let variants: [(name: String, hasR: Bool, hasD: Bool, color: Palette.Color)] = [
            ("L_diff", false, false, .grey), ("+ L_r", true, false, .green),
            ("+ L_d", false, true, .purple), ("+ L_r + L_d", true, true, .blue),
        ]
        return ComparisonFigures.networks(own).compactMap { network in
            let here = own.filter { $0.network == network }
            let counts = Set(here.map(\.imagesPerClass)).sorted()
            let series = variants.compactMap { variant -> Chart.Series? in
                let points = counts.enumerated().compactMap { place, count -> Chart.Point? in
                    let matching = here.filter {
                        $0.imagesPerClass == count
                            && isOn(weights.representativeness, $0) == variant.hasR
                            && isOn(weights.diversity, $0) == variant.hasD
                    }
                    // Where a weight has several values, that of the recipe counts.
                    let group = matching.min { $0.variation.count < $1.variation.count }
                    return group.map {
                        .init(
                            Double(place),
                            $0.mean * 100,
                            deviation: $0.deviation.map { $0 * 100 },
                            samples: $0.values.count > 1 ? $0.values.map { $0 * 100 } : []
                        )
                    }
                }
                guard !points.isEmpty else { return nil }
                return .init(variant.name, color: variant.color, mark: .bars, points: points)
            }
            guard series.count == variants.count else { return nil }
            let words = series.map { series in
                "\(series.name) "
                    + Words.list(series.points.map { "\(Words.significant($0.y, digits: 3)) %" })
            }
            return Chart(
                name: "ablation-\(network)",
                title: "Effect of the criteria, \(Names.network(network))",
                caption: """
                    Minimax Diffusion with the diffusion loss alone, with representativeness \
                    (L_r), with diversity (L_d), and with both. Whiskers: sample standard deviation.
                    """,
                summary: Words.list(words) + ".",
                x: .init("images per class", categories: counts.map(String.init)),
                y: .init("accuracy", unit: "%", minimum: 0),
                series: series
            )
        }
    }

    /// Accuracy over the values of each varied setting, all others as in the recipe.
    static func sensitivities(_ groups: [ComparisonGroup], base: [String: String]) -> [Chart] {
        let hasAblation = !ablations(groups, base: base).isEmpty
        return base.keys.sorted().flatMap { path -> [Chart] in
            let own = varying(groups, only: [path])
            let affected = Set(own.filter { !$0.variation.isEmpty }.map(\.method))
            let here = own.filter { affected.contains($0.method) }
            let values = Set(here.map { value(path, of: $0, base) }).sorted {
                (Double($0) ?? .infinity, $0) < (Double($1) ?? .infinity, $1)
            }
            // On and off is the figure of the ablation.
            let isWeight = [weights.representativeness, weights.diversity].contains(path)
            let isSwitch = hasAblation && isWeight && values.count == 2 && values.contains("0")
            guard values.count > 1, !isSwitch else { return [] }
            return ComparisonFigures.networks(here).map { network in
                chart(
                    here.filter { $0.network == network },
                    path: path,
                    values: values,
                    network: network,
                    base: base
                )
            }
        }
    }

    private static func chart(
        _ groups: [ComparisonGroup],
        path: String,
        values: [String],
        network: String,
        base: [String: String]
    ) -> Chart {
        let methods = Set(groups.map(\.method)).sorted()
        let counts = Set(groups.map(\.imagesPerClass)).sorted()
        let colors: [Palette.Color] = [.blue, .orange, .green, .purple, .vermillion, .teal, .brown]
        let lines = methods.flatMap { method in counts.map { (method, $0) } }
        let series = lines.enumerated().map { place, line in
            let points = groups.filter { $0.method == line.0 && $0.imagesPerClass == line.1 }
                .compactMap { group in
                    values.firstIndex(of: value(path, of: group, base)).map {
                        Chart.Point(
                            Double($0),
                            group.mean * 100,
                            deviation: group.deviation.map { $0 * 100 }
                        )
                    }
                }
            return Chart.Series(
                "\(line.0.shortName), \(line.1) per class",
                color: colors[place % colors.count],
                mark: .lineWithPoints,
                points: points.sorted { $0.x < $1.x }
            )
        }
        let name = ComparisonTable.shortName(path, among: base.keys)
        let words = series.map { series in
            "\(series.name): "
                + Words.list(
                    series.points.map {
                        "\(Words.significant($0.y, digits: 3)) % at \(values[Int($0.x)])"
                    }
                )
        }
        return Chart(
            name: "sensitivity-\(path)-\(network)",
            title: "Accuracy of \(Names.network(network)) against \(name)",
            caption: """
                All other settings are those of the recipe, in which \(path) is \
                \(base[path] ?? "–"). Bands: one sample standard deviation over the \
                \(ComparisonFigures.spread(groups)).
                """,
            summary: words.joined(separator: "; ") + ".",
            x: .init(name, categories: values),
            y: .init("accuracy", unit: "%"),
            series: series.filter { !$0.points.isEmpty }
        )
    }
}
