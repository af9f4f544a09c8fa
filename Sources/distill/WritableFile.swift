import Foundation

/// A file that a command writes late.
enum WritableFile {
    /// Makes sure at the start of a command that the file can be written.
    ///
    /// - Parameters:
    ///   - path: The file; nil for none.
    ///   - option: What names it, such as `--save`.
    /// - Throws: `Failure` if it is a folder, or if its folder is missing or refuses files.
    static func require(_ path: String?, for option: String) throws {
        guard let path else { return }
        let url = URL(fileURLWithPath: path)
        guard kind(of: url) != .typeDirectory else {
            throw Failure(64, "\(url.path) is a folder: name a file with \(option).")
        }
        let folder = url.deletingLastPathComponent()
        guard kind(of: folder) == .typeDirectory else {
            throw Failure(
                66,
                "There is no folder \(folder.path) for \(url.lastPathComponent): make it, or name "
                    + "another file with \(option)."
            )
        }
        // Tried out, as a folder has many reasons to refuse.
        let trial = folder.appendingPathComponent(".\(url.lastPathComponent).partial-\(getpid())")
        let file = open(trial.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            let reason = String(cString: strerror(errno))
            throw Failure(
                1,
                "\(url.path) cannot be written: \(reason). Name a file elsewhere with \(option)."
            )
        }
        close(file)
        unlink(trial.path)
    }

    /// What lies at a place, links followed; nil for nothing.
    private static func kind(of url: URL) -> FileAttributeType? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            return nil
        }
        return isFolder.boolValue ? .typeDirectory : .typeRegular
    }
}
