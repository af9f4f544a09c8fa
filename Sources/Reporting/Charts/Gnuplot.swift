import Foundation

/// The program that draws the figures, run as a child process.
package struct Gnuplot: Sendable {
    /// Where the program is.
    package var executable: URL

    /// Looks for `gnuplot` in the folders of a search path; nothing if it is not installed.
    package init?(searchPath: String? = ProcessInfo.processInfo.environment["PATH"]) {
        let folders = (searchPath ?? "").split(separator: ":").map(String.init)
        let candidates = folders.map { URL(filePath: $0).appending(path: "gnuplot") }
        guard
            let executable = candidates.first(where: {
                FileManager.default.isExecutableFile(atPath: $0.path(percentEncoded: false))
            })
        else { return nil }
        self.executable = executable
    }

    /// Why a figure could not be drawn.
    package struct Failure: Error {
        package var message: String
    }

    /// Draws `NAME.svg` in a folder that holds `NAME.gp` and `NAME.csv`, and returns its text.
    package func draw(_ name: String, in folder: URL) throws -> String {
        let picture = folder.appending(path: "\(name).svg")
        // An old picture must not be taken for the result of a failed run.
        try? FileManager.default.removeItem(at: picture)

        let process = Process()
        process.executableURL = executable
        // Without the settings of whoever runs it: figures look the same everywhere.
        process.arguments = ["-d", "\(name).gp"]
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let messages = Pipe()
        process.standardError = messages
        do {
            try process.run()
        } catch {
            throw Failure(
                message: "gnuplot could not be started (\(error.localizedDescription))"
            )
        }
        let errors = messages.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0,
            let text = try? String(contentsOf: picture, encoding: .utf8),
            // A picture that was cut short, as by a full disk, is none.
            text.contains("</svg>")
        else {
            let said = String(decoding: errors, as: UTF8.self)
                .split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
                .filter { !$0.isEmpty && $0 != "^" }.last
            throw Failure(
                message: "gnuplot failed on \(name).gp\(said.map { " (\($0))" } ?? "")"
            )
        }
        return text
    }
}
