import Foundation
import Reporting
import TestSupport
import Testing

@Suite("Comparisons")
struct ComparisonTests {
    @Test("the tests over seeds agree with SciPy")
    func significance() throws {
        // scipy.stats.ttest_ind(a, b, equal_var=False) and ttest_rel(a, b), SciPy 1.17.1.
        let (a, b) = ([0.542, 0.551, 0.537], [0.511, 0.529, 0.530])
        #expect(abs(try #require(Significance.welch(a, b)) - 0.06294958703310057) < 1e-9)
        #expect(abs(try #require(Significance.welch(b, a)) - 0.06294958703310057) < 1e-9)
        #expect(abs(try #require(Significance.paired(a, b)) - 0.10377857010355836) < 1e-9)
        let far = try #require(Significance.welch([1, 2, 3, 4], [10, 11]))
        #expect(abs(far - 0.000895355178550632) < 1e-9)
        // One seed says nothing, and no spread at all says nothing about a difference.
        #expect(Significance.welch([0.5], a) == nil)
        #expect(Significance.paired(a, [0.5]) == nil)
        #expect(Significance.welch([0.5, 0.5], [0.6, 0.6]) == nil)
        #expect(Significance.welch([0.5, 0.5], [0.5, 0.5]) == 1)
    }

    /// One cell of `comparison.json`.
    static func cell(
        _ method: String,
        _ count: Int,
        seed: Int,
        _ value: Double,
        variation: [String: String] = [:]
    ) -> [String: Any] {
        let accuracy: [String: Any] = [
            "values": [value], "mean": value, "sampleDeviation": NSNull(),
            "populationDeviation": 0,
        ]
        return [
            "cell": "\(method)_\(count)_convnet-3_seed\(seed)\(variation)", "method": method,
            "imagesPerClass": count, "network": "convnet-3", "protocol": "gu-hard-28",
            "classes": 10, "seeds": [seed], "epochs": 3, "last": accuracy, "best": accuracy,
            "seconds": 2, "peakMemoryBytes": 1e8, "variation": variation, "unit": "\(method)-20",
            "distillation": [
                "seconds": method == "random" ? 0.5 : 60, "peakMemoryBytes": 5e8, "device": "cpu",
            ],
        ]
    }

    private static let r = "finetune.minimax.representativeness"
    private static let d = "finetune.minimax.diversity"

    /// Three methods, two numbers of images, three seeds; and the criteria on and off.
    private static func comparison() throws -> TemporaryRun {
        var cells: [[String: Any]] = []
        for (count, shift) in [(10, 0.0), (20, 0.1)] {
            for (seed, noise) in [(0, 0.0), (1, 0.004), (2, -0.004)] {
                cells.append(cell("random", count, seed: seed, 0.5 + shift + noise))
                cells.append(cell("dm", count, seed: seed, 0.598 + shift - noise))
                cells.append(cell("minimax", count, seed: seed, 0.6 + shift + noise))
                for (off, value) in [([r], 0.57), ([d], 0.56), ([r, d], 0.55)] {
                    cells.append(
                        cell(
                            "minimax",
                            count,
                            seed: seed,
                            value + shift + noise,
                            variation: Dictionary(uniqueKeysWithValues: off.map { ($0, "0") })
                        )
                    )
                }
            }
        }
        let run = try TemporaryRun(name: "tiny-comparison")
        let shared: [[String: Any]] = [
            [
                "unit": "dm-20", "cells": 6,
                "costs": [
                    [
                        "stage": "baseline dm", "seconds": 60, "peakMemoryBytes": 5e8,
                        "device": "cpu", "meanChange": 0.07,
                    ]
                ],
            ]
        ]
        let file: [String: Any] = [
            "name": "tiny", "base": [r: "0.002", d: "0.008"], "results": cells,
            "failed": [["cell": "glad_10_convnet-3_seed0", "error": "no <weights>"]],
            "missing": ["glad_20_convnet-3_seed0"], "shared": shared,
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        try run.write("name: tiny\n", to: "grid.resolved.yaml")
        let images: [[String: Any]] = ["real", "random", "minimax"].enumerated().map {
            place,
            name in
            let points = (0..<6).map { [Double($0 + place), Double($0 * place)] }
            return [
                "method": name, "pca": points, "tsne": points, "nearestReal": [0.1, 0.5, 0.9],
                "nearestSibling": [0.2, 0.3, 0.7], "coverage": 0.25, "density": 0.5,
            ]
        }
        let distribution: [String: Any] = [
            "features": "pixels-28", "imagesPerClass": 20, "sets": images,
        ]
        try run.write(JSONSerialization.data(withJSONObject: distribution), to: "distribution.json")
        return run
    }

    @Test("the legend tells which protocol is that of which number of images")
    func protocols() throws {
        let run = try TemporaryRun(name: "protocols")
        let cells = [
            ("convnet-3", 10, "a"), ("resnet-18", 10, "b"), ("convnet-3", 20, "a"),
            ("resnet-18", 20, "c"), ("resnet-18", 50, "c"),
        ].map { network, count, name in
            Self.cell("dit", count, seed: 0, 0.5)
                .merging(["network": network, "protocol": name]) { $1 }
        }
        let file: [String: Any] = [
            "name": "protocols", "base": [:], "results": cells, "failed": [[String: Any]](),
            "missing": [String](), "shared": [[String: Any]](),
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        try run.write("name: protocols\n", to: "grid.resolved.yaml")
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        #expect(
            try run.text("comparison.md").contains(
                "Protocol: a (ConvNet-3); b (ResNet-18 on 10 images per class); "
                    + "c (ResNet-18 on 20, 50 images per class)."
            )
        )
    }

    @Test("settings whose paths end in the same word keep as much of them as tells them apart")
    func similarSettings() throws {
        let paths = ["finetune.minimax.steps", "sample.steps", "finetune.minimax.diversity"]
        #expect(
            paths.map { ComparisonTable.shortName($0, among: paths) } == [
                "minimax steps", "sample steps", "λ_d",
            ]
        )
    }

