import Foundation

/// The index of a folder of runs, ready for its template.
struct IndexPage {
    struct Run {
        var name: String
        /// The page of the run, where it was built.
        var link: String?
        var started: String
        var device: String
        var time: String
        var memory: String
    }

    /// Numbers that may be compared: same network, images per class, protocol, test set, and way
    /// of choosing the epoch.
    struct Block {
        struct Row {
            var run: String
            var cells: [String]
        }

        var heading: String
        var methods: [String]
        var rows: [Row]
    }

    var name: String
    var subtitle: String
    var styleSheet = StyleSheet.css
    var runs: [Run]
    /// What all numbers are.
    var legend: String
    var blocks: [Block]
    var figures: [FigureView]
    var hasFigures: Bool
    var problems: [String]
    var hasProblems: Bool
    var rebuildCommand: String

    init(
        url: URL,
        runs: [RunFolder],
        comparisons: [String],
        blocks: [Block],
        figures: [FigureView],
        problems: [String]
    ) {
        name = url.standardizedFileURL.lastPathComponent
        let count = Words.count(runs.count, "run")
        subtitle =
            comparisons.isEmpty
            ? count : "\(count), \(Words.count(comparisons.count, "comparison"))"
        self.runs =
            runs.map(Self.run)
            + comparisons.map { name in
                let page = "\(name)/comparison.html"
                return Run(
                    name: "\(name) (comparison)",
                    link: RunFile(url: url.appending(path: page)).exists ? Self.link(page) : nil,
                    started: "–",
                    device: "–",
                    time: "–",
                    memory: "–"
                )
            }
        let selections = Set(runs.flatMap { $0.results?.results ?? [] }.map(Self.selection))
        let epoch =
            selections.count > 1 ? "at the epoch that each heading names" : Names.epoch(selections)
        legend = """
            Accuracy on the test set in percent \(epoch), ± the sample standard deviation over the \
            seeds. Only numbers under the same heading may be compared.
            """
        self.blocks = blocks
        self.figures = figures
        hasFigures = !figures.isEmpty
        self.problems = problems
        hasProblems = !problems.isEmpty
        rebuildCommand = "distill report \(ShellWord.quoted(url.relativePath))"
    }

    private static func link(_ path: String) -> String {
        path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
    }

    private static func run(_ run: RunFolder) -> Run {
        let costs = run.results?.costs ?? []
        let page = RunFile(url: run.url.appending(path: "report.html"))
        return Run(
            name: run.name,
            link: page.exists ? link("\(run.name)/report.html") : nil,
            started: run.provenance?["startedAt"]?.text ?? "–",
            device: run.provenance?["device"]?.text ?? "–",
            time: costs.isEmpty ? "–" : Words.duration(costs.map(\.seconds).reduce(0, +)),
            memory: costs.compactMap(\.peakMemoryBytes).max().map(Words.bytes) ?? "–"
        )
    }

    /// What is the same for all numbers of a block.
    private struct Setting: Hashable {
        var network: String
        var imagesPerClass: Int
        var protocolName: String
        var testSet: String
        var selection: String
    }

    /// How the epoch of a result was chosen; older results name the last.
    private static func selection(_ result: AccuracyResult) -> String {
        result.selection ?? "last"
    }

    /// A table for each setting, and bars where several runs share it.
    static func blocks(_ runs: [RunFolder]) -> [(block: Block, chart: Chart?)] {
        var settings: [Setting] = []
        var results: [Setting: [(run: String, result: AccuracyResult)]] = [:]
        for run in runs {
            for result in run.results?.results ?? [] {
                let setting = Setting(
                    network: result.network,
                    imagesPerClass: result.imagesPerClass,
                    protocolName: result.protocolName ?? "",
                    testSet: result.test?.fingerprint ?? result.test?.path ?? "",
                    selection: selection(result)
                )
                if results[setting] == nil { settings.append(setting) }
                results[setting, default: []].append((run.name, result))
            }
        }
        let namesEpoch = Set(settings.map(\.selection)).count > 1
        let namesTestSet = Set(settings.map(\.testSet)).count > 1
        return settings.enumerated().map { place, setting in
            block(
                place,
                setting,
                results[setting] ?? [],
                namesEpoch: namesEpoch,
                namesTestSet: namesTestSet
            )
        }
    }

    private static func block(
        _ place: Int,
        _ setting: Setting,
        _ results: [(run: String, result: AccuracyResult)],
        namesEpoch: Bool,
        namesTestSet: Bool
    ) -> (block: Block, chart: Chart?) {
        let methods = Set(results.map { Method($0.result.method) }).sorted()
        let names = results.map(\.run).withoutRepetitions
        func result(_ run: String, _ method: Method) -> AccuracyResult? {
            results.last { $0.run == run && $0.result.method == method.id }?.result
        }
        let heading = [
            Names.network(setting.network),
            "\(Words.count(setting.imagesPerClass, "image")) per class",
            setting.protocolName.isEmpty ? "" : "protocol \(setting.protocolName)",
            namesEpoch ? Names.epoch([setting.selection]) : "",
            namesTestSet
                ? results.compactMap(\.result.test).first?.testDescription(withPath: true) ?? ""
                : "",
        ].filter { !$0.isEmpty }.joined(separator: " · ")
        let block = Block(
            heading: heading,
            methods: methods.map(\.shortName),
            rows: names.map { run in
                .init(
                    run: run,
                    cells: methods.map { method in
                        result(run, method).map {
                            Words.percent($0.counting.mean, deviation: $0.counting.deviation)
                        } ?? "–"
                    }
                )
            }
        )
        guard names.count > 1 else { return (block, nil) }
        let chart = Chart(
            name: "runs-\(setting.network)-\(setting.imagesPerClass)-\(place + 1)",
            title: "Accuracy of the runs",
            caption: "\(heading). Whiskers: sample standard deviation over the seeds.",
            x: .init("run", categories: names),
            y: .init("accuracy", unit: "%", minimum: 0),
            series: methods.map { method in
                .init(
                    method.shortName,
                    color: method.color,
                    mark: .bars,
                    points: names.enumerated().compactMap { place, run in
                        result(run, method).map {
                            .init(
                                Double(place),
                                $0.counting.mean * 100,
                                deviation: $0.counting.deviation.map { $0 * 100 }
                            )
                        }
                    }
                )
            }
        )
        return (block, chart)
    }
}
