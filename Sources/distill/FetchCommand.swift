import ArgumentParser
import Experiments
import Foundation

/// The command `distill fetch`.
struct FetchFiles: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Downloads public weights and datasets, and tells their licences.",
        discussion: """
            Without a name, it lists what is available. The same command resumes an interrupted \
            download. The SHA-256 of the first download is recorded beside the file, as \
            <file>.sha256, unless the manifest has one: a file that still has it is left alone, \
            and one that has changed is downloaded again. An archive that cannot be read is \
            removed, so that the same command downloads it again.
            """
    )

    @Argument(help: "What to fetch, for example dit-xl-2-256, sd-vae-ft-ema, taesd3 or imagewoof2.")
    var name: String?

    @Option(help: "The folder in which to put Weights/ and Datasets/.", completion: .directory)
    var into = "."

    @Option(
        help: "A manifest (YAML) to use instead of the installed one.",
        completion: .file(extensions: ["yaml"])
    )
    var manifest: String?

    @Flag(help: "Only show size and licence.")
    var dryRun = false

    @OptionGroup var output: OutputOptions

    /// What `--json` prints.
    private struct Summary: Encodable {
        let name: String
        let licence: String
        let megabytes: Int
        let files: [String]
    }

    func run() throws {
        try Failure.reporting {
            let manifest =
                try self.manifest.map { try Manifest(contentsOf: URL(fileURLWithPath: $0)) }
                ?? Manifest.installed()
            guard let name else { return try list(manifest) }
            let entry = try manifest.entry(name)
            var files = [URL]()
            if dryRun {
                if !output.json { Output.line(FetchFiles.line(name, entry)) }
            } else {
                let fetch = Fetch(
                    manifest,
                    into: URL(fileURLWithPath: into, isDirectory: true),
                    observer: Terminal(output)
                )
                files = try fetch(name)
                if !output.json { for file in files { Output.line(file.path) } }
            }
            if output.json {
                try Output.json(
                    Summary(
                        name: name,
                        licence: entry.licence,
                        megabytes: entry.megabytes,
                        files: files.map(\.path)
                    )
                )
            }
        }
    }

    private func list(_ manifest: Manifest) throws {
        let entries = manifest.entries.sorted { $0.key < $1.key }
        guard !output.json else { return try Output.json(manifest.entries) }
        for (name, entry) in entries { Output.line(FetchFiles.line(name, entry)) }
    }

    private static func line(_ name: String, _ entry: Manifest.Entry) -> String {
        "\(name): \(entry.role)\n    about \(entry.megabytes) MB, licence: \(entry.licence), "
            + "\(entry.home)"
    }
}
