import Foundation
import Reporting
import Testing

@Suite("Folders of runs")
struct RunIndexTests {
    @Test("a folder of runs has an index that compares them and links their reports")
    func index() throws {
        let finished = try TemporaryRun.finished()
        let folder = try TemporaryRun(name: "runs")
        for name in ["one", "two"] {
            let target = folder.url.appending(path: name)
            try FileManager.default.copyItem(at: finished.url, to: target)
        }
        try folder.write("<html></html>", to: "two/report.html")
        try folder.write("not JSON", to: "three/results.json")
        try folder.write("hello", to: "notes/readme.txt")
        let index = try #require(RunIndex(folder: folder.url))
        let page = try index.write(gnuplot: nil)
        let html = try String(contentsOf: page, encoding: .utf8)
        #expect(html.contains("<a href=\"two/report.html\">two</a>"))
        #expect(!html.contains("one/report.html"))
        #expect(html.contains("three/results.json"))
        #expect(!html.contains("notes"))
        #expect(try folder.names("figures").contains { $0.hasPrefix("runs-") })
        #expect(html.contains("in percent after the last epoch, ±"))
        #expect(!RunIndex.isRun(folder.url))
        #expect(RunIndex.isRun(finished.url))
        let empty = try TemporaryRun(name: "empty")
        #expect(RunIndex(folder: empty.url) == nil)
        // A single run is compared with nothing.
        try FileManager.default.removeItem(at: folder.url.appending(path: "two"))
        try #require(RunIndex(folder: folder.url)).write(gnuplot: nil)
        #expect(try !folder.names("figures").contains { $0.hasPrefix("runs-") })
    }

    @Test("the index shows the accuracies that count, and says which epochs they are of")
    func indexOfSelections() throws {
        let folder = try TemporaryRun(name: "runs")
        let accuracy = { (mean: Double) in "{\"values\": [\(mean)], \"mean\": \(mean)}" }
        func write(_ selection: String, to name: String) throws {
            try folder.write(
                """
                {"results": [{"method": "minimax", "imagesPerClass": 2, "network": "convnet-3",
                  "selection": "\(selection)", "last": \(accuracy(0.5)),
                  "best": \(accuracy(0.75)), "selected": \(accuracy(0.625))}]}
                """,
                to: "\(name)/results.json"
            )
        }
        func html() throws -> String {
            let index = try #require(RunIndex(folder: folder.url))
            return try String(contentsOf: index.write(gnuplot: nil), encoding: .utf8)
                .replacing(Words.space, with: " ")
        }
        for (selection, value, words) in [
            ("best", "75.0 %", "in percent at the best epoch, chosen on the test set"),
            ("holdout", "62.5 %", "in percent at the epoch chosen on held-out training images"),
            ("last", "50.0 %", "in percent after the last epoch"),
        ] {
            try write(selection, to: "one")
            let page = try html()
            #expect(page.contains(words), "\(selection)")
            #expect(page.contains(">\(value)</td>"), "\(selection)")
        }
        // Nor are those of different test sets, which the headings name then.
        for (name, path) in [("one", "woof/val"), ("two", "nette/val")] {
            try folder.write(
                """
                {"results": [{"method": "minimax", "imagesPerClass": 2, "network": "convnet-3",
                  "test": {"path": "\(path)", "fingerprint": "\(path)", "images": 1000},
                  "last": \(accuracy(0.5))}]}
                """,
                to: "\(name)/results.json"
            )
        }
        let sets = try html()
        #expect(sets.contains("per class · 1,000 test images of woof/val</h3>"))
        #expect(sets.contains("per class · 1,000 test images of nette/val</h3>"))
        try write("last", to: "one")
        // Different kinds of numbers are not put side by side.
        try write("best", to: "two")
        let page = try html()
        #expect(page.contains("in percent at the epoch that each heading names"))
        #expect(page.contains("per class · after the last epoch</h3>"))
        #expect(page.contains("per class · at the best epoch, chosen on the test set"))
    }
}
