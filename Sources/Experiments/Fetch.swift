import Checkpoints
import Datasets
import Foundation
import Images

/// Downloads what a manifest names, with `curl`, resumable.
///
/// Where the manifest has no SHA-256 of a file, that of the first download is recorded beside it:
/// later changes are noticed, but not a first download that was damaged.
public struct Fetch {
    private let manifest: Manifest
    private let root: URL
    private let observer: any RunObserver
    private let isInterrupted: () -> Bool

    /// Prepares downloads.
    ///
    /// - Parameters:
    ///   - manifest: What there is.
    ///   - root: The folder that `Weights/` and `Datasets/` go into.
    ///   - observer: Hears of the progress.
    ///   - isInterrupted: Whether to stop; what was downloaded so far is kept.
    public init(
        _ manifest: Manifest,
        into root: URL,
        observer: any RunObserver,
        isInterrupted: @escaping () -> Bool = { Interruption.isRequested }
    ) {
        self.manifest = manifest
        self.root = root
        self.observer = observer
        self.isInterrupted = isInterrupted
    }

    /// Downloads an entry; files that are there and intact are left alone.
    ///
    /// - Parameter name: Its name in the manifest.
    /// - Returns: The files, in the order of the manifest.
    /// - Throws: `RunError` for a name or a file that does not exist, for a failed download or a
    ///   wrong checksum, for an archive that cannot be unpacked; `InterruptedError` after a signal.
    public func callAsFunction(_ name: String) throws -> [URL] {
        let entry = try manifest.entry(name)
        observer.note(
            "\(name): \(entry.role), about \(entry.megabytes) MB.\nLicence: \(entry.licence) "
                + "(\(entry.home))"
        )
        let folder = root.appendingPathComponent(entry.folder, isDirectory: true)
        do {
            try FileManager.default.createDirectory(
                at: folder,
                withIntermediateDirectories: true
            )
        } catch {
            throw RunError(
                .unusable,
                "\(folder.path) cannot be made: \(error.localizedDescription)"
            )
        }
        // Two downloads at once would write into one file.
        let lock = try FolderLock(folder, name: ".\(name).lock")
        defer { withExtendedLifetime(lock) {} }
        return try entry.files.map { try fetch($0, into: folder) }
    }

    private func fetch(_ file: Manifest.File, into folder: URL) throws -> URL {
        let url = folder.appendingPathComponent(file.name)
        let record = folder.appendingPathComponent("\(file.name).sha256")
        let recorded = (try? String(contentsOf: record, encoding: .utf8))?
            .split(separator: " ").first.map(String.init)
        let expected = file.sha256 ?? recorded
        if FileManager.default.fileExists(atPath: url.path) {
            let found = try SHA256.hexadecimalDigest(ofFile: url)
            guard let expected else {
                tellOfRecord(found, of: file.name)
                try write(found, of: file.name, to: record)
                try unpack(file, at: url, digest: found, in: folder)
                return url
            }
            if found == expected {
                observer.note(
                    "\(file.name): there already, and intact"
                        + (file.sha256 == nil ? " since its SHA-256 was recorded" : "")
                )
                try unpack(file, at: url, digest: found, in: folder)
                return url
            }
            observer.warn("\(url.path) is not what it was when it was fetched; fetching it again")
        }
        let partial = folder.appendingPathComponent("\(file.name).partial")
        try download(file, to: partial)
        let found = try SHA256.hexadecimalDigest(ofFile: partial)
        guard expected == nil || found == expected else {
            try? FileManager.default.removeItem(at: partial)
            throw RunError(
                .unusable,
                "\(file.url) has the SHA-256 \(found), expected \(expected ?? ""). Nothing of it "
                    + "was kept. Fetch it again; if that does not help, its owner has replaced it"
                    + (file.sha256 == nil
                        ? ": remove \(record.path) to accept that."
                        : ": a manifest with the new one (--manifest) accepts that.")
            )
        }
        if file.sha256 == nil, recorded == nil { tellOfRecord(found, of: file.name) }
        try write(found, of: file.name, to: record)
        guard rename(partial.path, url.path) == 0 else {
            throw RunError(.unusable, "\(url.path) cannot be written.")
        }
        try unpack(file, at: url, digest: found, in: folder)
        return url
    }

    private func tellOfRecord(_ digest: String, of name: String) {
        observer.note(
            "\(name): the manifest has no checksum; its SHA-256 from now on is \(digest)"
        )
    }

    /// As `sha256sum` prints it, so that `sha256sum -c` can read it.
    private func write(_ digest: String, of name: String, to record: URL) throws {
        try AtomicFile.write(Data("\(digest)  \(name)\n".utf8), to: record)
    }

