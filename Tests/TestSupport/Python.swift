import Foundation

/// A Python that reads what is written: that of the checkout, or the one in `DISTILL_PYTHON`.
public enum Python {
    private static let executable: URL = {
        let path = ProcessInfo.processInfo.environment["DISTILL_PYTHON"] ?? ""
        return path.isEmpty ? Checkout.url(".venv/bin/python") : URL(fileURLWithPath: path)
    }()

    /// What a program prints; nil if it fails.
    ///
    /// - Parameters:
    ///   - program: The program.
    ///   - arguments: What it finds in `sys.argv[1:]`.
    ///   - showsErrors: Whether its messages are shown.
    /// - Returns: Its standard output.
    public static func output(
        _ program: String,
        _ arguments: [String] = [],
        showsErrors: Bool = true
    ) -> String? {
        let process = Process()
        process.executableURL = executable
        process.arguments = ["-c", program] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"]
        ) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        if !showsErrors { process.standardError = FileHandle.nullDevice }
        guard (try? process.run()) != nil else { return nil }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
    }

    /// Whether there is a Python that has a module.
    public static func has(_ module: String) -> Bool {
        output("import \(module)", showsErrors: false) != nil
    }
}
