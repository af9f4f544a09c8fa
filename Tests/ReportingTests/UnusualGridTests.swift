import Foundation
import Reporting
import Testing

@Suite("Comparisons of unusual grids")
struct UnusualGridTests {
    /// The page of some cells, and the folder that it was made of.
    private func report(
        _ cells: [[String: Any]],
        base: [String: String] = [:],
        in run: TemporaryRun
    ) throws -> String {
        let file: [String: Any] = [
            "name": "tiny", "base": base, "results": cells, "failed": [], "missing": [],
            "shared": [],
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        return try run.text("comparison.html")
    }

    @Test("GPUs of one kind are not told apart, kinds of device are, those of the images too")
    func devices() throws {
        let run = try TemporaryRun(name: "tiny-devices")
        func cells(_ devices: [(test: String, images: String)]) -> [[String: Any]] {
            devices.enumerated().map { seed, device in
                var cell = ComparisonTests.cell("dm", 10, seed: seed, 0.5)
                cell["device"] = device.test
                cell["distillation"] = ["seconds": 3, "device": device.images]
                return cell
            }
        }
        let same = try report(cells([("cuda:0", "cuda:1"), ("cuda:1", "cuda:0")]), in: run)
        #expect(!same.contains("different kinds of device"))
        let tested = try report(cells([("cuda:0", "cpu"), ("cpu", "cpu")]), in: run)
        #expect(tested.contains("measured with different kinds of device (cpu and cuda)"))
        let made = try report(cells([("cpu", "cuda:0"), ("cpu", "cpu")]), in: run)
        #expect(made.contains("Images were made on different kinds of device (cpu and cuda)"))
    }

    @Test("settings beside draws are named without a draw")
    func settingsOfDraws() throws {
        let run = try TemporaryRun(name: "tiny-settings")
        let path = "sample.guidance"
        let cells = [[:], ["seed": "1"], [path: "3"], [path: "3", "seed": "1"]].enumerated().map {
            ComparisonTests.cell("dit", 10, seed: 0, 0.5 + 0.01 * Double($0), variation: $1)
        }
        _ = try report(cells, base: [path: "1.5", "seed": "0"], in: run)
        let settings = try run.text("comparison.md").components(separatedBy: "## Settings")[1]
            .components(separatedBy: "## ")[0]
        #expect(settings.contains("| as in the recipe: guidance 1.5 |"), "\(settings)")
        #expect(!settings.contains("seed 0"))
    }

    @Test("a setting of two values is shown beside the ablation, also where one is 0")
    func twoValues() throws {
        let run = try TemporaryRun(name: "tiny-switch")
        let names = ["representativeness", "diversity"].map { "finetune.minimax.\($0)" }
        let changes = [
            [:], [names[0]: "0"], [names[1]: "0"], [names[0]: "0", names[1]: "0"],
            ["sample.eta": "1"],
        ]
        let cells = changes.map {
            ComparisonTests.cell("minimax", 10, seed: 0, 0.5, variation: $0)
        }
        let base = [names[0]: "0.002", names[1]: "0.008", "sample.eta": "0"]
        _ = try report(cells, base: base, in: run)
        let figures = try run.names("figures").filter { $0.hasSuffix(".csv") }
        #expect(figures.contains("ablation-convnet-3.csv"))
        #expect(figures.contains("sensitivity-sample-eta-convnet-3.csv"), "\(figures)")
        #expect(!figures.contains { $0.contains("sensitivity-finetune") })
    }

    @Test("images of the first variation are shown where the grid's own recipe is not measured")
    func gallery() throws {
        let run = try TemporaryRun(name: "tiny-gallery")
        let image =
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
        let bytes = try #require(Data(base64Encoded: image))
        try run.write(bytes, to: "shared/dit-20/baselines/dit/a/0.png")
        let cells = [1, 2].map {
            ComparisonTests.cell("dit", 10, seed: 0, 0.5, variation: ["seed": "\($0)"])
        }
        #expect(try report(cells, base: ["seed": "0"], in: run).contains("id=\"gallery\""))
    }

    @Test("pictures of other numbers do not stay beside a figure that nobody draws")
    func staleFigures() throws {
        let run = try TemporaryRun(name: "tiny-stale")
        let kinds = ["svg", "pdf"].map { "figures/accuracy-images-convnet-3.\($0)" }
        for kind in kinds { try run.write("old", to: kind) }
        try run.write("mine", to: "figures/other.svg")
        let cells = [10, 20].map { ComparisonTests.cell("dit", $0, seed: 0, 0.5) }
        _ = try report(cells, in: run)
        let names = try run.names("figures")
        #expect(names.contains("accuracy-images-convnet-3.csv"), "\(names)")
        #expect(!names.contains { name in kinds.contains("figures/\(name)") })
        #expect(names.contains("other.svg"))
    }
}
