/// Why a report could not be made from a run folder.
///
/// Missing parts of a run are no errors: the report says in the page what is not there.
public struct ReportError: Error, CustomStringConvertible, Sendable {
    /// The kinds of failure.
    public enum Code: Sendable {
        /// The folder does not exist, or nothing in it belongs to a run.
        case notARunFolder
        /// A file of the run cannot be read as what it should be.
        case malformedFile
        /// Nobody has published numbers on a dataset of this name.
        case unknownDataset
        /// The report or one of its figures cannot be written.
        case unwritable
    }

    /// The kind of failure.
    public let code: Code
    /// What happened and where, what was expected, and what to do about it.
    public let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }

    /// A file whose content is not what a run writes.
    static func malformed(_ path: String, _ found: String, remedy: String? = nil) -> ReportError {
        let remedy =
            remedy
            ?? "Restore the file, or remove it and repeat the stage that writes it."
        return ReportError(.malformedFile, "\(path): \(found). \(remedy)")
    }
}
