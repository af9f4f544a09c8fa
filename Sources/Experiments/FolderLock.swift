import Foundation

/// Keeps a second process out of a folder.
///
/// The kernel releases the lock when its process ends, however it ends.
final class FolderLock {
    private let file: Int32

    /// Locks a folder, which must exist, until the end of this object.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - name: The file of the lock; another name is another lock.
    /// - Throws: `RunError` with the code `locked` if another process has it, `unusable` if it cannot
    ///   be locked.
    init(_ folder: URL, name: String = ".lock") throws {
        let path = folder.appendingPathComponent(name).path
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0, flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            if file >= 0 { close(file) }
            guard code == EWOULDBLOCK else {
                throw RunError(
                    .unusable,
                    "\(folder.path) cannot be locked: \(String(cString: strerror(code))). The folder "
                        + "must be writable, and its file system must know locks."
                )
            }
            let owner = (try? String(contentsOfFile: path, encoding: .utf8)) ?? "?"
            throw RunError(
                .locked,
                "Another process (\(owner)) works in \(folder.path). Wait for it, or use another "
                    + "--output."
            )
        }
        // Not before: what is stored is closed at the end of this object, also after an error.
        self.file = file
        ftruncate(file, 0)
        let text = "process \(getpid())"
        _ = text.withCString { pwrite(file, $0, strlen($0), 0) }
    }

    deinit { close(file) }
}

/// Folders that results go into.
enum OutputFolder {
    /// Makes a folder and those above it, where they are missing.
    ///
    /// - Parameter folder: The folder.
    /// - Throws: `RunError` with the code `unusable` if that cannot be done.
    static func make(_ folder: URL) throws {
        let files = FileManager.default
        do {
            try files.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            // The nearest thing that is there: a file, or a folder that refuses others.
            var place = folder.standardizedFileURL
            var isFolder: ObjCBool = false
            while !files.fileExists(atPath: place.path, isDirectory: &isFolder), place.path != "/" {
                place.deleteLastPathComponent()
            }
            guard isFolder.boolValue else {
                throw RunError(
                    .unusable,
                    "The folder \(folder.path) cannot be made: \(place.path) is a file. Name a folder "
                        + "with --output."
                )
            }
            throw RunError(
                .unusable,
                "The folder \(folder.path) cannot be made in \(place.path): \(error.systemReason). "
                    + "Check its permissions, or name another place with --output."
            )
        }
    }
}

extension Error {
    /// The system's own words for what could not be done with a file, such as "Permission denied",
    /// which Foundation's errors keep among their details.
    package var systemReason: String {
        let cause = (self as? CocoaError)?.underlying.map { $0 as NSError }
        guard let cause, cause.domain == NSPOSIXErrorDomain else {
            return localizedDescription.trimmingCharacters(in: CharacterSet(charactersIn: "."))
        }
        return String(cString: strerror(Int32(cause.code)))
    }
}
