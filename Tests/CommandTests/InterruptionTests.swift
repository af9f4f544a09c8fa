import Foundation
import TestSupport
import Testing

@Suite("Interrupted commands", .serialized, .timeLimit(.minutes(5)))
struct InterruptionTests {
    @Test("a run that is killed three times ends like an uninterrupted one")
    func kills() throws {
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            let start = ContinuousClock.now
            let whole = try small.start("whole")
            whole.waitUntilExit()
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(whole.terminationStatus == 0)
            let expected = try small.outcome("whole")
            let images = expected.keys.filter { $0.hasSuffix(".png") }
            #expect(images.filter { !$0.hasPrefix("neighbours/") }.count == 24)
            #expect(images.contains { $0.hasPrefix("neighbours/left/") })
            #expect(expected["neighbours.json"] != nil)
            #expect(expected.keys.filter { $0.hasPrefix("last of") }.count == 3)

            var kills = 0
            var rounds = 0
            while kills < 3 {
                rounds += 1
                let run = "broken-\(rounds)"
                while true {
                    let process = try small.start(run)
                    if kills < 3 {
                        Thread.sleep(forTimeInterval: .random(in: 0.1...0.6) * seconds)
                        if process.isRunning {
                            kill(process.processIdentifier, SIGKILL)
                            kills += 1
                        }
                    }
                    process.waitUntilExit()
                    if process.terminationReason == .exit {
                        #expect(process.terminationStatus == 0, "after \(kills) kills")
                        break
                    }
                }
                let found = try small.outcome(run)
                #expect(found.keys.sorted() == expected.keys.sorted())
                for (name, data) in expected { #expect(found[name] == data, "\(name)") }
            }
        }
    }

    @Test(
        "a signal saves a checkpoint and ends with 75, and the same command goes on",
        arguments: [SIGINT, SIGTERM, SIGUSR1]
    )
    func signals(number: Int32) throws {
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            let settings = ["--set", "finetune.minimax.steps=100000"]
            let metrics = folder.appendingPathComponent("run/metrics.jsonl")
            let checkpoint = folder.appendingPathComponent(
                "run/checkpoints/finetune.safetensors"
            )
            for _ in 0..<2 {
                let process = try small.start("run", settings)
                try waitForProgress(process, in: folder)
                #expect(process.end(by: number) == 75)
                #expect(FileManager.default.fileExists(atPath: checkpoint.path))
            }
            try expectNoStepTwice(metrics)
        }
    }

    @Test(
        "a signal ends the other long stages with 75, too, and they go on",
        arguments: [
            (["pretrain"], ["pretrain.training.steps=100000", "pretrain.logEvery=1"]),
            (["baseline", "dm"], ["dm.iterations=100000", "dm.logEvery=1"]),
        ]
    )
    func stages(command: [String], settings: [String]) throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            let arguments =
                command + ["recipe.yaml", "-o", "run"] + settings.flatMap { ["--set", $0] }
            for _ in 0..<2 {
                let process = try DistillProcess.start(arguments, in: folder)
                try waitForProgress(process, in: folder)
                #expect(process.end(by: SIGTERM) == 75)
            }
            try expectNoStepTwice(folder.appendingPathComponent("run/metrics.jsonl"))
        }
    }

    @Test("a signal ends the drawing of images with 75, and none is drawn twice")
    func drawing() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            let arguments = [
                "sample", "recipe.yaml", "-o", "run", "--set", "finetune.minimax.steps=2", "--set",
                "sample.imagesPerClass=100000",
            ]
            let images = folder.appendingPathComponent("run/surrogate/left")
            func count() -> Int {
                ((try? FileManager.default.contentsOfDirectory(atPath: images.path)) ?? [])
                    .count { $0.hasSuffix(".png") && !$0.hasPrefix(".") }
            }
            func age() throws -> Date {
                let file = images.appendingPathComponent("0.png")
                let values = try FileManager.default.attributesOfItem(atPath: file.path)
                return try #require(values[.modificationDate] as? Date)
            }
            var first: Date?
            for _ in 0..<2 {
                let process = try DistillProcess.start(arguments, in: folder)
                let before = count()
                process.wait { count() > before }
                #expect(process.end(by: SIGTERM) == 75)
                #expect(count() > before)
                let now = try age()
                if let first { #expect(now == first) }
                first = now
            }
        }
    }

    @Test("a signal ends an evaluation with 75, and it goes on with the next epoch")
    func evaluation() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            let arguments = [
                "evaluate", "--train", "train", "--test", "test", "--epochs", "100000",
                "--evaluations", "1", "--seeds", "0", "--checkpoint", "evaluation.safetensors",
                "--verbose",
            ]
            let messages = folder.appendingPathComponent("messages.txt")
            func epochs() throws -> [Int] {
                try String(contentsOf: messages, encoding: .utf8).matches(of: /evaluate: (\d+)\//)
                    .compactMap { Int($0.output.1) }
            }
            var last = 0
            for _ in 0..<2 {
                let process = try DistillProcess.start(arguments, in: folder, messages: messages)
                // It tells of an epoch at once, and then of some of them.
                try process.wait { try epochs().count > 1 }
                #expect(process.end(by: SIGINT) == 75)
                let told = try epochs()
                #expect(try #require(told.first) > last)
                last = try #require(told.last)
            }
        }
    }

    @Test("a second process is kept out of a run folder")
    func lock() throws {
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            let settings = ["--set", "finetune.minimax.steps=100000"]
            let first = try small.start("run", settings)
            try waitForProgress(first, in: folder)
            let second = try DistillProcess(
                ["run", "recipe.yaml", "-o", "run"] + settings,
                in: folder
            )
            #expect(second.exitCode == 1)
            #expect(second.errors.contains("Another process"), "\(second.errors)")
            kill(first.processIdentifier, SIGKILL)
            first.waitUntilExit()
            // The lock of a dead process blocks nobody.
            let third = try small.start("run", settings)
            try waitForProgress(third, in: folder)
            kill(third.processIdentifier, SIGTERM)
            third.waitUntilExit()
            #expect(third.terminationStatus == 75)
        }
    }

    /// Expects that a run which was stopped went on where it was.
    private func expectNoStepTwice(_ metrics: URL) throws {
        let steps = try String(contentsOf: metrics, encoding: .utf8).split(separator: "\n")
            .map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return (object as? [String: Any])?["step"] as? Int ?? 0
            }
        #expect(steps == steps.sorted() && Set(steps).count == steps.count, "\(steps)")
    }

    /// Waits until the log of the run has grown, so that a process is at work, after a resume too.
    private func waitForProgress(_ process: Process, in folder: URL) throws {
        let metrics = folder.appendingPathComponent("run/metrics.jsonl")
        func size() -> Int {
            let values = try? FileManager.default.attributesOfItem(atPath: metrics.path)
            return values?[.size] as? Int ?? 0
        }
        let before = size()
        while process.isRunning, size() <= before { Thread.sleep(forTimeInterval: 0.02) }
    }
}

