import Foundation
import Testing

/// Compares a text with the one kept in `Tests/Snapshots/Reporting`.
///
/// With `RECORD_SNAPSHOTS=1` in the environment the text is written there instead.
func expectSnapshot(
    _ text: String,
    _ name: String,
    file: StaticString = #filePath,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let snapshot = URL(filePath: "\(file)").deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Snapshots/Reporting/\(name)")
    if ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1" {
        try FileManager.default.createDirectory(
            at: snapshot.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: snapshot)
        return
    }
    let expected = try String(contentsOf: snapshot, encoding: .utf8)
    guard text != expected else { return }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let expectedLines = expected.split(separator: "\n", omittingEmptySubsequences: false)
    let index =
        zip(lines, expectedLines).enumerated().first { $1.0 != $1.1 }?.offset
        ?? min(lines.count, expectedLines.count)
    let found = index < lines.count ? String(lines[index]) : "(the end)"
    let wanted = index < expectedLines.count ? String(expectedLines[index]) : "(the end)"
    Issue.record(
        """
        \(name) differs from its snapshot in line \(index + 1).
        expected: \(wanted)
        found:    \(found)
        If the change is meant, record the snapshots again with RECORD_SNAPSHOTS=1.
        """,
        sourceLocation: sourceLocation
    )
}
