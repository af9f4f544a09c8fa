import Foundation

/// A file that appears whole or not at all.
///
/// It is written under another name in the same folder, forced to the disk, and only then takes
/// the place of an older file. When anything fails, the older file is unchanged and the new one
/// is removed; only a killed program can leave one behind, see `removeLeftovers`.
package struct AtomicFile {
    private static let marker = ".partial-"
    private let path: String
    private let descriptor: Int32

    /// Writes a file.
    ///
    /// - Parameters:
    ///   - url: Its final place; the folder must exist.
    ///   - body: Appends the content.
    /// - Throws: `CheckpointError` for a full disk or an unwritable folder.
    package static func write(
        to url: URL,
        _ body: (AtomicFile) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let folder = url.deletingLastPathComponent()
        let suffix = String(UInt64.random(in: 0 ... .max), radix: 36)
        let name = ".\(url.lastPathComponent)\(marker)\(suffix)"
        let temporary = folder.appendingPathComponent(name).path
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .writing(url.path, errno: errno) }
        do throws(CheckpointError) {
            defer { close(descriptor) }
            try body(AtomicFile(path: url.path, descriptor: descriptor))
            // A file system may notice only now that it has no room.
            guard fsync(descriptor) == 0 else { throw .writing(url.path, errno: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, url.path) == 0 else {
            let error = CheckpointError.writing(url.path, errno: errno)
            unlink(temporary)
            throw error
        }
        synchronize(folder: folder)
    }

    /// Writes a file whose content is in memory.
    package static func write(_ content: some Sequence<UInt8>, to url: URL) throws(CheckpointError)
    {
        let bytes = Array(content)
        try write(to: url) { (file) throws(CheckpointError) in try file.append(bytes) }
    }

    /// Removes what killed programs left behind in a folder.
    ///
    /// NB: only for a folder that no other program writes into at this moment.
    package static func removeLeftovers(in folder: URL) {
        removeFiles(in: folder) { $0.hasPrefix(".") && $0.contains(marker) }
    }

    /// Removes what killed programs left behind of one file.
    ///
    /// - Parameter url: The place that it was to have.
    package static func removeLeftovers(of url: URL) {
        removeFiles(in: url.deletingLastPathComponent()) {
            $0.hasPrefix(".\(url.lastPathComponent)\(marker)")
        }
    }

    private static func removeFiles(in folder: URL, where isLeft: (String) -> Bool) {
        let files = FileManager.default
        let names = (try? files.contentsOfDirectory(atPath: folder.path)) ?? []
        for name in names where isLeft(name) {
            try? files.removeItem(at: folder.appendingPathComponent(name))
        }
    }

    /// Appends bytes.
    package func append(_ bytes: [UInt8]) throws(CheckpointError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(CheckpointError) in
            try append(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Appends bytes.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        var rest = bytes[...]
        while let address = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            // Linux writes at most 2 GiB at once.
            let written = Foundation.write(descriptor, address, min(rest.count, 1 << 30))
            if written < 0 && errno == EINTR { continue }
            guard written >= 0 else { throw .writing(path, errno: errno) }
            rest = rest.dropFirst(written)
        }
    }

    /// Makes the new name itself safe against a loss of power, where the file system can.
    private static func synchronize(folder: URL) {
        let descriptor = open(folder.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
