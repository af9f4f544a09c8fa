import Foundation
import Reporting
import Testing

@Suite("The report")
struct ReportTests {
    /// The page of a run, written without gnuplot unless a test needs pictures.
    private func page(_ run: TemporaryRun, gnuplot: Gnuplot? = nil) throws -> String {
        let file = try Report(run: run.url).write(gnuplot: gnuplot)
        #expect(file.lastPathComponent == "report.html")
        return try run.text("report.html")
    }

    /// Every value of an attribute, in order.
    private func values(of attribute: String, in page: String) throws -> [String] {
        let pattern = try Regex(
            "\\s\(attribute)=[\"']([^\"']*)[\"']",
            as: (Substring, Substring).self
        )
        return page.matches(of: pattern).map { String($0.output.1) }
    }

    @Test("The page, the numbers and the scripts of a tiny run are as recorded")
    func snapshots() throws {
        let run = try TemporaryRun.finished()
        try expectSnapshot(page(run), "tiny-run.html")
        for name in ["accuracy-convnet-3", "evaluate-convnet-3", "finetune-total-loss"] {
            try expectSnapshot(run.text("figures/\(name).csv"), "\(name).csv")
            try expectSnapshot(run.text("figures/\(name).gp"), "\(name).gp")
        }
    }

    @Test("Built twice, the page is the same")
    func repeatable() throws {
        let run = try TemporaryRun.finished()
        #expect(try page(run) == page(run))
    }

    @Test("The summary says what was measured and no more")
    func summary() throws {
        let text = try page(TemporaryRun.finished()).replacing(Words.space, with: " ")
            .replacing("&#39;", with: "'")
        for sentence in [
            "ConvNet-3 trained from scratch on 4 synthetic images from Minimax Diffusion (2 per class) reaches 71.0 % ± 1.4 on the 1,000 test images.",
            "It reaches 62.0 % ± 2.8 when trained on 4 random real images and 70.0 % ± 1.4 when trained on 4 synthetic images from the DiT without the minimax criteria.",
            "The difference of 9.0 percentage points between Minimax and Random may be due to the seeds (Welch's test, p ≥ 0.05): neither is shown to be better.",
            "The difference of 1.0 percentage points between Minimax and DiT may be due to the seeds (Welch's test, p ≥ 0.05): neither is shown to be better.",
            "The surrogate has 4 images in place of the 2,400 training images: one for every 600.",
            "All stages took 2 min 13 s on cpu; memory use peaked at 1.21 GB, during fine-tuning.",
        ] {
            #expect(text.contains(sentence), "\(sentence)")
        }
    }

    @Test("The epoch that the recipe chose leads the page")
    func selection() throws {
        let run = try TemporaryRun()
        for (selection, value, words) in [
            ("best", "75.0 %", "those at the best epoch, chosen on the test set"),
            ("holdout", "62.5 %", "those at the epoch chosen on held-out training images"),
            ("last", "50.0 %", "those after the last epoch"),
        ] {
            let accuracy = { (mean: Double) in "{\"values\": [\(mean)], \"mean\": \(mean)}" }
            try run.write(
                """
                {"results": [{"method": "minimax", "imagesPerClass": 2, "network": "convnet-3",
                  "selection": "\(selection)", "last": \(accuracy(0.5)),
                  "best": \(accuracy(0.75)), "selected": \(accuracy(0.625))}]}
                """,
                to: "results.json"
            )
            let text = try page(run).replacing(Words.space, with: " ")
            #expect(text.contains("(2 per class) reaches \(value) on"), "\(selection)")
            #expect(text.contains(words), "\(selection)")
            #expect(try run.text("figures/accuracy-convnet-3.csv").contains(value.prefix(2)))
        }
    }

    @Test("Many methods are summed up by their verdict")
    func manyMethods() throws {
        let run = try TemporaryRun()
        let results = [
            TemporaryRun.result("minimax", [0.70, 0.72], mean: 0.71, deviation: 0.014),
            TemporaryRun.result("random", [0.60, 0.62], mean: 0.61, deviation: 0.014),
            TemporaryRun.result("idc", [0.80, 0.82], mean: 0.81, deviation: 0.014),
            TemporaryRun.result("dit", [0.70, 0.71], mean: 0.705, deviation: 0.007),
            TemporaryRun.result("dm", [0.5], mean: 0.5, deviation: 0),
        ]
        try run.write("{\"results\": [\(results.joined(separator: ","))]}", to: "results.json")
        let text = try page(run)
        for sentence in [
            "Minimax is above Random (by 10.0), in percentage points",
            "Minimax is below IDC (by 10.0), in percentage points",
            "Between Minimax and DiT, the differences may be due to the seeds",
            "For DM, a single seed leaves the spread unknown",
        ] {
            #expect(text.contains(sentence), "\(sentence)")
        }
    }

    @Test("Results on different test images are not compared with each other")
    func testSets() throws {
        let run = try TemporaryRun()
        let results = [
            TemporaryRun.result("minimax", [0.70, 0.72], mean: 0.71, deviation: 0.014),
            TemporaryRun.result("random", [0.60, 0.62], mean: 0.61, deviation: 0.014)
                .replacing(
                    "\"path\": \"x\", \"fingerprint\": \"y\", \"images\": 1000",
                    with:
                        "\"path\": \"other\", \"fingerprint\": \"z\", \"images\": 1000"
                ),
        ]
        try run.write("{\"results\": [\(results.joined(separator: ","))]}", to: "results.json")
        let text = try page(run)
        #expect(!text.contains("above Random"))
        #expect(text.contains("1,000 test images of x"))
        #expect(text.contains("1,000 test images of other"))
        #expect(try run.text("figures/accuracy-convnet-3-2.csv").contains("61"))
    }

