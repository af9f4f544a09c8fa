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

    @Test("rank estimates the time of each kind of training")
    func rank() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            let process = try DistillProcess(
                [
                    "rank", "--surrogate", "test", "--real", "train", "--test", "test", "-o", "r",
                    "--dry-run",
                ],
                in: folder
            )
            // A set that is tested on is no surrogate.
            #expect(process.exitCode == 64, "\(process.errors)")
            try FileManager.default.copyItem(
                at: folder.appendingPathComponent("test"),
                to: folder.appendingPathComponent("surrogate")
            )
            let images = try FileManager.default.subpathsOfDirectory(
                atPath: folder.appendingPathComponent("surrogate").path
            ).filter { $0.hasSuffix("png") }.sorted()
            for image in Dictionary(grouping: images, by: { $0.split(separator: "/")[0] }).values {
                try FileManager.default.removeItem(
                    at: folder.appendingPathComponent("surrogate/\(image[0])")
                )
            }
            let estimate = try DistillProcess(
                [
                    "rank", "--surrogate", "surrogate", "--real", "train", "--test", "test", "-o",
                    "r", "--dry-run", "--json",
                ],
                in: folder
            )
            #expect(estimate.exitCode == 0, "\(estimate.errors)")
            let stages = try #require(try estimate.json()["stages"] as? [[String: Any]])
            #expect(
                stages.map { $0["stage"] as? String }
                    == ["real-hard", "syn-hard", "random-any", "syn-noaug", "random-noaug"]
            )
            #expect(
                !FileManager.default.fileExists(atPath: folder.appendingPathComponent("r").path)
            )
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
