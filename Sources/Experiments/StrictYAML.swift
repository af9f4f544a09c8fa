import Yams

/// YAML in which every key must be known: values are laid over a tree of defaults.
enum StrictYAML {
    /// Turns whatever goes wrong with a file into one message.
    static func reporting<Value>(
        _ name: String,
        _ body: () throws -> Value
    ) throws(RecipeError) -> Value {
        do {
            return try body()
        } catch let error as RecipeError {
            throw error
        } catch let error as DecodingError {
            throw RecipeError("\(name): \(explain(error))")
        } catch {
            throw RecipeError("\(name) is no valid YAML: \(error)")
        }
    }

    /// Lays given values over the defaults; a key that has no default is an error.
    static func merge(
        _ given: Node,
        into tree: inout Node,
        path: [String],
        name: String
    ) throws {
        guard var defaults = tree.mapping else {
            tree = given
            return
        }
        guard let mapping = given.mapping else {
            throw RecipeError(
                "\(name)\(line(of: given)): \(path.isEmpty ? "the file" : joined(path)) is a "
                    + "group of settings (\(names(defaults).joined(separator: ", "))), found a "
                    + "single value."
            )
        }
        for (key, value) in mapping {
            guard let keyName = key.string, var child = defaults[key] else {
                throw unknown(
                    joined(path + [key.string ?? "?"]),
                    among: names(defaults),
                    place: "\(name)\(line(of: key))"
                )
            }
            try merge(value, into: &child, path: path + [keyName], name: name)
            defaults[key] = child
        }
        tree = .mapping(defaults)
    }

    private static func joined(_ path: [String]) -> String { path.joined(separator: ".") }

    private static func names(_ mapping: Node.Mapping) -> [String] {
        mapping.keys.compactMap(\.string)
    }

    static func line(of node: Node) -> String {
        node.mark.map { ", line \($0.line)" } ?? ""
    }

    /// The error for a key that does not exist, with the one that was perhaps meant.
    static func unknown(_ key: String, among known: [String], place: String) -> RecipeError {
        let last = key.split(separator: ".").last.map(String.init) ?? key
        let nearest = known.min { distance($0, last) < distance($1, last) }
        let hint = nearest.map { " Did you mean \($0)?" } ?? ""
        return RecipeError(
            "\(place): there is no setting \(key).\(hint) Known here: "
                + known.joined(separator: ", ") + "."
        )
    }

    /// The number of letters to insert, delete or replace (Levenshtein).
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.lowercased()), Array(b.lowercased()))
        var row = Array(0...b.count)
        for (i, letter) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in b.enumerated() {
                let replaced = diagonal + (letter == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }

    /// What is wrong with a value, and where.
    private static func explain(_ error: DecodingError) -> String {
        let (context, what): (DecodingError.Context, String) =
            switch error {
            case .typeMismatch(let type, let context): (context, "expected \(type)")
            case .valueNotFound(let type, let context): (context, "expected \(type), found nothing")
            case .keyNotFound(let key, let context): (context, "\(key.stringValue) is missing")
            case .dataCorrupted(let context): (context, context.debugDescription)
            @unknown default:
                (
                    DecodingError.Context(codingPath: [], debugDescription: ""), "\(error)"
                )
            }
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return "\(path): \(what)"
    }
}
