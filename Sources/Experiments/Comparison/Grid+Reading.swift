import Foundation
import Yams

extension Grid {
    /// Reads a grid.
    ///
    /// - Parameters:
    ///   - url: A YAML file.
    ///   - overrides: `key.path=value` for the recipe, applied in order.
    /// - Returns: The grid, defaults filled in.
    /// - Throws: `RecipeError` for an unreadable file, an unknown key or a value that does not fit,
    ///   `RunError` if there is no such recipe.
    public static func read(_ url: URL, overrides: [String] = []) throws -> Grid {
        let text: String
        do {
            text = try String(contentsOf: url, encoding: .utf8)
        } catch {
            throw RecipeError("The grid \(url.path) cannot be read: \(error.localizedDescription)")
        }
        return try read(yaml: text, name: url.lastPathComponent, overrides: overrides)
    }

    /// Reads a grid from text.
    ///
    /// - Parameters:
    ///   - yaml: The text.
    ///   - name: Stands in messages for the file.
    ///   - overrides: `key.path=value` for the recipe, applied in order.
    /// - Returns: The grid, defaults filled in.
    /// - Throws: `RecipeError` for an unknown key or a value that does not fit, `RunError` if there
    ///   is no such recipe.
    public static func read(
        yaml: String,
        name: String = "grid",
        overrides: [String] = []
    ) throws -> Grid {
        do {
            var grid = Grid()
            if let node = try Yams.compose(yaml: yaml) {
                guard let mapping = node.mapping else {
                    throw RecipeError("expected \(keys.joined(separator: ", ")).")
                }
                if try Recipe.isRecipe(node) {
                    throw RecipeError("\(name) is a recipe, not a grid: `distill run` takes it.")
                }
                for (key, value) in mapping { try grid.set(key, to: value, name: name) }
            }
            for override in overrides { try grid.requireEffect(of: SettingOverride(override)) }
            grid.recipe = try grid.recipe.changed(name: name, overrides: overrides)
            try grid.validate()
            _ = try GridPlan(grid)
            return grid
        } catch let error as RunError {
            throw error
        } catch let error as RecipeError {
            let text = error.description
            let place = text.hasPrefix(name) || text.hasPrefix("--set ") ? "" : "\(name): "
            throw RecipeError(place + text)
        } catch {
            return try StrictYAML.reporting(name) { throw error }
        }
    }

    /// What a grid consists of.
    static let keys = [
        "name", "recipe", "methods", "imagesPerClass", "networks", "epochs", "batchSize",
        "seeds", "vary", "distribution",
    ]

    /// Whether a file is a grid, where a recipe was expected.
    static func isGrid(_ file: Node?) -> Bool {
        let found = Set(StrictYAML.names(file))
        return !found.isDisjoint(with: ["recipe", "methods", "vary", "distribution"])
            && found.isSubset(of: keys)
    }

    /// Makes sure that an override changes something: not what the grid itself has a list for.
    private func requireEffect(of override: SettingOverride) throws(RecipeError) {
        for path in override.leaves {
            try GridPlan.requireFree(path, at: override.origin.name)
            guard path == "evaluate.epochs" else { continue }
            let isListed = networks.allSatisfy { network in
                imagesPerClass.allSatisfy { epochs[network]?.number(imagesPerClass: $0) != nil }
            }
            guard !isListed else {
                throw RecipeError(
                    "\(override.origin.name): epochs of the grid sets them for every network: "
                        + "change them there."
                )
            }
        }
    }

    private mutating func set(_ key: Node, to value: Node, name: String) throws {
        let file = StrictYAML.Origin.file(name)
        func decoded<Value: Decodable>(_ type: Value.Type, expected: String) throws -> Value {
            do {
                return try YAMLDecoder().decode(type, from: value)
            } catch {
                throw RecipeError(
                    "\(file.place(of: value)): \(key.string ?? ""): expected \(expected), found "
                        + "\(SettingFault.words(for: value))."
                )
            }
        }
        switch key.string ?? "" {
        case "name": self.name = try decoded(String.self, expected: "a name")
        case "recipe": recipe = try Grid.recipe(value, name: name)
        case "methods":
            methods = try decoded(
                [String].self,
                expected: "a list of methods, such as [random, minimax]"
            )
        case "imagesPerClass":
            imagesPerClass = try decoded(
                [Int].self,
                expected: "a list of whole numbers, such as [10, 50]"
            )
        case "networks":
            networks = try decoded(
                [String].self,
                expected: "a list of networks, such as [convnet-3, resnet-18]"
            )
        case "epochs":
            epochs = try decoded(
                [String: Epochs].self,
                expected: "networks with numbers, such as {resnet-18: 40}, or {resnet-18: {10: 40, "
                    + "50: 20}} by images per class"
            )
        case "batchSize":
            batchSize = try decoded(
                [String: Int].self,
                expected: "networks with numbers, such as {resnet-18: 16}"
            )
        case "seeds":
            seeds = try decoded(
                [Int].self,
                expected: "a list of whole numbers, such as [0, 1, 2]"
            )
        case "vary": vary = try Grid.groups(value, name: name)
        case "distribution":
            let usual = try Yams.compose(yaml: YAMLEncoder().encode(distribution)) ?? Node("")
            var tree = usual
            try StrictYAML.merge(value, into: &tree, path: ["distribution"], from: file)
            distribution = try StrictYAML.decode(Distribution.self, from: tree, usual: usual) {
                let path = StrictYAML.joined(["distribution"] + $0.path)
                return "\(file.place(of: $0.node)): \(path)"
            }
        default:
            let settings = try StrictYAML.Settings(tree: Grid.allSettings())
            throw settings.unknown([key.string ?? "?"], place: file.place(of: key))
        }
    }

