import Experiments
import Foundation

/// Progress and notes on standard error.
final class Terminal: RunObserver {
    private let isInteractive = isatty(STDERR_FILENO) == 1
    private let isQuiet: Bool
    private let isVerbose: Bool
    private var stage = ""
    private var first = 0
    private var start = ContinuousClock.now
    private var lastLine = ContinuousClock.now
    private var hasOpenLine = false

    init(_ options: OutputOptions) {
        isQuiet = options.quiet
        isVerbose = options.verbose
    }

    static func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    private func line(_ text: String) {
        if hasOpenLine { Terminal.write("\n") }
        hasOpenLine = false
        Terminal.write(text + "\n")
    }

    func note(_ text: String) { if !isQuiet { line(text) } }

    func warn(_ text: String) { line("Warning: \(text)") }

    /// One line that is rewritten on a terminal; a line at the end of each stage elsewhere.
    func progress(stage: String, done: Int, total: Int, unit: String, detail: String) {
        guard !isQuiet else { return }
        let now = ContinuousClock.now
        if stage != self.stage {
            self.stage = stage
            first = done
            start = now
            lastLine = now - .seconds(1)
        }
        let isLast = done >= total
        guard isLast || (isInteractive || isVerbose) && now - lastLine > .milliseconds(200) else {
            return
        }
        lastLine = now
        let seconds = (now - start) / .seconds(1)
        let rate = Double(done - first) / max(seconds, 1e-9)
        var text = "\(stage): \(done)/\(total) \(unit)"
        if done > first {
            text += String(format: ", %.1f %@/s", rate, unit)
            text += isLast ? "" : ", \(Terminal.duration(Double(total - done) / rate)) left"
        }
        if !detail.isEmpty { text += ", \(detail)" }
        if isInteractive {
            Terminal.write("\r\u{1B}[K" + text)
            hasOpenLine = true
            if isLast { line("") }
        } else {
            line(text)
        }
    }

    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite else { return "?" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    /// For example "1.2 MB".
    static func bytes(_ count: Int) -> String {
        let units = ["bytes", "kB", "MB", "GB", "TB"]
        var value = Double(count)
        var unit = 0
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(count) bytes" : String(format: "%.1f %@", value, units[unit])
    }
}

/// What a command prints on standard output.
enum Output {
    /// A line for people.
    static func line(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    /// The one JSON object of `--json`.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
