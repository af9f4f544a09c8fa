import Foundation
import TestSupport
import Testing

@Suite("The README", .timeLimit(.minutes(10)))
struct ReadmeTests {
    /// The lines of its shell blocks that call `distill`, without comments.
    private static func commands() throws -> [[String]] {
        let text = try String(
            contentsOf: Checkout.url("README.md"),
            encoding: .utf8
        )
        return text.components(separatedBy: "```sh\n").dropFirst().flatMap { block in
            (block.components(separatedBy: "```").first ?? "").split(separator: "\n")
        }.compactMap { line in
            let words = line.split(separator: "#", maxSplits: 1)[0].split(separator: " ")
            return words.first == "distill" ? words.dropFirst().map(String.init) : nil
        }
    }

    @Test("its commands run, one after the other, on a dataset of the size of a test")
    func run() throws {
        let commands = try ReadmeTests.commands()
        #expect(commands.count > 4)
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, imagesPerClass: 24)
            let demo = folder.appendingPathComponent("Recipes/fashion-mnist-demo.yaml")
            try FileManager.default.moveItem(
                at: folder.appendingPathComponent("recipe.yaml"),
                to: demo
            )
            for words in commands {
                let process = try DistillProcess(
                    words.map { $0 == "DIR" ? "test" : $0 },
                    in: folder
                )
                #expect(process.exitCode == 0, "\(words): \(process.errors)")
            }
        }
    }

    @Test("its links lead to files that are there")
    func links() throws {
        let root = Checkout.root
        for name in ["README.md"] {
            let text = try String(contentsOf: root.appendingPathComponent(name), encoding: .utf8)
            for match in text.matches(of: /\]\(([^)#]+)\)/) {
                let target = String(match.1)
                guard !target.hasPrefix("http") else { continue }
                let file = root.appendingPathComponent(target)
                #expect(FileManager.default.fileExists(atPath: file.path), "\(name): \(target)")
            }
        }
    }
}