    /// The keys, with the settings of the groups.
    private static func allSettings() throws -> Node {
        let groups = try [
            "recipe": Recipe().yaml(), "distribution": YAMLEncoder().encode(Distribution()),
        ]
        let pairs: [(Node, Node)] = try keys.map { key in
            let group = try groups[key].flatMap { try Yams.compose(yaml: $0) }
            return (Node(key), group ?? Node(""))
        }
        return Node(pairs)
    }

    /// A path, or settings that are laid over the defaults or over the recipe that `from` names.
    private static func recipe(_ node: Node, name: String) throws -> Recipe {
        if let path = node.scalar?.string { return try recipe(at: path, name: name) }
        let file = StrictYAML.Origin.file(name)
        guard var mapping = node.mapping else {
            throw RecipeError(
                "\(file.place(of: node)): recipe: expected the path of a recipe, or settings."
            )
        }
        var base = Recipe()
        if let from = mapping["from"] {
            base = try recipe(at: from.string ?? "", name: name)
            mapping["from"] = nil
        }
        if !isResolved(mapping) {
            for leaf in StrictYAML.leaves(of: .mapping(mapping)) {
                try GridPlan.requireFree(
                    leaf.path,
                    at: "\(file.place(of: leaf.node)): recipe.\(leaf.path)"
                )
            }
        }
        return try base.changed(by: .mapping(mapping), path: ["recipe"], name: name)
    }

    /// Whether a recipe is one of `grid.resolved.yaml`, which says everything: its lists are those
    /// of the recipe that it was made from, and mean nothing.
    private static func isResolved(_ recipe: Node.Mapping) -> Bool {
        Set(StrictYAML.names(.mapping(recipe))).isSuperset(of: [
            "name", "seed", "data", "model", "pretrain", "finetune", "sample", "baselines",
            "evaluate",
        ])
    }

    private static func recipe(at path: String, name: String) throws -> Recipe {
        let url = InstalledFiles.url(path)
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw RunError(.missingFile, "\(name): recipe: there is no recipe \(url.path).")
        }
        return try Recipe.read(url)
    }

    /// One group, or a list of groups.
    private static func groups(_ node: Node, name: String) throws -> [[VariedOption]] {
        let file = StrictYAML.Origin.file(name)
        let nodes = node.sequence.map(Array.init) ?? [node]
        return try nodes.map { group in
            guard let mapping = group.mapping else {
                throw RecipeError(
                    "\(file.place(of: group)): vary: expected settings with lists of values, such "
                        + "as sample.guidance: [1, 2, 4]."
                )
            }
            return try mapping.map { key, values in
                let path = key.string ?? ""
                guard let list = values.sequence, !list.isEmpty else {
                    throw RecipeError(
                        "\(file.place(of: values)): vary.\(path): expected a list of values, such "
                            + "as [0.001, 0.002]."
                    )
                }
                return VariedOption(
                    path: path,
                    values: try list.map { value in
                        try value.scalar?.string
                            ?? Yams.serialize(node: value, width: -1)
                            .trimmingCharacters(in: .whitespacesAndNewlines)
                    }
                )
            }
        }
    }

    /// The whole grid as YAML, every value of the recipe in it.
    ///
    /// - Returns: What `read` makes the same grid of.
    public func yaml() throws -> String {
        func list(_ values: [String]) -> Node {
            Node(values.map { Node($0) }, .implicit, .flow)
        }
        var pairs: [(Node, Node)] = [
            (Node("name"), Node(name)),
            (Node("methods"), list(methods)),
            (Node("imagesPerClass"), list(imagesPerClass.map(String.init))),
            (Node("networks"), list(networks)),
            (Node("seeds"), list(seeds.map(String.init))),
        ]
        if !epochs.isEmpty {
            let numbers = epochs.sorted { $0.key < $1.key }
            pairs.append((Node("epochs"), Node(numbers.map { (Node($0.key), $0.value.node) })))
        }
        if !batchSize.isEmpty {
            let sizes = batchSize.sorted { $0.key < $1.key }
            pairs.append((Node("batchSize"), Node(sizes.map { (Node($0), Node("\($1)")) })))
        }
        if !vary.isEmpty {
            let groups = vary.map { group in
                Node(group.map { (Node($0.path), list($0.values)) })
            }
            pairs.append((Node("vary"), Node(groups)))
        }
        for (key, text) in [
            ("distribution", try YAMLEncoder().encode(distribution)),
            ("recipe", try recipe.yaml()),
        ] {
            if let node = try Yams.compose(yaml: text) { pairs.append((Node(key), node)) }
        }
        return try Yams.serialize(node: Node(pairs), width: -1)
    }
}

extension Grid.Epochs: Decodable {
    /// A number, or numbers by images per class.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            self = .always(number)
        } else {
            self = .byImagesPerClass(try container.decode([Int: Int].self))
        }
    }

    fileprivate var node: Node {
        switch self {
        case .always(let number): Node("\(number)")
        case .byImagesPerClass(let numbers):
            Node(
                numbers.sorted { $0.key < $1.key }.map { (Node("\($0.key)"), Node("\($0.value)")) },
                .implicit,
                .flow
            )
        }
    }
}
