import Foundation

/// Reading a whole file without surprises: regular files only, and never more than a limit.
package enum FileBytes {
    /// Why a file's bytes could not be read.
    package enum Problem: Error, Equatable, CustomStringConvertible {
        /// There is no such file.
        case missing
        /// The path leads to a folder, a device or a pipe.
        case notAFile(String)
        /// The system refused; the text is its reason.
        case refused(String)
        /// The file has more bytes than allowed.
        case tooLarge(byteCount: Int, limit: Int)

        /// What was found, as the rest of a sentence that starts with the file.
        package var description: String {
            switch self {
            case .missing: "does not exist"
            case .notAFile(let kind): "is \(kind), not a file"
            case .refused(let reason): "cannot be read (\(reason))"
            case .tooLarge(let byteCount, let limit):
                "has \(byteCount) bytes, more than the limit of \(limit)"
            }
        }
    }

    /// Reads a file into memory.
    ///
    /// - Parameters:
    ///   - path: The file; symbolic links are followed.
    ///   - limit: The largest number of bytes accepted.
    /// - Returns: All bytes.
    /// - Throws: A ``Problem``.
    package static func read(path: String, limit: Int) throws(Problem) -> [UInt8] {
        // Without O_NONBLOCK, opening a pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw problem(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw problem(errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw .notAFile("a folder")
        default: throw .notAFile("a device or pipe")
        }
        let size = Int(status.st_size)
        guard size <= limit else { throw .tooLarge(byteCount: size, limit: limit) }

        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size, let base = buffer.baseAddress {
                let result = Foundation.read(descriptor, base + count, size - count)
                if result < 0, errno == EINTR { continue }
                if result < 0 { failure = errno }
                if result <= 0 { break }
                count += result
            }
        }
        guard failure == 0 else { throw problem(failure) }
        return bytes
    }

    private static func problem(_ code: Int32) -> Problem {
        code == ENOENT || code == ENOTDIR ? .missing : .refused(String(cString: strerror(code)))
    }
}
