import Foundation
import Yams

/// What can be fetched: weights and datasets of others, by name.
public struct Manifest: Sendable, Equatable {
    /// Some files that belong together.
    public struct Entry: Codable, Sendable, Equatable {
        /// What they are for.
        public var role: String
        /// Under which terms they may be used.
        public var licence: String
        /// Where they are described.
        public var home: String
        /// Where they go, relative to the folder that is asked for.
        public var folder: String
        /// The files.
        public var files: [File]

        /// Size of all downloads together, in megabytes.
        public var megabytes: Int { files.reduce(0) { $0 + $1.megabytes } }
    }

    /// One download.
    public struct File: Codable, Sendable, Equatable {
        /// Where it comes from.
        public var url: String
        /// What it is called here.
        public var name: String
        /// About how large it is.
        public var megabytes: Int
        /// SHA-256 as 64 hexadecimal digits; nil if nobody has published it.
        public var sha256: String?
        /// Whether it is an archive whose content is wanted.
        public var unpack: Bool?
    }

    /// The entries by name.
    public let entries: [String: Entry]

    /// Reads a manifest.
    ///
    /// - Parameter url: A YAML file.
    /// - Throws: `RunError` if it is missing or malformed.
    public init(contentsOf url: URL) throws {
        guard let text = try? String(contentsOf: url, encoding: .utf8) else {
            throw RunError(.missingFile, "There is no manifest \(url.path).")
        }
        do {
            entries = try YAMLDecoder().decode([String: Entry].self, from: text)
        } catch {
            throw RunError(.invalidSettings, "The manifest \(url.path) cannot be read: \(error)")
        }
        for (name, entry) in entries {
            let names = entry.files.map(\.name) + [entry.folder]
            guard !names.contains(where: { $0.hasPrefix("/") || $0.contains("..") }) else {
                throw RunError(
                    .invalidSettings,
                    "The manifest \(url.path): \(name) would leave the folder it is fetched into."
                )
            }
            for file in entry.files {
                guard let sha256 = file.sha256 else { continue }
                guard sha256.count == 64, sha256.allSatisfy("0123456789abcdef".contains) else {
                    throw RunError(
                        .invalidSettings,
                        "The manifest \(url.path): \(name), \(file.name): sha256 is \"\(sha256)\", "
                            + "expected 64 hexadecimal digits in lower case."
                    )
                }
            }
        }
    }

    /// The manifest that comes with the command.
    public static func installed() throws -> Manifest {
        try Manifest(contentsOf: InstalledFiles.url("Resources/manifest.yaml"))
    }

    /// An entry.
    ///
    /// - Parameter name: Its name.
    /// - Returns: The entry.
    /// - Throws: `RunError` that lists the names there are.
    public func entry(_ name: String) throws -> Entry {
        guard let entry = entries[name] else {
            throw RunError(
                .invalidSettings,
                "There is nothing called \"\(name)\" to fetch: expected "
                    + entries.keys.sorted().joined(separator: ", ") + "."
            )
        }
        return entry
    }

    /// The line that fetches a missing file, if the manifest has it.
    ///
    /// - Parameter path: The file as a recipe names it, for example
    ///   `Weights/DiT-XL-2-256x256.pt`, or the folder it would be in.
    /// - Returns: For example "distill fetch dit-xl-2-256".
    public static func remedy(for path: String) -> String? {
        guard let manifest = try? installed() else { return nil }
        let wanted = URL(fileURLWithPath: path).path
        for (name, entry) in manifest.entries.sorted(by: { $0.key < $1.key }) {
            var places = entry.files.map { "\(entry.folder)/\($0.name)" }
            if entry.folder.contains("/") { places.append(entry.folder) }
            // Names of a tiny autoencoder end where its two files differ.
            places += entry.files.filter { $0.name.hasSuffix("_encoder.safetensors") }
                .map { "\(entry.folder)/\($0.name.dropLast("_encoder.safetensors".count))" }
            // An archive brings a folder of its own name.
            places += entry.files.filter { $0.unpack == true }
                .map { "\(entry.folder)/\(($0.name as NSString).deletingPathExtension)" }
            if places.contains(where: {
                wanted == $0 || wanted.hasSuffix("/\($0)")
                    || wanted.contains("/\($0)/")
            }) {
                return "distill fetch \(name)"
            }
        }
        return nil
    }
}
