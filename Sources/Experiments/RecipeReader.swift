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
            let given = try Yams.compose(yaml: yaml)
            if Grid.isGrid(given) {
                throw RecipeError("\(name) is a grid, not a recipe: `distill compare` takes it.")
            }
            return try Recipe().changed(by: given, name: name, overrides: overrides)
        }
    }

    /// Whether a file is a recipe, where a grid was expected.
    static func isRecipe(_ file: Node) throws -> Bool {
        let keys = Set(StrictYAML.names(file)).subtracting(["name"])
        let own = StrictYAML.names(try Yams.compose(yaml: Recipe().yaml()))
        return !keys.isDisjoint(with: own) && keys.isDisjoint(with: Grid.keys)
    }

    /// Lays given values over this recipe.
    ///
    /// - Parameters:
    ///   - given: Any part of the tree.
    ///   - path: Where the recipe stands in the file, for messages.
    ///   - name: Stands in messages for the file.
    ///   - overrides: `key.path=value`, applied in order, after the given values.
    ///   - option: What stands in front of an override, for messages.
    /// - Returns: The whole tree.
    /// - Throws: `RecipeError` for an unknown key or a value that does not fit.
    func changed(
        by given: Node? = nil,
        path: [String] = [],
        name: String,
        overrides: [String] = [],
        option: String = "--set "
    ) throws -> Recipe {
        guard var tree = try Yams.compose(yaml: try yaml()) else {
            throw RecipeError("no defaults")
        }
        let file = StrictYAML.Origin.file(name)
        if let given { try StrictYAML.merge(given, into: &tree, path: path, from: file) }
        let settings = try overrides.map { try SettingOverride($0, option: option) }
        for setting in settings {
            try StrictYAML.merge(setting.tree, into: &tree, from: setting.origin)
        }
        let recipe = try StrictYAML.decode(
            Recipe.self,
            from: tree,
            usual: try? Yams.compose(yaml: Recipe().yaml())
        ) { fault in
            let wrong = StrictYAML.joined(fault.path)
            // The last one that sets it counts.
            guard let setting = settings.last(where: { $0.sets(wrong) }) else {
                return "\(file.place(of: fault.node)): \(StrictYAML.joined(path + fault.path))"
            }
            return setting.origin.name + (setting.path == fault.path ? "" : ": \(wrong)")
        }
        try FolderName.require(recipe.name)
        try recipe.validate()
        return recipe
    }

    /// The whole tree as YAML, keys in the order of the type.
    public func yaml() throws -> String { try YAMLEncoder().encode(self) }
}

/// One `key.path=value`.
struct SettingOverride {
    /// The option, for messages.
    let origin: StrictYAML.Origin
    /// The path of the setting, or of a group.
    let path: [String]
    /// The value as a tree of settings.
    let tree: Node

    /// The paths of all settings that it sets.
    var leaves: [String] { StrictYAML.leaves(of: tree).map(\.path) }

    /// Whether it sets a setting, or something in it.
    func sets(_ path: String) -> Bool {
        leaves.contains { $0 == path || $0.hasPrefix("\(path).") }
    }

    /// Reads it.
    ///
    /// - Parameters:
    ///   - text: `key.path=value`, the value in YAML.
    ///   - option: What stands in front of it, for messages.
    /// - Throws: `RecipeError` if it is none.
    init(_ text: String, option: String = "--set ") throws(RecipeError) {
        origin = .option(option + text)
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !path.contains("") else {
            throw RecipeError(
                "\(option)\(text): expected key.path=value, such as sample.steps=50."
            )
        }
        let value: Node
        do {
            value = try Yams.compose(yaml: String(parts[1])) ?? Node("")
        } catch {
            throw RecipeError(
                "\(option)\(text): the value is no valid YAML. A list is written as [a, b]."
            )
        }
        tree = path.reversed().reduce(value) { Node([(Node($1), $0)]) }
    }
}

/// Names of runs and comparisons, which are names of folders.
enum FolderName {
    /// Makes sure that a name is that of one folder, and does not lead out of `Runs`.
    static func require(_ name: String) throws(RecipeError) {
        guard !name.allSatisfy(\.isWhitespace), name != ".", name != "..",
            !name.contains(where: { $0 == "/" || $0 == "\0" })
        else {
            throw RecipeError(
                "name is \"\(name)\": expected the name of one folder, without a slash. --output "
                    + "names a folder elsewhere."
            )
        }
    }
}
