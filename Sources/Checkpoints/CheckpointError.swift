import Foundation

/// Why a file of tensors could not be read or written.
public struct CheckpointError: Error, CustomStringConvertible, Sendable {
    /// The kinds of failure.
    public enum Code: Sendable {
        /// There is no such file.
        case notFound
        /// The file exists, but the system does not let this program read it.
        case unreadable
        /// The file's bytes break the rules of its format.
        case malformed
        /// The file is valid, but uses something that this package cannot hold.
        case unsupported
        /// The folder or the file cannot be written.
        case unwritable
        /// The disk, or this user's share of it, is full.
        case diskFull
    }

    /// The kind of failure.
    public let code: Code
    /// Path of the file.
    public let file: String
    /// What is wrong: the place in the file, what was expected and what was found.
    public let reason: String
    /// What to do about it.
    public let remedy: String

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - file: Path of the file.
    ///   - reason: What is wrong, a sentence.
    ///   - remedy: What to do about it, a sentence.
    public init(_ code: Code, file: String, _ reason: String, remedy: String) {
        self.code = code
        self.file = file
        self.reason = reason
        self.remedy = remedy
    }

    /// File, reason and remedy as one paragraph.
    public var message: String { "\(file): \(reason) \(remedy)" }

    /// The same as `message`.
    public var description: String { message }
}

extension CheckpointError {
    /// The bytes of a file break the rules of its format.
    package static func malformed(_ file: String, _ reason: String) -> CheckpointError {
        CheckpointError(
            .malformed,
            file: file,
            reason,
            remedy: "The file is damaged or incomplete: copy or download it again."
        )
    }

    /// A call of the system failed while a file was opened or read.
    package static func reading(_ file: String, errno number: Int32) -> CheckpointError {
        let system = String(cString: strerror(number))
        if number == ENOENT || number == ENOTDIR {
            return CheckpointError(
                .notFound,
                file: file,
                "There is no such file.",
                remedy: "Check the path."
            )
        }
        return CheckpointError(
            .unreadable,
            file: file,
            "The file cannot be read: \(system).",
            remedy: "Check its permissions and the disk."
        )
    }

    /// A call of the system failed while a file was written.
    package static func writing(_ file: String, errno number: Int32) -> CheckpointError {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
        switch number {
        case ENOSPC, EDQUOT:
            return CheckpointError(
                .diskFull,
                file: file,
                "The file could not be written: the disk that holds \(folder) is full.",
                remedy: "An older file of this name is unchanged. Free some space and go on."
            )
        case EFBIG:
            return CheckpointError(
                .diskFull,
                file: file,
                "The file could not be written: it is larger than files may be here.",
                remedy: "An older file of this name is unchanged. Raise the limit (ulimit -f), or "
                    + "choose another disk, and go on."
            )
        case ENOENT, ENOTDIR:
            return CheckpointError(
                .unwritable,
                file: file,
                "The file could not be written: there is no folder \(folder).",
                remedy: "Make the folder first, or check the path."
            )
        default:
            return CheckpointError(
                .unwritable,
                file: file,
                "The file could not be written: \(String(cString: strerror(number))).",
                remedy: "Check the permissions of \(folder), or choose another folder."
            )
        }
    }
}
