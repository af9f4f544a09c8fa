import Foundation
import TestSupport
import Testing

@Suite("Dry runs", .timeLimit(.minutes(5)))
struct DryRunTests {
    @Test(
        "every long command estimates its stages and leaves nothing behind",
        arguments: [
            ("run", ["finetune", "sample", "baseline random", "baseline dit", "evaluate"]),
            ("pretrain", ["pretrain"]), ("finetune", ["finetune"]),
            ("sample", ["finetune", "sample"]), ("baseline dit", ["baseline dit"]),
        ]
    )
    func stages(command: String, stages: [String]) throws {
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            let before = try FileManager.default.subpathsOfDirectory(atPath: small.folder.path)
            let words = command.split(separator: " ").map(String.init)
            let process = try DistillProcess(
                words + ["recipe.yaml", "--dry-run", "--json"],
                in: folder
            )
            #expect(process.exitCode == 0, "\(process.errors)")
            let json = try process.json()
            let found = try #require(json["stages"] as? [[String: Any]])
            #expect(found.map { $0["stage"] as? String } == stages)
            for stage in found { #expect(try #require(stage["seconds"] as? Double) > 0) }
            #expect(try #require(json["memoryBytes"] as? Int) > 1_000_000)
            let after = try FileManager.default.subpathsOfDirectory(atPath: small.folder.path)
            #expect(before.sorted() == after.sorted())
        }
    }

    @Test("evaluate estimates the time of its trainings")
    func evaluate() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            let process = try DistillProcess(
                ["evaluate", "--train", "train", "--test", "test", "--dry-run"],
                in: folder
            )
            #expect(process.exitCode == 0, "\(process.errors)")
            #expect(process.output.contains("3 trainings of 1500 epochs"), "\(process.output)")
        }
    }
}