    @Test("means of fewer seeds, other machines and left-out figures are told")
    func differences() throws {
        let run = try TemporaryRun(name: "differences")
        var cells = [0, 1, 2].map { Self.cell("dit", 10, seed: $0, 0.5 + 0.01 * Double($0)) }
        cells.append(Self.cell("minimax", 10, seed: 0, 0.9))
        cells[1]["precision"] = "float32"
        cells[2]["precision"] = "bfloat16"
        cells[2]["provenance"] = [
            "version": "0.1.0", "commit": "0123456789abcdef", "libtorch": "2.13.0",
            "cpuCapability": "AVX2", "threads": 2,
        ]
        let file: [String: Any] = [
            "name": "differences", "distribution": "pixels", "base": [:], "results": cells,
            "failed": [[String: Any]](), "missing": [String](), "shared": [[String: Any]](),
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        let mark = "# Old\n# Run in this folder: gnuplot ablation-convnet-3.gp\n"
        try run.write(mark, to: "figures/ablation-convnet-3.gp")
        for name in ["ablation-convnet-3", "my-own"] {
            try run.write("old", to: "figures/\(name).svg")
        }
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        let markdown = try run.text("comparison.md")
        #expect(markdown.contains("| **51.0 ± 1.0** | 90.0 (1 of 3) ? |"), "\(markdown)")
        #expect(markdown.contains("over 3 seeds (fewer where noted)"))
        let page = try run.text("comparison.html")
        #expect(page.contains("different precisions (bfloat16 and float32)"))
        #expect(page.contains("commit 0123456789ab, libtorch 2.13.0"))
        #expect(page.contains("AVX2, 2 threads"))
        #expect(page.contains("distribution figure is made once"))
        #expect(try !run.names("figures").contains { $0.hasPrefix("ablation") })
        #expect(try run.names("figures").contains("my-own.svg"))
        try run.write(#"{"error": "no features"}"#, to: "distribution-failed.json")
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        #expect(
            try run.text("comparison.html").contains(
                "distribution figure could not be made: no features"
            )
        )
    }

    @Test("the summary tells what the settings give")
    func settingsInWords() throws {
        let run = try Self.comparison()
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        let html = try run.text("comparison.html")
        #expect(
            html.contains(
                "Minimax, ConvNet-3 with 10 images per class: of 4 settings, the highest mean is"
            )
        )
        #expect(
            html.contains(
                "All others are lower by more than the variation over the seeds explains."
            )
        )
        #expect(html.contains("In none of them is it above every other method"))
    }

    @Test("settings stand in the order of their values, after those of the recipe")
    func settingsOrder() throws {
        let path = "finetune.minimax.memorySize"
        let run = try TemporaryRun(name: "order")
        let cells = ["256", "16", nil, "1024"].enumerated().map { place, value in
            Self.cell(
                "minimax",
                10,
                seed: 0,
                0.5 + 0.01 * Double(place),
                variation: value.map { [path: $0] } ?? [:]
            )
        }
        let file: [String: Any] = [
            "name": "order", "base": [path: "64"], "results": cells, "failed": [[String: Any]](),
            "missing": [String](), "shared": [[String: Any]](),
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        try run.write("name: order\n", to: "grid.resolved.yaml")
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        let rows = try run.text("comparison.md").split(separator: "\n")
            .filter { $0.contains("memory size") }
            .map { $0.split(separator: "|")[2].trimmingCharacters(in: .whitespaces) }
        #expect(
            rows == [
                "as in the recipe: memory size 64", "memory size 16", "memory size 256",
                "memory size 1024",
            ]
        )
    }

    @Test("tables have the best in bold, mark noise, and escape what their language reads")
    func tables() throws {
        let run = try Self.comparison()
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        let markdown = try run.text("comparison.md")
        #expect(markdown.contains("| images per class | network | Random | DM | Minimax |"))
        #expect(
            markdown.contains("| 10 | ConvNet-3 | 50.0 ± 0.4 | 59.8 ± 0.4 ≈ | **60.0 ± 0.4** |")
        )
        #expect(markdown.contains("λ\\_d 0, λ\\_r 0 | 55.0 ± 0.4 |"))
        #expect(markdown.contains("as in the recipe: λ\\_d 0.008, λ\\_r 0.002 | **60.0 ± 0.4** |"))
        #expect(markdown.contains("* `glad_10_convnet-3_seed0`: no \\<weights>"))
        let latex = try run.text("comparison.tex")
        #expect(latex.contains("\\textbf{60.0 $\\pm$ 0.4} \\\\"))
        #expect(latex.contains("59.8 $\\pm$ 0.4$^{\\approx}$"))
        #expect(latex.contains("$\\lambda_d$ 0, $\\lambda_r$ 0"))
        let csv = try run.text("comparison.csv").split(separator: "\n").map {
            $0.split(separator: ",")
        }
        #expect(csv.count == 1 + 6 + 8)
        #expect(csv[1].prefix(3) == ["random", "10", "convnet-3"])
        #expect(csv[0].contains("finetune.minimax.diversity"))
    }

    private static func drawnCells() -> [[String: Any]] {
        [("0", 0.0), ("1", 0.1), ("2", 0.05)].flatMap { draw, shift in
            [("random", 0.5), ("minimax", 0.52)].flatMap { method, mean in
                [-0.02, 0.02].enumerated().map { seed, noise in
                    Self.cell(
                        method,
                        10,
                        seed: seed,
                        mean + noise + shift,
                        variation: draw == "0" ? [:] : ["seed": draw]
                    )
                }
            }
        }
    }

    private func report(
        _ cells: [[String: Any]],
        base: [String: String] = ["seed": "0"],
        in run: TemporaryRun
    ) throws {
        let file: [String: Any] = [
            "name": "tiny", "base": base, "results": cells, "failed": [], "missing": [],
            "shared": [],
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
    }

    @Test("a draw whose networks are not all trained is marked")
    func incompleteDraw() throws {
        let run = try TemporaryRun(name: "tiny-draws")
        try report(Self.drawnCells().dropLast(), in: run)
        let markdown = try run.text("comparison.md")
        #expect(markdown.contains("| 10 | ConvNet-3 | 55.0 ± 5.0"), "\(markdown)")
        #expect(markdown.contains("** (1 incomplete) |"), "\(markdown)")
        #expect(markdown.contains("fewer where noted"))
    }

    @Test("with several draws of the images, a value is a draw, and each is listed")
    func draws() throws {
        let run = try TemporaryRun(name: "tiny-draws")
        try report(Self.drawnCells(), in: run)
        let markdown = try run.text("comparison.md")
        // Means of draws 50, 60, 55 and 52, 62, 57: a deviation of 5 points over the draws.
        #expect(
            markdown.contains("| 10 | ConvNet-3 | 55.0 ± 5.0 ≈ | **57.0 ± 5.0** |"),
            "\(markdown)"
        )
        #expect(markdown.contains("over the draws of the images"))
        // Within a draw ± is over the two networks: 2 · 0.02 / √2.
        #expect(markdown.contains("| 10 | ConvNet-3 | seed 1 | 60.0 ± 2.8 ≈ | **62.0 ± 2.8** |"))
        #expect(markdown.contains("| 10 | ConvNet-3 | seed 0 | 50.0 ± 2.8 ≈ |"))
        let html = try run.text("comparison.html")
        #expect(html.contains("The highest mean is that of Minimax; the difference"))
        // Each table says what its own numbers are taken over.
        #expect(html.contains("s test over the draws of the images,"))
        #expect(html.contains("s test over the seeds,"))
        #expect(markdown.contains("deviation over 3 draws of the images"))
        let rows = try run.text("comparison.csv").split(separator: "\n")
        #expect(rows.count == 1 + 2 + 6)
        #expect(rows[1].contains("0 1 2"))
        // A mean over draws belongs to none of them.
        #expect(rows[0].contains(",seed,") && rows[1].contains(",last,,0 1 2,"), "\(rows[1])")
        #expect(rows.last?.contains(",draws,") == true)
    }

    @Test(
        "the epoch that the recipe chose counts, and the legend says which",
        arguments: [
            ("best", "chosen on the test set"), ("holdout", "held-out"), ("last", "last epoch"),
        ]
    )
    func selection(name: String, words: String) throws {
        let run = try TemporaryRun(name: "tiny-selection")
        let cells = [0.3, 0.31].enumerated().map { seed, value in
            var cell = Self.cell("dm", 10, seed: seed, value)
            cell["selection"] = name
            cell["headline"] = ["values": [value + 0.2], "mean": value + 0.2]
            return cell
        }
        let file: [String: Any] = [
            "name": "tiny", "base": [:], "results": cells, "failed": [], "missing": [],
            "shared": [],
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        let markdown = try run.text("comparison.md")
        #expect(markdown.contains("**50.5 ± 0.7**"), "\(markdown)")
        #expect(markdown.contains(words))
        #expect(try run.text("comparison.html").contains(words))
        #expect(try run.text("comparison.csv").contains(name))
    }

    @Test("two means without any spread are no noise")
    func noSpread() throws {
        let run = try TemporaryRun(name: "tiny-spread")
        let cells = [("dm", 0.5), ("dit", 0.6)].flatMap { method, value in
            (0..<2).map { Self.cell(method, 10, seed: $0, value) }
        }
        let file: [String: Any] = [
            "name": "tiny", "base": [:], "results": cells, "failed": [], "missing": [],
            "shared": [],
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        #expect(try run.text("comparison.md").contains("| 50.0 ± 0.0 | **60.0 ± 0.0** |"))
    }

    @Test("beside means of several seeds one value is not the best, and leaves the others judged")
    func singleSeed() throws {
        let run = try TemporaryRun(name: "tiny-single")
        let cells =
            [("random", [0.40, 0.41, 0.42]), ("dm", [0.60, 0.61, 0.62]), ("glad", [0.9])].flatMap {
                method,
                values in
                values.enumerated().map { Self.cell(method, 10, seed: $0, $1) }
            }
        try report(cells, base: [:], in: run)
        let row = "| 10 | ConvNet-3 | 41.0 ± 1.0 | **61.0 ± 1.0** | 90.0 (1 of 3) ? |"
        #expect(try run.text("comparison.md").contains(row))
        try report(cells.filter { $0["seeds"] as? [Int] == [0] }, base: [:], in: run)
        let single = "| 10 | ConvNet-3 | 40.0 ? | 60.0 ? | **90.0** |"
        #expect(try run.text("comparison.md").contains(single))
    }

    @Test("what LaTeX and Markdown read is escaped")
    func escapes() throws {
        let run = try TemporaryRun(name: "tiny-escapes")
        let variation = ["dit.weights": "~/a_b{c}^2*<d>"]
        try report([Self.cell("dm", 10, seed: 0, 0.5, variation: variation)], in: run)
        let latex = #"\textasciitilde{}/a\_b\{c\}\textasciicircum{}2*<d>"#
        #expect(try run.text("comparison.tex").contains(latex))
        #expect(try run.text("comparison.md").contains(#"~/a\_b{c}^2\*\<d>"#))
    }

    @Test(
        "every figure has its numbers",
        arguments: [
            "accuracy-images-convnet-3", "accuracy-time-convnet-3", "ablation-convnet-3",
            "time-images",
            "pixel-change-images", "distribution-pca", "distribution-tsne", "similarity-real",
            "similarity-sibling",
        ]
    )
    func figures(name: String) throws {
        let run = try Self.comparison()
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        try expectSnapshot(try run.text("figures/\(name).csv"), "comparison-\(name).csv")
    }

    @Test("gnuplot draws every figure as SVG and PDF", .enabled(if: Gnuplot() != nil))
    func drawing() throws {
        let run = try Self.comparison()
        let page = try ComparisonReport(comparison: run.url).write(gnuplot: Gnuplot())
        let html = try String(contentsOf: page, encoding: .utf8)
        let scripts = try run.names("figures").filter { $0.hasSuffix(".gp") }
        #expect(scripts.count == 9)
        for script in scripts {
            let name = script.dropLast(3)
            #expect(try run.text("figures/\(name).svg").contains("</svg>"))
            #expect(try run.names("figures").contains("\(name).pdf"))
        }
        #expect(!html.contains("Not drawn"))
        #expect(html.components(separatedBy: "<svg").count == 10)
        #expect(html.contains("coverage 25.0"))
        // Nothing is loaded from elsewhere.
        for word in ["src=\"http", "href=\"http", "@import", "<script"] {
            #expect(!html.contains(word), "\(word)")
        }
    }

    @Test("the page says what is missing, what failed, and how to repeat it")
    func page() throws {
        let run = try Self.comparison()
        let page = try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        let html = try String(contentsOf: page, encoding: .utf8)
        #expect(html.contains("36 of 38 cells measured"))
        #expect(html.contains("no &lt;weights&gt;"))
        #expect(html.contains("the highest mean is that of Minimax in 2"))
        #expect(html.contains("distill compare tiny-comparison/grid.resolved.yaml --output"))
        #expect(html.contains("gnuplot"))
        #expect(!html.contains("Published numbers"))
    }

    @Test("published numbers have a table of their own")
    func published() throws {
        let file = Checkout.url("Resources/published.csv")
        let numbers = try PublishedNumbers(contentsOf: file, dataset: "imagewoof")
        let run = try Self.comparison()
        let report = try ComparisonReport(comparison: run.url, published: numbers)
        #expect(ComparisonReport.publishedDataset(run.url) == nil)
        try report.write(gnuplot: nil)
        #expect(ComparisonReport.publishedDataset(run.url) == "imagewoof")
        let html = try run.text("comparison.html")
        #expect(html.contains("--published imagewoof"))
        let source = "Source: Gu et al. CVPR 2024 Table 1 · protocol gu-hard-224"
        #expect(html.contains("<h3>\(source)</h3>"))
        #expect(html.contains("<table class=\"dense\" aria-label=\"\(source)\">"))
        // Random and K-Center of the table's first row; nothing of it among what was measured.
        #expect(
            html.contains(
                "<td class=\"number\">24.3 ± 1.1</td><td class=\"number\">19.4 ± 0.9</td>"
            )
        )
        let measured = try #require(html.range(of: "<section id=\"published\"")).lowerBound
        #expect(!html[..<measured].contains("24.3"))
        let markdown = try run.text("comparison.md")
        #expect(markdown.contains("| Minimax | 10 | ConvNet-6 | gu-hard-224 | 37.0 ± 1.0 |"))
        #expect(markdown.contains("| GLaD | 10 | ResNet-18 | gu-hard-224 | 31.7 ± 0.8 |"))
        #expect(try !run.text("comparison.csv").contains("Gu et al."))
        let unknown = #expect(throws: ReportError.self) {
            try PublishedNumbers(contentsOf: file, dataset: "mnist")
        }
        #expect(unknown?.message.contains("imagenette") == true)
        try run.write("a,b\n1,2\n", to: "bad.csv")
        let place = run.url.appending(path: "bad.csv")
        #expect(throws: ReportError.self) {
            try PublishedNumbers(contentsOf: place, dataset: "imagewoof")
        }
    }

    @Test("damaged files are named")
    func damaged() throws {
        let run = try TemporaryRun(name: "damaged")
        #expect(throws: ReportError.self) { try ComparisonReport(comparison: run.url) }
        try run.write("{\"name\": 3}", to: "comparison.json")
        let error = #expect(throws: ReportError.self) { try ComparisonReport(comparison: run.url) }
        #expect(error?.message.contains("comparison.json") == true)
    }
}
