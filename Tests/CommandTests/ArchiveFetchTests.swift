import Foundation
import TestSupport
import Testing

@Suite("Downloads of archives", .timeLimit(.minutes(2)))
struct ArchiveFetchTests {
    private func writeManifest(_ folder: URL, sha256: String? = nil) throws {
        let site = folder.appendingPathComponent("site/set.tgz")
        let manifest = """
            set:
              role: test
              licence: CC0
              home: nowhere
              folder: Datasets
              files:
                - {url: "file://\(site.path)", name: set.tgz, megabytes: 1, unpack: true\(
                    sha256.map { ", sha256: \"\($0)\"" } ?? "")}
            """
        try Data(manifest.utf8).write(to: folder.appendingPathComponent("manifest.yaml"))
    }

    private func fetch(_ folder: URL) throws -> DistillProcess {
        try DistillProcess(["fetch", "set", "--manifest", "manifest.yaml"], in: folder)
    }

    /// An archive of one large file in `site`, and the same cut off in the middle.
    private func makeArchives(_ folder: URL) throws -> (whole: Data, broken: Data) {
        let made = try DistillProcess(
            shell: """
                mkdir -p site set && head -c 200000 /dev/urandom > set/images.bin \\
                && tar -czf site/set.tgz set && rm -r set
                """,
            [],
            in: folder
        )
        try #require(made.exitCode == 0, "\(made.errors)")
        let whole = try Data(contentsOf: folder.appendingPathComponent("site/set.tgz"))
        return (whole, whole.prefix(whole.count / 2))
    }

    private func exists(_ name: String, in folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path)
    }

    @Test("a damaged archive is removed with its record, and the same command gets a whole one")
    func damaged() throws {
        try withTemporaryFolder { folder in
            let (whole, broken) = try makeArchives(folder)
            let site = folder.appendingPathComponent("site/set.tgz")
            try broken.write(to: site)
            try writeManifest(folder)
            let first = try fetch(folder)
            #expect(first.exitCode == 1)
            #expect(first.errors.contains("the manifest has no checksum"), "\(first.errors)")
            #expect(first.errors.contains("damaged and was removed"), "\(first.errors)")
            #expect(!exists("Datasets/set.tgz", in: folder))
            #expect(!exists("Datasets/set.tgz.sha256", in: folder))
            try whole.write(to: site)
            let second = try fetch(folder)
            #expect(second.exitCode == 0, "\(second.errors)")
            #expect(exists("Datasets/set/images.bin", in: folder))
            let third = try fetch(folder)
            #expect(third.exitCode == 0 && third.errors.contains("intact"), "\(third.errors)")
        }
    }

    @Test("what was removed is unpacked again, and so is an archive that its owner replaced")
    func unpackedAgain() throws {
        try withTemporaryFolder { folder in
            _ = try makeArchives(folder)
            try writeManifest(folder)
            #expect(try fetch(folder).exitCode == 0)
            let images = folder.appendingPathComponent("Datasets/set/images.bin")
            let before = try Data(contentsOf: images)
            try FileManager.default.removeItem(at: images.deletingLastPathComponent())
            #expect(try fetch(folder).exitCode == 0)
            #expect(try Data(contentsOf: images) == before)
            // Nothing to do is done once only.
            #expect(try !fetch(folder).errors.contains("unpacking"))

            _ = try makeArchives(folder)
            for name in ["set.tgz", "set.tgz.sha256"] {
                try FileManager.default.removeItem(
                    at: folder.appendingPathComponent("Datasets/\(name)")
                )
            }
            #expect(try fetch(folder).exitCode == 0)
            #expect(try Data(contentsOf: images) != before)
        }
    }

    @Test("a second process waits for no download, and says whose it is")
    func locked() throws {
        try withTemporaryFolder { folder in
            _ = try makeArchives(folder)
            try writeManifest(folder)
            let place = folder.appendingPathComponent("Datasets")
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            let process = try DistillProcess(
                shell: #"flock Datasets/.set.lock "$0" "$@""#,
                ["fetch", "set", "--manifest", "manifest.yaml"],
                in: folder
            )
            #expect(process.exitCode == 1)
            #expect(process.errors.contains("Another process"), "\(process.errors)")
        }
    }

    @Test("an archive with the checksum of the manifest is kept: it is what its owner offers")
    func published() throws {
        try withTemporaryFolder { folder in
            let broken = try makeArchives(folder).broken
            try broken.write(to: folder.appendingPathComponent("site/set.tgz"))
            let sum = try DistillProcess(
                shell: "sha256sum site/set.tgz | cut -d ' ' -f 1",
                [],
                in: folder
            )
            try writeManifest(
                folder,
                sha256: sum.output.trimmingCharacters(in: .whitespacesAndNewlines)
            )
            let process = try fetch(folder)
            #expect(process.exitCode == 1)
            #expect(process.errors.contains("cannot be unpacked"), "\(process.errors)")
            #expect(exists("Datasets/set.tgz", in: folder))
        }
    }
}
