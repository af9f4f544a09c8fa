import Foundation

/// Why an image could not be read or written.
public struct ImageError: Error, Sendable {
    /// The kind of fault.
    public enum Code: String, Sendable {
        /// There is no such file.
        case missingFile
        /// The file exists but cannot be read (permissions, a folder, an input error).
        case unreadableFile
        /// The bytes are no image, or of a format that is not read here.
        case unsupportedFormat
        /// The bytes break the rules of their format.
        case malformed
        /// The bytes end too early.
        case truncated
        /// The picture or the file is larger than the limit.
        case tooLarge
        /// There is not enough memory for the picture.
        case outOfMemory
    }

    /// The kind of fault.
    public let code: Code

    /// One paragraph: the file, what was expected and found, and the remedy.
    public let message: String

    /// The error behind this one, if there is one.
    public let cause: (any Error)?

    /// The line of code that noticed the fault, as `Module/File.swift:line`.
    public let location: String

    package init(
        _ code: Code,
        _ message: String,
        cause: (any Error)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.cause = cause
        self.location = "\(file):\(line)"
    }
}

extension ImageError: CustomStringConvertible, LocalizedError {
    /// The message.
    public var description: String { message }

    /// The message.
    public var errorDescription: String? { message }
}
