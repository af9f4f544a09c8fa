import Foundation
import TestSupport
import Testing

@Suite("Streams that cannot be written", .timeLimit(.minutes(5)))
struct StreamTests {
    static let hasFullDevice = FileManager.default.fileExists(atPath: "/dev/full")

    /// Ways to take standard output away.
    static let outputs = [">&-"] + (hasFullDevice ? ["> /dev/full"] : [])

    /// The same for both streams, with the exit code of a run.
    static let redirections: [(String, Int32)] =
        [("2>&-", 0), (">&-", 1)] + (hasFullDevice ? [("2> /dev/full", 0)] : [])

    @Test(
        "standard output that is full or closed is one clear error",
        arguments: [["fetch"], ["fetch", "--json"], ["--help"], ["--version"]],
        StreamTests.outputs
    )
    func output(arguments: [String], redirection: String) throws {
        let process = try DistillProcess(shell: "\"$0\" \"$@\" \(redirection)", arguments)
        #expect(process.exitCode == 1, "\(process.errors)")
        #expect(process.errors.contains("Standard output cannot be written"), "\(process.errors)")
        #expect(process.errors.split(separator: "\n").count == 1, "\(process.errors)")
    }

    @Test("a reader that is gone ends a command as it ends others")
    func reader() throws {
        let process = try DistillProcess(
            shell: "{ sleep 0.5; \"$0\" \"$@\"; } | true; exit \"${PIPESTATUS[0]}\"",
            ["fetch"]
        )
        #expect(process.exitCode == 128 + SIGPIPE)
        #expect(process.errors.isEmpty, "\(process.errors)")
    }

    @Test(
        "a run goes on without them, and writes nothing of theirs into its files",
        arguments: StreamTests.redirections
    )
    func run(redirection: String, exitCode: Int32) throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            let process = try DistillProcess(
                shell: "\"$0\" \"$@\" \(redirection)",
                ["run", "recipe.yaml", "-o", "run", "--verbose"],
                in: folder
            )
            #expect(process.exitCode == exitCode, "\(process.errors)")
            let run = folder.appendingPathComponent("run")
            let page = run.appendingPathComponent("report.html").path
            #expect(FileManager.default.fileExists(atPath: page))
            let metrics = run.appendingPathComponent("metrics.jsonl")
            for line in try String(contentsOf: metrics, encoding: .utf8).split(separator: "\n") {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                #expect(object is [String: Any], "\(line)")
            }
        }
    }
}

@Suite("Signals", .serialized, .timeLimit(.minutes(5)))
struct SignalTests {
    private func process(_ arguments: [String], in folder: URL) -> Process {
        let process = Process()
        process.executableURL = DistillProcess.executable
        process.arguments = arguments
        process.environment = DistillProcess.environment.merging(
            ["TMPDIR": folder.path],
            uniquingKeysWith: { $1 }
        )
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        return process
    }

    /// A pipe without room that nobody reads: who writes into it cannot end.
    private func fullPipe() -> Pipe {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        while write(descriptor, "x", 1) == 1 {}
        return pipe
    }

    @Test(
        "end a command that has nothing to save at once",
        arguments: [["fetch"], ["run", "recipe.yaml", "--dry-run"]]
    )
    func usualEffect(arguments: [String]) throws {
        try withTemporaryFolder { folder in
            if arguments[0] == "run" { _ = try SmallRun(in: folder) }
            let pipe = fullPipe()
            let process = process(arguments, in: folder)
            process.standardOutput = pipe.fileHandleForWriting
            try process.run()
            Thread.sleep(forTimeInterval: 1)
            #expect(process.isRunning)
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal)
            #expect(process.terminationStatus == SIGTERM)
            withExtendedLifetime(pipe) {}
        }
    }

    @Test("a second one ends a command that is still at its step at once")
    func second() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            // A step of about a second.
            let process = process(
                [
                    "pretrain", "recipe.yaml", "-o", "run", "--device", "cpu", "--quiet",
                    "--set", "pretrain.hiddenSize=512", "--set", "pretrain.depth=12",
                    "--set", "pretrain.training.batchSize=24", "--set", "pretrain.logEvery=1",
                    "--set", "pretrain.training.steps=1000",
                ],
                in: folder
            )
            try process.run()
            let metrics = folder.appendingPathComponent("run/metrics.jsonl")
            while process.isRunning, (try? Data(contentsOf: metrics))?.isEmpty != false {
                Thread.sleep(forTimeInterval: 0.02)
            }
            kill(process.processIdentifier, SIGINT)
            // Two that come together count as one.
            Thread.sleep(forTimeInterval: 0.1)
            kill(process.processIdentifier, SIGINT)
            process.waitUntilExit()
            #expect(process.terminationReason == .exit)
            #expect(process.terminationStatus == 130)
        }
    }

    @Test("a fresh run that is interrupted tells how it, and no other, goes on")
    func fresh() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder)
            let arguments = ["run", "recipe.yaml", "-o", "run"]
            let steps = ["--set", "finetune.minimax.steps=100000"]
            let process = process(arguments + steps + ["--fresh", "--quiet"], in: folder)
            let errors = Pipe()
            process.standardError = errors
            try process.run()
            let metrics = folder.appendingPathComponent("run/metrics.jsonl")
            while process.isRunning, (try? Data(contentsOf: metrics))?.isEmpty != false {
                Thread.sleep(forTimeInterval: 0.02)
            }
            kill(process.processIdentifier, SIGTERM)
            let data = errors.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationStatus == 75)
            let text = String(decoding: data, as: UTF8.self)
            #expect(text.contains("without --fresh, with --output "), "\(text)")
            #expect(text.contains("/run."), "\(text)")
        }
    }
}
