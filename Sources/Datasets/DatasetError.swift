import Foundation

/// Why a dataset cannot be used.
public struct DatasetError: Error, Sendable {
    /// The kind of fault.
    public enum Code: String, Sendable {
        /// A file or folder does not exist.
        case missingFile
        /// A file exists but cannot be read.
        case unreadableFile
        /// A file breaks the rules of its format, or its parts contradict each other.
        case malformed
        /// A file ends too early.
        case truncated
        /// There are no class folders, or no classes at all.
        case noClasses
        /// A class has no images.
        case emptyClass
        /// A class has fewer images than needed.
        case tooFewImages
        /// A class that was asked for is not there, or two datasets have different classes.
        case differentClasses
        /// A class name cannot be used as a folder name.
        case badClassName
        /// Images cannot be decoded.
        case unreadableImages
        /// Images have different sizes or channels where one is needed.
        case differentSizes
        /// A written dataset is not complete.
        case incomplete
        /// A latent cache was made of other images, by another autoencoder or in another way.
        case otherLatents
        /// Numbers that should be finite are not.
        case notFinite
        /// A folder or file cannot be written.
        case notWritable
        /// The disk, or the user's share of it, is full.
        case diskFull
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

extension DatasetError: CustomStringConvertible, LocalizedError {
    /// The message.
    public var description: String { message }

    /// The message.
    public var errorDescription: String? { message }
}
