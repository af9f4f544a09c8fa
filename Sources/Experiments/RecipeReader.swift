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
        try StrictYAML.reporting(name) {
            try Recipe().changed(by: try Yams.compose(yaml: yaml), name: name, overrides: overrides)
        }
    }

    /// Lays given values over this recipe.
    ///
    /// - Parameters:
    ///   - given: Any part of the tree.
    ///   - path: Where the recipe stands in the file, for messages.
    ///   - name: Stands in messages for the file.
    ///   - overrides: `key.path=value`, applied in order, after the given values.
    /// - Returns: The whole tree.
    /// - Throws: `RecipeError` for an unknown key, `DecodingError` for a value that does not fit.
    func changed(
        by given: Node? = nil,
        path: [String] = [],
        name: String,
        overrides: [String] = []
    ) throws -> Recipe {
        guard var tree = try Yams.compose(yaml: try yaml()) else {
            throw RecipeError("no defaults")
        }
        if let given { try StrictYAML.merge(given, into: &tree, path: path, name: name) }
        for override in overrides { try Recipe.apply(override, to: &tree) }
        let recipe = try YAMLDecoder().decode(Recipe.self, from: tree)
        try recipe.validate()
        return recipe
    }

    /// The whole tree as YAML, keys in the order of the type.
    public func yaml() throws -> String { try YAMLEncoder().encode(self) }

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
        try StrictYAML.merge(value, into: &tree, path: [], name: "--set \(override)")
    }
}
