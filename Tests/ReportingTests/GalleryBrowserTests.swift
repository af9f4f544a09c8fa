import Foundation
import Reporting
import Testing

/// A browser without a window, where one is installed.
private struct Browser {
    let executable: URL

    init?() {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let names = ["chromium", "chromium-browser", "google-chrome"]
        let found = folders.flatMap { folder in names.map { "\(folder)/\($0)" } }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else { return nil }
        executable = URL(filePath: found)
    }

    /// Opens a page, lets its scripts run, and returns its elements and what the console said.
    func open(_ page: URL, in folder: URL) throws -> (elements: String, console: String) {
        let files = ["elements.html", "console.txt"].map { folder.appending(path: $0) }
        for file in files { try Data().write(to: file) }
        let process = Process()
        process.executableURL = executable
        process.arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            "--user-data-dir=\(folder.appending(path: "profile").path(percentEncoded: false))",
            "--virtual-time-budget=5000", "--dump-dom", page.absoluteString,
        ]
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        try process.run()
        process.waitUntilExit()
        let texts = try files.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
        let console = texts[1].split(separator: "\n").filter { $0.contains("CONSOLE") }
        return (texts[0], console.joined(separator: "\n"))
    }
}

@Suite("The gallery in a browser", .enabled(if: Browser() != nil, "no Chromium is installed"))
struct GalleryBrowserTests {
    /// What a visitor does, and what is to be seen then.
    private static let visit = """
        <script>
        const checks = {};
        const buttons = [...document.querySelectorAll("#gallery .open")];
        const at = (file) => buttons.find((button) => button.dataset.file === file);
        const surrogate = at("surrogate/00-t-shirt-top/0.png");
        const random = at("baselines/random/00-t-shirt-top/0.png");
        const shown = () => zoom.querySelectorAll("figure:not([hidden]) img").length;
        const later = () => new Promise((done) => setTimeout(done, 100));
        (async () => {
          checks.hint = !document.getElementById("gallery-hint").hidden;
          surrogate.focus();
          // A window that a busy machine has not given the focus yet sends no event.
          if (peek.hidden) {
            surrogate.dispatchEvent(new FocusEvent("focusin", { bubbles: true }));
          }
          checks.peek = !peek.hidden && peek.querySelector("img").alt;
          checks.description = surrogate.getAttribute("aria-describedby");
          document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
          checks.dismissed = peek.hidden && !surrogate.hasAttribute("aria-describedby");
          surrogate.click();
          checks.open = zoom.open && shown();
          checks.heading = document.getElementById("zoom-heading").textContent;
          checks.pixels = getComputedStyle(zoom.querySelector("img")).imageRendering;
          checks.inside = zoom.contains(document.activeElement);
          zoom.querySelector("button").click();
          await later();
          checks.closed = !zoom.open && document.activeElement === surrogate;
          random.dispatchEvent(
            new PointerEvent("pointerover", { bubbles: true, pointerType: "mouse" })
          );
          checks.real = peek.textContent;
          random.click();
          checks.alone = shown();
          document.title = JSON.stringify(checks);
        })();
        </script>
        </body>
        """

    @Test("The script runs under the page's own policy, and the console stays silent")
    func policy() throws {
        let browser = try #require(Browser())
        let run = try GalleryTests.compared()
        let page = try Report(run: run.url).write(gnuplot: nil)
        let (elements, console) = try browser.open(page, in: run.url)
        #expect(
            elements.contains("id=\"gallery\" aria-labelledby=\"gallery-heading\" class=\"live\"")
        )
        #expect(console.isEmpty, "\(console)")
    }

    @Test("The page of a comparison shows the sets of its methods, with the same script")
    func comparison() throws {
        let browser = try #require(Browser())
        let run = try TemporaryRun(name: "with-images")
        let sets = [("minimax", "surrogate"), ("random", "baselines/random")]
        let accuracy: [String: Any] = ["values": [0.5], "mean": 0.5]
        let cells = sets.flatMap { method, _ in
            [1, 2].map { count -> [String: Any] in
                [
                    "cell": "\(method)_\(count)", "method": method, "imagesPerClass": count,
                    "network": "convnet-3", "seeds": [0], "last": accuracy, "unit": "\(method)-2",
                ]
            }
        }
        let file: [String: Any] = [
            "name": "with-images", "base": [:], "results": cells, "failed": [], "missing": [],
            "shared": [],
        ]
        try run.write(JSONSerialization.data(withJSONObject: file), to: "comparison.json")
        for (method, place) in sets {
            for number in 0..<2 {
                let image = TemporaryRun.png(width: 28, byteCount: 200)
                try run.write(image, to: "shared/\(method)-2/\(place)/00-coat/\(number).png")
            }
        }
        let page = try ComparisonReport(comparison: run.url).write(gnuplot: nil)
        let (elements, console) = try browser.open(page, in: run.url)
        #expect(console.isEmpty, "\(console)")
        #expect(
            elements.contains("id=\"gallery\" aria-labelledby=\"gallery-heading\" class=\"live\"")
        )
        let images = elements.matches(of: #/alt="(Coat [^"]*)"/#).map { String($0.output.1) }
        #expect(
            images == [
                "Coat 1, Random real images", "Coat 2, Random real images",
                "Coat 1, Minimax Diffusion", "Coat 2, Minimax Diffusion",
            ]
        )
    }

    @Test("An image is described, enlarged and left again")
    func visit() throws {
        let browser = try #require(Browser())
        let run = try GalleryTests.compared()
        try Report(run: run.url).write(gnuplot: nil)
        // The visitor is a script that the page itself would not let in.
        let text = try run.text("report.html")
            .replacing(#/script-src 'sha256-[^']*'/#, with: "script-src 'unsafe-inline'")
            .replacing("</body>", with: Self.visit)
        try run.write(text, to: "visited.html")
        let page = run.url.appending(path: "visited.html")
        let (elements, console) = try browser.open(page, in: run.url)
        #expect(console.isEmpty, "\(console)")
        let title = try #require(elements.firstMatch(of: #/<title>(.*?)</title>/#)?.output.1)
        let expected: [String: String] = [
            "hint": "true", "peek": "\"Training image train-images #17\"",
            "description": "\"peek\"", "dismissed": "true", "open": "2",
            "heading": "\"T shirt top 1, Minimax Diffusion\"", "pixels": "\"pixelated\"",
            "inside": "true", "closed": "true",
            "real": "\"This is the training image train-images #5.\"", "alone": "1",
        ]
        for (name, value) in expected {
            #expect(title.contains("\"\(name)\":\(value)"), "\(name) in \(title)")
        }
    }
}
