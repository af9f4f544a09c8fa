import Foundation

/// Keeps a second process out of a folder.
///
/// The kernel releases the lock when its process ends, however it ends.
final class FolderLock {
    private let file: Int32

    /// Locks a folder, which must exist, until the end of this object.
    ///
    /// - Throws: `RunError` with the code `locked` if another process has it, `unusable` if it cannot
    ///   be locked.
    init(_ folder: URL) throws {
        let path = folder.appendingPathComponent(".lock").path
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
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
        ftruncate(file, 0)
        let text = "process \(getpid())"
        _ = text.withCString { pwrite(file, $0, strlen($0), 0) }
    }

    deinit { close(file) }
}
