import Foundation
import Reporting

/// A run folder in a temporary place, removed with the last reference to it.
///
/// Whatever reads the folder is a method here, since a call keeps its object alive to the end.
final class TemporaryRun {
    /// The folder, as if it had been given relative to where the program was started.
    let url: URL
    private let parent: URL

    init(name: String = "tiny-run") throws {
        parent = FileManager.default.temporaryDirectory
            .appending(path: "reporting-\(UUID().uuidString)", directoryHint: .isDirectory)
        url = URL(filePath: name, directoryHint: .isDirectory, relativeTo: parent)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: parent)
    }

    func write(_ text: String, to path: String) throws {
        try write(Data(text.utf8), to: path)
    }

    func write(_ data: Data, to path: String) throws {
        let file = url.appending(path: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try data.write(to: file)
    }

    /// Makes a folder with the files of another one, which take no more space.
    func link(_ source: String, as place: String) throws {
        let target = url.appending(path: place)
        try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
        for name in try names(source) {
            try FileManager.default.linkItem(
                at: url.appending(path: "\(source)/\(name)"),
                to: target.appending(path: name)
            )
        }
    }

    /// The folder as the report reads it.
    func folder() throws -> RunFolder {
        try RunFolder(url)
    }

    /// Draws a chart in the folder.
    func draw(_ chart: Chart, with gnuplot: Gnuplot) throws -> SVGFigure {
        try write(chart.csv, to: "\(chart.name).csv")
        try write(chart.gnuplotScript, to: "\(chart.name).gp")
        return SVGFigure(gnuplot: try gnuplot.draw(chart.name, in: url), chart: chart)
    }

    /// Runs a script of the folder.
    func draw(_ name: String, with gnuplot: Gnuplot) throws -> String {
        try gnuplot.draw(name, in: url)
    }

    /// The names in a folder.
    func names(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(
            atPath: url.appending(path: path).path(percentEncoded: false)
        )
    }

    func text(_ path: String) throws -> String {
        try String(contentsOf: url.appending(path: path), encoding: .utf8)
    }

    /// A grey image of 2 × 2 pixels.
    static let png =
        Data(
            base64Encoded: """
                iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNgYGBo+A8AAQsBg3TgfzoAAAAASUVORK5C\
                YII=
                """
        ) ?? Data()

    /// The header of an image of some width, filled up to a number of bytes: enough for a page.
    static func png(width: UInt8, byteCount: Int) -> Data {
        var data = png.prefix(16)
        data += [0, 0, 0, width, 0, 0, 0, width]
        return data + Data(count: max(0, byteCount - data.count))
    }

    /// A finished run of two classes and two images per class, with three methods.
    static func finished() throws -> TemporaryRun {
        let run = try TemporaryRun()
        for folder in ["surrogate", "baselines/random", "baselines/dit"] {
            for name in ["00-t-shirt-top", "01-ankle-boot"] {
                for index in 0..<2 { try run.write(png, to: "\(folder)/\(name)/\(index).png") }
            }
        }
        try run.write(
            """
            {"stage":"finetune","step":10,"loss":0.5,"diffusion":0.49,"learningRate":0.001}
            {"stage":"finetune","step":20,"loss":0.4,"diffusion":0.38,"learningRate":0.001}
            {"stage":"finetune","step":20,"loss":0.3,"diffusion":0.29,"learningRate":0.001}
            {"stage":"sample","images":4,"seconds":2.5}
            {"stage":"evaluate","method":"random","network":"convnet-3","seed":0,"epoch":1,"testAccuracy":0.5}
            {"stage":"evaluate","method":"random","network":"convnet-3","seed":0,"epoch":2,"testAccuracy":0.6}
            {"stage":"evaluate","method":"random","network":"convnet-3","seed":1,"epoch":1,"testAccuracy":0.52}
            {"stage":"evaluate","method":"random","network":"convnet-3","seed":1,"epoch":2,"testAccuracy":0.64}

            """,
            to: "metrics.jsonl"
        )
        let results = [
            result("minimax", [0.70, 0.72], mean: 0.71, deviation: 0.0141),
            result("random", [0.60, 0.64], mean: 0.62, deviation: 0.0283),
            result("dit", [0.69, 0.71], mean: 0.70, deviation: 0.0141),
        ]
        try run.write(
            """
            {"results": [\(results.joined(separator: ",\n"))],
             "costs": [
              {"stage": "finetune", "seconds": 125.3, "peakMemoryBytes": 1210000000, "device": "cpu"},
              {"stage": "baseline dit", "seconds": 7.25, "device": "cpu"}]}

            """,
            to: "results.json"
        )
        try run.write(
            """
            {"version": "1.0", "commit": "abc", "device": "cpu", "threads": 2, "seeds": {"sample": 0},
             "startedAt": "2026-01-02T03:04:05Z",
             "arguments": ["/opt/bin/distill", "run", "my recipe.yaml"],
             "datasets": [{"role": "train", "path": "/data", "fingerprint": "f00", "images": 2400}]}

            """,
            to: "provenance.json"
        )
        try run.write(
            "# <b>every</b> value\nfinetune:\n  steps: 20\n",
            to: "recipe.resolved.yaml"
        )
        return run
    }

    /// One element of `results`.
    static func result(
        _ method: String,
        _ values: [Double],
        mean: Double,
        deviation: Double,
        imagesPerClass: Int = 2,
        network: String = "convnet-3"
    ) -> String {
        let accuracy = """
            {"values": \(values), "mean": \(mean), "sampleDeviation": \(deviation), \
            "populationDeviation": 0}
            """
        return """
            {"method": "\(method)", "imagesPerClass": \(imagesPerClass), "network": "\(network)", \
            "protocol": "gu-hard-28", "classes": 2, \
            "train": {"path": "x", "fingerprint": "y", "images": \(2 * imagesPerClass)}, \
            "test": {"path": "x", "fingerprint": "y", "images": 1000}, \
            "seeds": \(Array(values.indices)), "epochs": 2, \
            "last": \(accuracy), "best": \(accuracy), "seconds": 3.5, "peakMemoryBytes": 600000000}
            """
    }
}
