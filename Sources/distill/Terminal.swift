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

    /// Writes to standard error; where that cannot be done, the work goes on without.
    static func write(_ text: String) {
        _ = StandardStreams.write(text, to: STDERR_FILENO)
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
    // Why nothing more can be printed, or 0. A command prints on one thread.
    nonisolated(unsafe) private static var failure: Int32 = 0

    /// A line for people; if it cannot be written, `finish` tells so.
    static func line(_ text: String) {
        guard failure == 0 else { return }
        failure = StandardStreams.write(text + "\n", to: STDOUT_FILENO)
    }

    /// Makes sure, at the end of a command, that all it printed was written.
    ///
    /// A reader that is gone, as in `distill inspect FILE | head`, ends the process as it ends other
    /// programs: by SIGPIPE.
    ///
    /// - Throws: `Failure` if it was not.
    static func finish() throws {
        guard failure != 0 else { return }
        if failure == EPIPE {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        }
        throw Failure(
            1,
            "Standard output cannot be written: \(String(cString: strerror(failure))). Make room, or "
                + "send it elsewhere. Files that the command has written are whole."
        )
    }

    /// The one JSON object of `--json`.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
