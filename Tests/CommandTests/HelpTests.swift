import Foundation
import TestSupport
import Testing

@Suite("Help texts")
struct HelpTests {
    private static let folder = Checkout.url("Tests/Snapshots/Help")

    @Test(
        "the help of every command is as it was looked at",
        arguments: [
            "", "run", "encode", "pretrain", "finetune", "sample", "baseline", "evaluate",
            "rank", "metrics", "compare", "export", "report", "inspect", "convert", "fetch",
            "doctor",
        ]
    )
    func help(command: String) throws {
        let process = try DistillProcess(command.isEmpty ? ["--help"] : [command, "--help"])
        #expect(process.exitCode == 0)
        let name = command.isEmpty ? "distill" : command
        let file = HelpTests.folder.appendingPathComponent("\(name).txt")
        if ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1" {
            try FileManager.default.createDirectory(
                at: HelpTests.folder,
                withIntermediateDirectories: true
            )
            try Data(process.output.utf8).write(to: file)
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(process.output == expected, "record anew with RECORD_SNAPSHOTS=1 if this is meant")
    }

    @Test("the version is told")
    func version() throws {
        #expect(try DistillProcess(["--version"]).output == "0.1.0\n")
    }
}
