/// Figures of accuracies: bars of the last ones, and curves over the epochs of training.
enum AccuracyFigures {
    /// Results that may be compared: same network, protocol, number of epochs and test images.
    struct Group {
        var network: String
        var protocolName: String?
        var epochs: Int?
        var testSet: String?
        var imagesPerClass: [Int]
        var results: [AccuracyResult]
    }

    /// Results that may be compared with each other, in the order of the file.
    static func groups(_ results: [AccuracyResult]) -> [Group] {
        var groups: [Group] = []
        for result in results {
            let testSet = result.test?.fingerprint ?? result.test?.path
            let index = groups.firstIndex {
                $0.network == result.network && $0.protocolName == result.protocolName
                    && $0.epochs == result.epochs && $0.testSet == testSet
            }
            if let index {
                groups[index].results.append(result)
            } else {
                groups.append(
                    Group(
                        network: result.network,
                        protocolName: result.protocolName,
                        epochs: result.epochs,
                        testSet: testSet,
                        imagesPerClass: [],
                        results: [result]
                    )
                )
            }
        }
        return groups.map { group in
            var group = group
            group.imagesPerClass = Set(group.results.map(\.imagesPerClass)).sorted()
            return group
        }
    }

    /// Bars with deviations and single seeds, a chart a group of comparable results.
    static func bars(_ results: [AccuracyResult]) -> [Chart] {
        let groups = groups(results)
        return groups.enumerated().map { index, group in
            // The same network under another protocol, or on another test set, needs a name of its own.
            let earlier = groups[..<index].filter { $0.network == group.network }.count
            let suffix = earlier > 0 ? "-\(earlier + 1)" : ""
            return bars(group, name: "accuracy-\(group.network)\(suffix)")
        }
    }

    private static func bars(_ group: Group, name: String) -> Chart {
        let methods = Set(group.results.map { Method($0.method) }).sorted()
        let single = group.imagesPerClass.count == 1
        let network = Names.network(group.network)
        func point(_ x: Int, _ result: AccuracyResult, _ color: Palette.Color?) -> Chart.Point {
            Chart.Point(
                Double(x),
                result.counting.mean * 100,
                deviation: result.counting.deviation.map { $0 * 100 },
                samples: result.counting.values.count > 1
                    ? result.counting.values.map { $0 * 100 } : [],
                color: color
            )
        }
        func result(_ method: Method, _ imagesPerClass: Int) -> AccuracyResult? {
            group.results.last {
                $0.method == method.id && $0.imagesPerClass == imagesPerClass
            }
        }

        let series: [Chart.Series]
        let axis: Chart.Axis
        if single, let count = group.imagesPerClass.first {
            axis = .init(
                "training images: \(count) per class",
                categories: methods.map(\.shortName)
            )
            let points = methods.enumerated().compactMap { index, method in
                result(method, count).map { point(index, $0, method.color) }
            }
            series = [.init("accuracy", color: .blue, mark: .bars, points: points)]
        } else {
            axis = .init(
                "training images per class",
                categories: group.imagesPerClass.map(String.init)
            )
            series = methods.map { method in
                let points = group.imagesPerClass.enumerated().compactMap { index, count in
                    result(method, count).map { point(index, $0, nil) }
                }
                return .init(method.shortName, color: method.color, mark: .bars, points: points)
            }
        }
        let values = group.results.sorted(by: AccuracyResult.precedes).map { result in
            let count = single ? "" : " at \(Words.count(result.imagesPerClass, "image")) per class"
            return "\(Method(result.method).shortName)\(count) "
                + Words.percent(result.counting.mean, deviation: result.counting.deviation)
        }
        var chart = Chart(
            name: name,
            title: "Accuracy of \(network) on the test set",
            caption: """
                Bars: mean over the seeds; whiskers: sample standard deviation\
                \(group.results.count > Chart.legibleBars ? "." : "; circles: individual seeds.")
                """,
            summary: Words.list(values) + ".",
            x: axis,
            y: .init("accuracy", unit: "%", minimum: 0),
            series: series
        )
        if let classes = group.results.compactMap(\.classes).first, classes > 1 {
            let chance = 1 / Double(classes)
            chart.levels = [
                .init(y: chance * 100, label: "chance level: \(Words.percent(chance))")
            ]
        }
        return chart
    }

    /// Test accuracy over the epochs, a chart a network and number of images per class.
    static func curves(_ log: MetricsLog) -> FigureGroup? {
        let records = log.records.filter {
            $0.stage.hasPrefix("evaluate") && $0.method != nil && $0["epoch"] != nil
                && $0["testAccuracy"] != nil
        }
        struct Key: Hashable {
            var network: String
            var imagesPerClass: Double
        }
        let keys = Dictionary(grouping: records) {
            Key(network: $0.network ?? "", imagesPerClass: $0["imagesPerClass"] ?? 0)
        }
        let sorted = keys.sorted {
            ($0.key.network, $0.key.imagesPerClass) < ($1.key.network, $1.key.imagesPerClass)
        }
        let charts = sorted.compactMap { key, records -> Chart? in
            let byMethod = Dictionary(grouping: records) { Method($0.method ?? "") }
            let series = byMethod.sorted { $0.key < $1.key }.map { method, records in
                Chart.Series(
                    method.shortName,
                    color: method.color,
                    mark: .lineWithPoints,
                    points: means(records)
                )
            }
            guard series.contains(where: { $0.points.count > 1 }) else { return nil }
            let network = key.network.isEmpty ? "the network" : Names.network(key.network)
            let images =
                key.imagesPerClass > 0
                ? ", \(Words.count(Int(key.imagesPerClass), "image")) per class" : ""
            let ends = series.map {
                "\($0.name) \(Words.significant($0.points.last?.y ?? 0, digits: 3))\(Words.space)%"
            }
            return Chart(
                name: "evaluate-\(key.network)"
                    + (key.imagesPerClass > 0 ? "-\(Int(key.imagesPerClass))" : ""),
                title: "Test accuracy of \(network) during training\(images)",
                caption: "Means over the seeds; bands: one sample standard deviation.",
                summary: "At the end: \(Words.list(ends)).",
                x: .init("epoch"),
                y: .init("test accuracy", unit: "%"),
                series: series
            )
        }
        guard !charts.isEmpty else { return nil }
        return FigureGroup(
            title: "Evaluation",
            note:
                "A network is trained from scratch on each method's images and tested at intervals.",
            charts: charts
        )
    }

    /// Mean and sample deviation over the seeds at every epoch.
    private static func means(_ records: [MetricsRecord]) -> [Chart.Point] {
        Dictionary(grouping: records) { $0["epoch"] ?? 0 }.sorted { $0.key < $1.key }.map {
            epoch,
            records in
            let values = records.compactMap { $0["testAccuracy"] }.map { $0 * 100 }
            return Chart.Point(
                epoch,
                values.reduce(0, +) / Double(values.count),
                deviation: Significance.deviation(values)
            )
        }
    }
}
