import Foundation
import TestSupport
import Testing

/// One run of the built command.
struct DistillProcess {
    let exitCode: Int32
    let output: String
    let errors: String

    /// What the commands find: one thread each, since many tests run at once, and no GPU, on which
    /// results are not the same bit for bit.
    ///
    /// Threads that wait for each other's turn on a full machine take many times as long. Help is as
    /// wide as its snapshots, and no proxy stands between a test and its own server.
    static let environment = ProcessInfo.processInfo.environment.merging(
        ["OMP_NUM_THREADS": "1"],
        uniquingKeysWith: { old, _ in old }
    ).merging(
        [
            "COLUMNS": "80", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
            "CUDA_VISIBLE_DEVICES": "",
        ]
    ) { $1 }

    #if DEBUG
        private static let build = "debug"
    #else
        private static let build = "release"
    #endif

    /// The command that was built with these tests.
    static let executable = Checkout.url(".build/\(build)/distill")

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
        process.currentDirectoryURL = folder ?? Checkout.root
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

    /// Starts `distill` without waiting for its end.
    ///
    /// - Parameters:
    ///   - arguments: What follows `distill`.
    ///   - folder: The working folder.
    ///   - messages: The file that is to hold what it tells on standard error; nil for none.
    /// - Returns: The process, which has to be waited for.
    /// - Throws: What `Process` throws where it cannot be started.
    static func start(
        _ arguments: [String],
        in folder: URL,
        messages: URL? = nil
    ) throws -> Process {
        let process = Process()
        process.executableURL = DistillProcess.executable
        process.arguments = arguments
        process.environment = DistillProcess.environment
        process.currentDirectoryURL = folder
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        if let messages {
            try Data().write(to: messages)
            process.standardError = try FileHandle(forWritingTo: messages)
        }
        try process.run()
        return process
    }

    /// The JSON object in the last line of standard output.
    func json() throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: lastLine())
        return try #require(object as? [String: Any])
    }

    /// The value that the JSON object in the last line of standard output stands for.
    func json<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: lastLine())
    }

    private func lastLine() throws -> Data {
        Data(try #require(output.split(separator: "\n").last).utf8)
    }
}

extension Process {
    /// Waits until something is the case, or the process has ended.
    func wait(until isReached: () throws -> Bool) rethrows {
        while isRunning, try !isReached() { Thread.sleep(forTimeInterval: 0.02) }
    }

    /// Sends a signal, if the process still runs, and waits for its end.
    ///
    /// - Parameter number: The signal.
    /// - Returns: The exit code; nil if the signal ended the process instead.
    func end(by number: Int32) -> Int32? {
        if isRunning { kill(processIdentifier, number) }
        waitUntilExit()
        return terminationReason == .exit ? terminationStatus : nil
    }
}
