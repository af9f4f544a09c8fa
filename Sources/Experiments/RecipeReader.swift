import Foundation
import Yams

/// What is wrong with a recipe.
public struct RecipeError: Error, CustomStringConvertible, Sendable {
    /// Where, what was found, what was expected.
    public let description: String

    init(_ description: String) { self.description = description }
}

extension Recipe {
    /// Reads a recipe and applies overrides.
    ///
    /// - Parameters:
    ///   - url: A YAML file with any part of the tree.
    ///   - overrides: `key.path=value`, applied in order.
    /// - Returns: The whole tree, defaults filled in.
    /// - Throws: `RecipeError` for an unreadable file, an unknown key or a value that does not fit.
    public static func read(_ url: URL, overrides: [String] = []) throws(RecipeError) -> Recipe {
        let text: String
        do {
            text = try String(contentsOf: url, encoding: .utf8)
        } catch {
            throw RecipeError(
                "The recipe \(url.path) cannot be read: \(error.localizedDescription)"
            )
        }
        return try read(yaml: text, name: url.lastPathComponent, overrides: overrides)
    }

    /// Reads a recipe from text.
    ///
    /// - Parameters:
    ///   - yaml: Any part of the tree.
    ///   - name: Stands in messages for the file.
    ///   - overrides: `key.path=value`, applied in order.
    /// - Returns: The whole tree, defaults filled in.
    /// - Throws: `RecipeError` for an unknown key or a value that does not fit.
    public static func read(
        yaml: String,
        name: String = "recipe",
        overrides: [String] = []
    ) throws(RecipeError) -> Recipe {
        do {
            var tree = try defaultTree()
            if let given = try Yams.compose(yaml: yaml) {
                try merge(given, into: &tree, path: [], name: name)
            }
            for override in overrides {
                try apply(override, to: &tree)
            }
            let recipe = try YAMLDecoder().decode(Recipe.self, from: tree)
            if recipe.seed < 0 { throw RecipeError("seed: \(recipe.seed) is negative") }
            return recipe
        } catch let error as RecipeError {
            throw error
        } catch let error as DecodingError {
            throw RecipeError("\(name): \(explain(error))")
        } catch {
            throw RecipeError("\(name) is no valid YAML: \(error)")
        }
    }

    /// The whole tree as YAML, keys in the order of the type.
    public func yaml() throws -> String { try YAMLEncoder().encode(self) }

    private static func defaultTree() throws -> Node {
        guard let tree = try Yams.compose(yaml: try Recipe().yaml()) else {
            throw RecipeError("no defaults")
        }
        return tree
    }

    /// Lays given values over the defaults; a key that has no default is an error.
    private static func merge(
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
                "\(name)\(line(of: given)): \(path.isEmpty ? "the recipe" : joined(path)) is a "
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

    /// Applies `a.b=value`.
    private static func apply(_ override: String, to tree: inout Node) throws {
        let parts = override.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw RecipeError("--set \(override): expected key.path=value")
        }
        var value = try Yams.compose(yaml: String(parts[1])) ?? Node("")
        for key in parts[0].split(separator: ".").reversed() {
            value = Node([(Node(String(key)), value)])
        }
        try merge(value, into: &tree, path: [], name: "--set \(override)")
    }

    private static func joined(_ path: [String]) -> String { path.joined(separator: ".") }

    private static func names(_ mapping: Node.Mapping) -> [String] {
        mapping.keys.compactMap(\.string)
    }

    private static func line(of node: Node) -> String {
        node.mark.map { ", line \($0.line)" } ?? ""
    }

    private static func unknown(_ key: String, among known: [String], place: String) -> RecipeError
    {
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
