import Checkpoints
import Datasets
import Foundation

/// What is wrong with a run folder.
public struct RunError: Error, CustomStringConvertible, Sendable {
    /// The kinds of failure.
    public enum Code: Sendable {
        /// The folder belongs to another recipe.
        case otherRecipe
        /// Another process works in the folder.
        case locked
        /// Files of the folder are missing or cannot be read or written.
        case unusable
        /// A file of the folder is damaged.
        case malformed
        /// Settings do not fit each other or the data.
        case invalidSettings
        /// A file that the recipe names is not there.
        case missingFile
    }

    /// The kind of failure.
    public let code: Code
    /// What happened, and what to do about it.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// The folder of one run.
///
/// It belongs to one resolved recipe, and to one process at a time.
public final class RunFolder {
    /// Where it is.
    public let url: URL
    private let lock: FolderLock

    /// Opens a folder for work and makes it if needed.
    ///
    /// - Parameters:
    ///   - url: The folder.
    ///   - recipe: What the run is determined by; it is written if the folder is new.
    /// - Throws: `RunError` if the folder belongs to another recipe or to a comparison, or another
    ///   process works in it. A folder in which nothing was made yet, as after a refused command, belongs to none.
    public init(_ url: URL, for recipe: Recipe) throws {
        self.url = url
        let grid = url.appendingPathComponent("grid.resolved.yaml")
        guard !FileManager.default.fileExists(atPath: grid.path) else {
            throw RunError(
                .otherRecipe,
                "The folder \(url.path) holds a comparison. Use another --output for the run."
            )
        }
        let text = try recipe.yaml()
        let resolved = url.appendingPathComponent("recipe.resolved.yaml")
        // Read before anything is touched. A run of an older version lacks settings that came
        // later: it goes on with their defaults.
        let old = try RunFolder.text(resolved)
        let isOther =
            old.map {
                $0 != text && (try? Recipe.read(yaml: $0))?.forResults != recipe.forResults
            } ?? false
        if let old, isOther, !RunFolder.isUntouched(url) {
            do {
                _ = try Recipe.read(yaml: old)
            } catch {
                throw RunError(
                    .malformed,
                    "\(resolved.path) is damaged, or of another version: \(error) Restore it, or use "
                        + "another --output."
                )
            }
            throw RunError(
                .otherRecipe,
                "The run folder \(url.path) belongs to another recipe. These settings differ:\n"
                    + RunFolder.differences(old, text).joined(separator: "\n")
                    + "\nUse another --output, the same settings, or --fresh to start anew beside it."
            )
        }
        try OutputFolder.make(url.appendingPathComponent("checkpoints"))
        lock = try FolderLock(url)
        // A killed process may have left half a file behind.
        AtomicFile.removeLeftovers(in: url)
        AtomicFile.removeLeftovers(in: url.appendingPathComponent("checkpoints"))
        if old != text {
            if isOther { try? FileManager.default.removeItem(at: path("provenance.json")) }
            try write(Data(text.utf8), to: "recipe.resolved.yaml")
        }
    }

    /// The text of a file of settings; nil if there is none.
    ///
    /// - Throws: `RunError` if it cannot be read, so that nobody takes its folder for an empty one.
    static func text(_ url: URL) throws -> String? {
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        do {
            return try String(contentsOf: url, encoding: .utf8)
        } catch {
            throw RunError(
                .malformed,
                "\(url.path) cannot be read or is damaged (\(error.localizedDescription)). Restore it, "
                    + "or use another --output."
            )
        }
    }

    /// Whether a folder holds nothing but what opening it makes.
    private static func isUntouched(_ url: URL) -> Bool {
        func names(_ folder: URL) -> [String] {
            (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        }
        let opened: Set = [
            ".lock", "checkpoints", "metrics.jsonl", "provenance.json", "recipe.resolved.yaml",
        ]
        let metrics = url.appendingPathComponent("metrics.jsonl").path
        let size = (try? FileManager.default.attributesOfItem(atPath: metrics))?[.size] as? Int
        return opened.isSuperset(of: names(url)) && (size ?? 0) == 0
            && names(url.appendingPathComponent("checkpoints")).isEmpty
    }

    /// A path inside the folder.
    public func path(_ name: String) -> URL { url.appendingPathComponent(name) }

    /// Whether a file is there.
    public func has(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: path(name).path)
    }

    /// Makes the folder that a file is to lie in.
    func makeFolder(of name: String) throws {
        let parent = path(name).deletingLastPathComponent()
        try OutputFolder.make(parent)
        AtomicFile.removeLeftovers(in: parent)
    }

    /// Writes a file so that a reader sees all of it or nothing.
    public func write(_ data: Data, to name: String) throws {
        try AtomicFile.write(data, to: path(name))
    }

    /// Writes a value as JSON with sorted keys.
    public func write(json value: some Encodable, to name: String) throws {
        try write(ReadableJSON.data(value), to: name)
    }

    /// Reads a JSON file; nil if it is not there.
    public func read<Value: Decodable>(json name: String, as type: Value.Type) throws -> Value? {
        guard has(name) else { return nil }
        do {
            return try JSONDecoder().decode(type, from: Data(contentsOf: path(name)))
        } catch {
            throw RunError(
                .malformed,
                "\(path(name).path) is damaged. Restore it, or move it away: what it tells of is then "
                    + "computed again."
            )
        }
    }

    /// The lines in which two resolved recipes differ.
    static func differences(_ old: String, _ new: String) -> [String] {
        let before = leaves(old)
        let after = leaves(new)
        return Set(before.keys).union(after.keys).sorted().compactMap { key in
            before[key] == after[key]
                ? nil : "  \(key): \(before[key] ?? "-") there, \(after[key] ?? "-") here"
        }
    }

    /// `a.b` → value for YAML as the encoder writes it: two spaces a level.
    static func leaves(_ yaml: String) -> [String: String] {
        var path = [String]()
        var result = [String: String]()
        for line in yaml.split(separator: "\n") {
            let depth = line.prefix { $0 == " " }.count / 2
            let body = line.drop { $0 == " " }
            guard let colon = body.firstIndex(of: ":"), !body.hasPrefix("- ") else {
                result[path.joined(separator: "."), default: ""] += "\(body) "
                continue
            }
            path = Array(path.prefix(depth)) + [String(body[..<colon])]
            let value = body[body.index(after: colon)...].drop { $0 == " " }
            if !value.isEmpty { result[path.joined(separator: ".")] = String(value) }
        }
        return result
    }
}
