import Foundation
import Testing

/// One run of the built command.
struct DistillProcess {
    let exitCode: Int32
    let output: String
    let errors: String

    /// The checkout.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// One thread each: many tests run at once, and threads that wait for each other's turn on a
    /// full machine take many times as long.
    static let environment = ProcessInfo.processInfo.environment.merging(
        ["OMP_NUM_THREADS": "1"],
        uniquingKeysWith: { old, _ in old }
    )

    /// The built command.
    static let executable = root.appendingPathComponent(".build/release/distill")

    /// Runs `distill` with arguments in a folder and waits for its end.
    init(_ arguments: [String], in folder: URL? = nil) throws {
        try self.init(DistillProcess.executable, arguments, in: folder)
    }

    /// Runs a line of shell that finds `distill` in `$0` and the arguments in `$@`.
    init(shell line: String, _ arguments: [String], in folder: URL? = nil) throws {
        let words = ["-c", line, DistillProcess.executable.path] + arguments
        try self.init(URL(fileURLWithPath: "/bin/bash"), words, in: folder)
    }

    private init(_ executable: URL, _ arguments: [String], in folder: URL?) throws {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = DistillProcess.environment
        process.currentDirectoryURL = folder ?? DistillProcess.root
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // What a command tells on one of the two is far below the size of a pipe's buffer.
        let outputData = output.fileHandleForReading.readDataToEndOfFile()
        let errorData = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        exitCode = process.terminationStatus
        self.output = String(decoding: outputData, as: UTF8.self)
        self.errors = String(decoding: errorData, as: UTF8.self)
    }

    /// The JSON object in the last line of standard output.
    func json() throws -> [String: Any] {
        let line = try #require(output.split(separator: "\n").last)
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
        return try #require(object as? [String: Any])
    }
}
