import Foundation

/// The classes of an experiment: folder, label of the model, name.
///
/// A list is a file of tab-separated columns `wnid`, `label`, `name` with a line of headings;
/// lines that begin with `#` are comments. Its order is the order of the classes of the
/// experiment, and its labels are those of a model trained on all of ImageNet-1K: so a folder that
/// holds only a subset's classes still gets the right ones.
public struct ClassList: Sendable, Equatable {
    /// One class.
    public struct Entry: Sendable, Equatable {
        /// The WordNet id, which is the name of the folder: `n02096294`.
        public let wnid: String
        /// The label of a model trained on ImageNet-1K, 0 to 999.
        public let label: Int
        /// What people call it.
        public let name: String
    }

    /// What the list is called, for messages.
    public let name: String
    /// The classes in the order of the experiment.
    public let entries: [Entry]

    /// Reads a list.
    ///
    /// - Parameter url: The file.
    /// - Throws: ``DatasetError`` if it is missing, has other columns or lists a class twice.
    public init(contentsOf url: URL) throws {
        guard let text = try? String(contentsOf: url, encoding: .utf8) else {
            throw DatasetError(
                .missingFile,
                "There is no list of classes \(url.path), or it cannot be read."
            )
        }
        name = url.deletingPathExtension().lastPathComponent
        let lines = text.split(whereSeparator: \.isNewline).enumerated()
            .filter { !$1.hasPrefix("#") }
        guard lines.first?.element == "wnid\tlabel\tname" else {
            throw DatasetError(
                .malformed,
                "\(url.path): a list of classes begins with the columns wnid, label, name, "
                    + "separated by tabs."
            )
        }
        entries = try lines.dropFirst().map { number, line in
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard columns.count == 3, let label = Int(columns[1]), label >= 0 else {
                throw DatasetError(
                    .malformed,
                    "\(url.path), line \(number + 1): expected a folder, a label and a name, "
                        + "separated by tabs; found \"\(line)\"."
                )
            }
            return Entry(wnid: String(columns[0]), label: label, name: String(columns[2]))
        }
        try ClassNames.validate(entries.map(\.wnid), of: url.path)
        let labels = entries.map(\.label)
        guard Set(labels).count == labels.count else {
            throw DatasetError(.malformed, "\(url.path): two classes have the same label.")
        }
    }

    /// The names of the folders, in the order of the experiment.
    public var folders: [String] { entries.map(\.wnid) }

    /// The labels of the model for a dataset's classes.
    ///
    /// - Parameter classNames: The names of the dataset's folders.
    /// - Returns: One label each.
    /// - Throws: ``DatasetError`` naming the folders that are not on the list.
    public func labels(of classNames: [String]) throws -> [Int] {
        let place = Dictionary(uniqueKeysWithValues: entries.map { ($0.wnid, $0.label) })
        let strangers = classNames.filter { place[$0] == nil }
        guard strangers.isEmpty else {
            throw DatasetError(
                .differentClasses,
                "The list of classes \(name) has no \(someOf(strangers)). Its folders are named by "
                    + "WordNet id, such as \(entries.first?.wnid ?? "n02096294")."
            )
        }
        return classNames.map { place[$0] ?? 0 }
    }
}