@Suite("Disks that refuse", .serialized, .timeLimit(.minutes(5)))
struct DiskTests {
    @Test("a folder that cannot be made is a clear error")
    func unwritable() throws {
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            try Data().write(to: folder.appendingPathComponent("file"))
            let process = try DistillProcess(
                ["run", "recipe.yaml", "-o", "file/run"],
                in: small.folder
            )
            #expect(process.exitCode == 1)
            #expect(process.errors.contains("file/run"), "\(process.errors)")
            #expect(!process.errors.contains("Fatal error"))
        }
    }

    @Test("where no more can be written, the error is clear and the last checkpoint valid")
    func full() throws {
        try withTemporaryFolder { folder in
            let small = try SmallRun(in: folder)
            let recipe = ["run", "recipe.yaml", "-o", "run"]
            let model = folder.appendingPathComponent("model.safetensors")
            let size = try #require(try model.resourceValues(forKeys: [.fileSizeKey]).fileSize)
            // Room for the first checkpoints only: they grow with the memories.
            var failures = 0
            for limit in stride(from: size / 1024, through: 4 * size / 1024, by: size / 4096 + 1) {
                let process = try DistillProcess(
                    shell: "ulimit -f \(limit); exec \"$0\" \"$@\"",
                    recipe,
                    in: folder
                )
                if process.exitCode == 0 { break }
                failures += 1
                #expect(process.exitCode == 1, "\(process.errors)")
                #expect(process.errors.contains("be written"), "\(process.errors)")
                #expect(!process.errors.contains("Fatal error"))
                let checkpoint = folder.appendingPathComponent(
                    "run/checkpoints/finetune.safetensors"
                )
                guard FileManager.default.fileExists(atPath: checkpoint.path) else { continue }
                let inspection = try DistillProcess(["inspect", checkpoint.path])
                #expect(inspection.exitCode == 0, "\(inspection.errors)")
            }
            #expect(failures > 0)
            let rest = try DistillProcess(recipe, in: folder)
            #expect(rest.exitCode == 0, "\(rest.errors)")
            let whole = try small.start("whole")
            whole.waitUntilExit()
            #expect(try small.outcome("run") == small.outcome("whole"))
        }
    }
}