    @Test("Figures of an earlier state of the results are removed, other files stay")
    func earlierFigures() throws {
        let run = try TemporaryRun.finished()
        _ = try page(run)
        try run.write("mine", to: "figures/notes.csv")
        try run.write("{\"results\": []}", to: "results.json")
        _ = try page(run)
        #expect(throws: (any Error).self) { try run.text("figures/accuracy-convnet-3.csv") }
        #expect(try run.text("figures/finetune-total-loss.csv").isEmpty == false)
        #expect(try run.text("figures/notes.csv") == "mine")
    }

    @Test("The page loads nothing, and every link leads somewhere", .enabled(if: Gnuplot() != nil))
    func selfContained() throws {
        let run = try TemporaryRun.finished()
        let page = try page(run, gnuplot: Gnuplot())
        #expect(page.contains("default-src 'none'"))
        #expect(page.contains("<svg "))
        for element in ["<script src", "<link", "<iframe", "<object", "@import", "url("] {
            #expect(!page.contains(element), "\(element)")
        }
        #expect(
            try values(of: "src", in: page).allSatisfy { $0.hasPrefix("data:image/png;base64,") }
        )
        // The names of the two XML languages are no addresses to load.
        let names = page.replacing("xmlns=\"http://www.w3.org/2000/svg\"", with: "")
            .replacing("xmlns:xlink=\"http://www.w3.org/1999/xlink\"", with: "")
        #expect(!names.contains("http:") && !names.contains("https:"))

        let identities = try values(of: "id", in: page)
        #expect(Set(identities).count == identities.count)
        for link in try values(of: "(?:xlink:)?href", in: page) {
            if link.hasPrefix("#") {
                #expect(identities.contains(String(link.dropFirst())), "\(link)")
            } else {
                #expect(FileManager.default.fileExists(atPath: run.url.appending(path: link).path))
            }
        }
        for reference in try values(of: "aria-labelledby", in: page) {
            for identity in reference.split(separator: " ") {
                #expect(identities.contains(String(identity)), "\(identity)")
            }
        }
        for name in ["accuracy-convnet-3", "finetune-total-loss", "evaluate-convnet-3"] {
            #expect(try XMLDocumentReader.elements(run.text("figures/\(name).svg"))["svg"] == 1)
        }
    }

    @Test("The page can be read by a screen reader")
    func accessible() throws {
        let page = try page(TemporaryRun.finished())
        #expect(page.contains("<html lang=\"en\">"))
        let images = page.matches(of: #/<img [^>]*>/#).map { String($0.output) }
        #expect(images.count == 12)
        #expect(images.allSatisfy { $0.contains(" alt=\"") && !$0.contains(" alt=\"\"") })
        #expect(images[0].contains("alt=\"T shirt top 1, Random real images\""))
        #expect(page.matches(of: #/<th[ >][^>]*/#).allSatisfy { $0.output.contains("scope=") })
        let levels = page.matches(of: #/<h([1-6])/#).compactMap { Int($0.output.1) }
        #expect(levels.first == 1)
        #expect(levels.filter { $0 == 1 }.count == 1)
        for (level, next) in zip(levels, levels.dropFirst()) { #expect(next <= level + 1) }
    }

    @Test("Text from files cannot become markup")
    func escaping() throws {
        let run = try TemporaryRun.finished()
        try run.write("{\"note\": \"<script>alert(1)</script>\"}", to: "provenance.json")
        let page = try page(run)
        #expect(page.contains("&lt;b&gt;every&lt;/b&gt;"))
        #expect(!page.contains("<script>alert"))
    }

    @Test("What is missing is said in the page and is no error")
    func missingParts() throws {
        let run = try TemporaryRun()
        try run.write("finetune: {}\n", to: "recipe.resolved.yaml")
        let page = try page(run)
        for sentence in [
            "No network has been evaluated yet", "No surrogate images have been sampled yet",
            "There are no images of other methods", "No training step has been logged",
            "No time or memory use", "There is no provenance.json",
        ] {
            #expect(page.contains(sentence), "\(sentence)")
        }
        for section in ["accuracy", "gallery", "curves", "costs"] {
            #expect(!page.contains("href=\"#\(section)\""))
        }
    }

    @Test("Without gnuplot the page says so, and the numbers are there")
    func withoutGnuplot() throws {
        let run = try TemporaryRun.finished()
        let page = try page(run)
        #expect(page.contains("gnuplot was not found"))
        #expect(page.contains("Not drawn, since gnuplot is not installed."))
        #expect(
            try run.text("figures/finetune-total-loss.csv") == "step,total loss\n10,0.5\n20,0.3\n"
        )
    }

    @Test("A gnuplot that fails costs the pictures, not the page")
    func failingGnuplot() throws {
        let run = try TemporaryRun.finished()
        var gnuplot = try #require(Gnuplot(searchPath: try fakePrograms(run)))
        #expect(try page(run, gnuplot: gnuplot).contains("Not drawn: gnuplot failed on"))
        gnuplot.executable = run.url.appending(path: "missing")
        #expect(try page(run, gnuplot: gnuplot).contains("Not drawn: gnuplot could not be started"))
    }

    /// A folder with a program `gnuplot` that does nothing but fail.
    private func fakePrograms(_ run: TemporaryRun) throws -> String {
        try run.write("#!/bin/sh\necho 'no memory' >&2\nexit 3\n", to: "bin/gnuplot")
        let program = run.url.appending(path: "bin/gnuplot").path
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        return run.url.appending(path: "bin").path
    }
}