    private func download(_ file: Manifest.File, to partial: URL) throws {
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        curl.arguments = [
            "curl", "--fail", "--location", "--silent", "--show-error", "--retry", "3",
            "--continue-at", "-", "--output", partial.path, file.url,
        ]
        let errors = Pipe()
        curl.standardError = errors
        do {
            try curl.run()
        } catch {
            throw RunError(
                .unusable,
                "curl cannot be started (\(error.localizedDescription)). Install it."
            )
        }
        let total = file.megabytes * 1_000_000
        while curl.isRunning {
            Thread.sleep(forTimeInterval: 0.1)
            let size = Fetch.size(partial)
            observer.progress(
                stage: file.name,
                done: min(size / 1_000_000, file.megabytes),
                total: max(total, size) / 1_000_000,
                unit: "MB",
                detail: ""
            )
            if isInterrupted() {
                curl.terminate()
                curl.waitUntilExit()
                throw InterruptedError()
            }
        }
        guard curl.terminationStatus == 0 else {
            let message = String(
                decoding: errors.fileHandleForReading.readDataToEndOfFile(),
                as: UTF8.self
            )
            // The file was whole already.
            if message.contains("error: 416") { return }
            // A server that cannot go on in the middle.
            if curl.terminationStatus == 33, Fetch.size(partial) > 0 {
                try? FileManager.default.removeItem(at: partial)
                return try download(file, to: partial)
            }
            let reason =
                curl.terminationStatus == 127
                ? "curl is not installed"
                : message.trimmingCharacters(in: .whitespacesAndNewlines)
            throw RunError(
                .unusable,
                "\(file.url) could not be downloaded: \(reason). What came of it is kept: run the "
                    + "same command again to go on."
            )
        }
    }

    private static func size(_ url: URL) -> Int {
        let values = try? FileManager.default.attributesOfItem(atPath: url.path)
        return values?[.size] as? Int ?? 0
    }

    /// Unpacks an archive beside itself, unless what came out of it is still there.
    ///
    /// A mark tells the archive's SHA-256 and, in further lines, what it holds at its top.
    private func unpack(
        _ file: Manifest.File,
        at url: URL,
        digest: String,
        in folder: URL
    ) throws {
        guard file.unpack == true else { return }
        let marker = folder.appendingPathComponent(".\(file.name).unpacked")
        let mark = try? String(contentsOf: marker, encoding: .utf8)
        let marked = mark?.split(separator: "\n") ?? []
        let isThere = marked.dropFirst().allSatisfy {
            FileManager.default.fileExists(atPath: folder.appendingPathComponent("\($0)").path)
        }
        if marked.first == Substring(digest), isThere { return }
        observer.note("\(file.name): unpacking")
        let (status, _, message) = try tar(["-xf", url.path, "-C", folder.path])
        guard status == 0 else {
            if isInterrupted() { throw InterruptedError() }
            var text = "\(url.path) cannot be unpacked (\(message)); what came out of it is not "
            text += "whole."
            if try isDamaged(file, at: url) {
                try? FileManager.default.removeItem(at: url)
                try? FileManager.default.removeItem(
                    at: folder.appendingPathComponent("\(file.name).sha256")
                )
                text += " The archive is damaged and was removed together with its recorded "
                text += "SHA-256: run the same command again to download it anew."
            } else {
                text += " The archive was kept: run the same command again once there is room, and "
                text += "tar and gzip are installed."
            }
            throw RunError(.unusable, text)
        }
        let names = try tar(["-tf", url.path]).output.split(separator: "\n")
        let tops = Set(names.compactMap { $0.split(separator: "/").first { $0 != "." } }).sorted()
        let lines = [Substring(digest)] + tops
        try AtomicFile.write(Data(lines.joined(separator: "\n").utf8), to: marker)
    }

    /// Whether an archive cannot even be read to its end; one with the checksum of the manifest is
    /// what its owner offers.
    private func isDamaged(_ file: Manifest.File, at url: URL) throws -> Bool {
        guard file.sha256 == nil else { return false }
        let (status, _, message) = try tar(["-tf", url.path])
        if isInterrupted() { throw InterruptedError() }
        // 127: no tar; the other: no program to decompress with.
        return status != 0 && status != 127 && !message.contains("Cannot exec")
    }

    /// Runs `tar` to its end.
    ///
    /// - Parameter arguments: Its arguments.
    /// - Returns: Its exit code, what it prints, and the first lines of what it says of errors.
    /// - Throws: `RunError` if it cannot be started.
    private func tar(
        _ arguments: [String]
    ) throws -> (status: Int32, output: String, message: String) {
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        tar.arguments = ["tar"] + arguments
        // Errors go to a file: a pipe that nobody empties meanwhile would stop it.
        let output = Pipe()
        let errors = FileManager.default.temporaryDirectory
            .appendingPathComponent("distill-tar-\(UUID().uuidString)")
        try Data().write(to: errors)
        defer { try? FileManager.default.removeItem(at: errors) }
        tar.standardOutput = output
        tar.standardError = try FileHandle(forWritingTo: errors)
        do {
            try tar.run()
        } catch {
            throw RunError(
                .unusable,
                "tar cannot be started (\(error.localizedDescription)). Install it."
            )
        }
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        tar.waitUntilExit()
        let said = String(decoding: try Data(contentsOf: errors), as: UTF8.self)
        let lines = said.split(separator: "\n").prefix(3).joined(separator: "; ")
        let status = tar.terminationStatus
        return (
            status, String(decoding: printed, as: UTF8.self),
            lines.isEmpty ? "tar: exit \(status)" : lines
        )
    }
}

extension SHA256 {
    /// The digest of a file of any size, in hexadecimal digits.
    static func hexadecimalDigest(ofFile url: URL) throws -> String {
        guard let handle = try? FileHandle(forReadingFrom: url) else {
            throw RunError(.unusable, "\(url.path) cannot be read.")
        }
        var hash = SHA256()
        while let data = try handle.read(upToCount: 1 << 22), !data.isEmpty { hash.add(data) }
        return hash.hexadecimalDigest
    }
}
