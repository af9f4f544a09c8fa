import Foundation

/// Where the run comes from: its recipe, what it ran on, and the command that repeats it.
struct ProvenanceSection {
    struct Entry {
        var key: String
        var value: String
    }

    struct Table {
        struct Row {
            var cells: [String]
        }

        var title: String
        var columns: [String]
        var rows: [Row]
    }

    var recipe: String?
    /// The command line that was typed, where it was recorded.
    var command: String?
    /// The command that repeats the run from the values it used.
    var repeatCommand: String?
    var rebuildCommand: String
    var entries: [Entry]
    var tables: [Table]
    var hasEntries = false

    private static let order = [
        "version", "commit", "libtorch", "device", "threads", "precision", "startedAt", "seeds",
        "arguments",
    ]

    init(_ run: RunFolder) {
        let path = run.url.relativePath
        recipe = run.recipe.map { $0.trimmingCharacters(in: .newlines) }
        if recipe != nil {
            let options = ["precision", "threads"].compactMap { name in
                run.provenance?[name].map { " --\(name) \(ShellWord.quoted($0.text))" }
            }
            repeatCommand =
                "distill run \(ShellWord.quoted(path + "/recipe.resolved.yaml")) --fresh"
                + options.joined()
        }
        rebuildCommand = "distill report \(ShellWord.quoted(path))"
        let arguments = run.provenance?["arguments"]?.array?.map(\.text) ?? []
        if !arguments.isEmpty { command = Self.commandLine(arguments) }

        entries = []
        tables = []
        guard case .object(let members) = run.provenance else { return }
        let keys = members.keys.sorted {
            let ranks = [$0, $1].map { Self.order.firstIndex(of: $0) ?? Self.order.count }
            return (ranks[0], $0) < (ranks[1], $1)
        }
        hasEntries = !keys.isEmpty
        for key in keys {
            guard let value = members[key] else { continue }
            if let table = Self.table(key, value) {
                tables.append(table)
            } else if key == "arguments", let command {
                entries.append(Entry(key: "Arguments", value: command))
            } else {
                entries.append(Entry(key: Names.key(key), value: value.text))
            }
        }
    }

    /// A list of objects is shown as a table with a column for each key.
    private static func table(_ key: String, _ value: JSONValue) -> Table? {
        guard let elements = value.array, !elements.isEmpty else { return nil }
        var keys: Set<String> = []
        for element in elements {
            guard case .object(let members) = element else { return nil }
            keys.formUnion(members.keys)
        }
        let preferred = ["role", "name", "path", "images", "fingerprint"]
        let columns = keys.sorted {
            let ranks = [$0, $1].map { preferred.firstIndex(of: $0) ?? preferred.count }
            return (ranks[0], $0) < (ranks[1], $1)
        }
        return Table(
            title: Names.key(key),
            columns: columns.map(Names.key),
            rows: elements.map { element in
                .init(cells: columns.map { element[$0]?.text ?? "–" })
            }
        )
    }

    private static func commandLine(_ arguments: [String]) -> String {
        var arguments = arguments
        // The program may have been called by its path.
        if let program = arguments.first?.split(separator: "/").last, program == "distill" {
            arguments[0] = "distill"
        } else {
            arguments.insert("distill", at: 0)
        }
        return arguments.map(ShellWord.quoted).joined(separator: " ")
    }
}
