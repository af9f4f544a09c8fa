import Yams

/// YAML in which every key must be known: values are laid over a tree of defaults.
enum StrictYAML {
    /// Where settings come from, for messages.
    struct Origin {
        /// A file, or an option with its value.
        let name: String
        private let hasLines: Bool

        /// A file, or a text with the name of one.
        static func file(_ name: String) -> Origin { Origin(name: name, hasLines: true) }

        /// An option with its value, for example `--set seed=3`.
        static func option(_ text: String) -> Origin { Origin(name: text, hasLines: false) }

        /// The name, with the line in a file.
        func place(of node: Node?) -> String {
            guard hasLines, let mark = node?.mark else { return name }
            return "\(name), line \(mark.line)"
        }
    }

    /// A tree of all settings there are.
    struct Settings {
        let tree: Node
        /// The group that the tree is, for messages.
        var path: [String] = []
    }

    /// Turns whatever goes wrong with a file into one message.
    static func reporting<Value>(
        _ name: String,
        _ body: () throws -> Value
    ) throws(RecipeError) -> Value {
        do {
            return try body()
        } catch let error as RecipeError {
            throw error
        } catch {
            throw RecipeError("\(name) is no valid YAML: \(error)")
        }
    }

    /// Lays given values over the defaults; a key that has no default is an error.
    ///
    /// - Parameters:
    ///   - given: The values.
    ///   - tree: The defaults.
    ///   - path: The group that the tree is, for messages.
    ///   - origin: Where the values come from.
    /// - Throws: `RecipeError` for an unknown key, and for a value where a group should be.
    static func merge(
        _ given: Node,
        into tree: inout Node,
        path: [String] = [],
        from origin: Origin
    ) throws(RecipeError) {
        let settings = Settings(tree: tree, path: path)
        try merge(given, into: &tree, at: path, of: settings, from: origin)
    }

    private static func merge(
        _ given: Node,
        into tree: inout Node,
        at path: [String],
        of settings: Settings,
        from origin: Origin
    ) throws(RecipeError) {
        guard var defaults = tree.mapping else {
            tree = given
            return
        }
        guard let mapping = given.mapping else {
            throw RecipeError(
                "\(origin.place(of: given)): \(path.isEmpty ? "the file" : joined(path)) is a "
                    + "group of settings (\(names(tree).joined(separator: ", "))), found a "
                    + "single value."
            )
        }
        for (key, value) in mapping {
            guard let name = key.string, var child = defaults[key] else {
                throw settings.unknown(
                    path + [key.string ?? "?"],
                    place: origin.place(of: key)
                )
            }
            try merge(value, into: &child, at: path + [name], of: settings, from: origin)
            defaults[key] = child
        }
        tree = .mapping(defaults)
    }

    /// Decodes a tree of settings.
    ///
    /// - Parameters:
    ///   - type: What the tree is.
    ///   - tree: The tree.
    ///   - usual: A tree with values that fit, for examples in messages.
    ///   - place: Where a value that does not fit stands.
    /// - Returns: The value.
    /// - Throws: `RecipeError` that says what does not fit, and what would.
    static func decode<Value: Decodable>(
        _ type: Value.Type,
        from tree: Node,
        usual: @autoclosure () -> Node?,
        place: (SettingFault) -> String
    ) throws -> Value {
        do {
            return try YAMLDecoder().decode(type, from: tree)
        } catch let error as DecodingError {
            let fault = SettingFault(error, in: tree, usual: usual())
            throw RecipeError("\(place(fault)): \(fault.description)")
        }
    }

    /// Everything in a tree that is not a group, with its path.
    static func leaves(of node: Node, path: [String] = []) -> [(path: String, node: Node)] {
        guard let mapping = node.mapping, !mapping.isEmpty else { return [(joined(path), node)] }
        return mapping.flatMap { leaves(of: $0.value, path: path + [$0.key.string ?? "?"]) }
    }

    /// A path as people write it.
    static func joined(_ path: [String]) -> String { path.joined(separator: ".") }

    /// The keys of a group; none of anything else.
    static func names(_ node: Node?) -> [String] {
        guard let mapping = node?.mapping else { return [] }
        return mapping.keys.compactMap(\.string)
    }

    /// "a, b and c".
    static func listed(_ items: [String], _ word: String) -> String {
        guard items.count > 1, let last = items.last else { return items.joined() }
        return items.dropLast().joined(separator: ", ") + " \(word) \(last)"
    }

    /// The number of letters to insert, delete or replace (Levenshtein).
    fileprivate static func distance(_ a: String, _ b: String) -> Int {
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
}

extension StrictYAML.Settings {
    /// The error for a key that does not exist, with the one that was perhaps meant.
    ///
    /// - Parameters:
    ///   - key: Its path.
    ///   - place: Where it stands.
    /// - Returns: What to throw.
    func unknown(_ key: [String], place: String) -> RecipeError {
        let name = key.last ?? ""
        let group = Array(key.dropLast())
        let all = paths(tree, path).map {
            (path: $0, distance: StrictYAML.distance($0.last ?? "", name))
        }
        // A third of the letters may be wrong, and never more than three.
        let reach = min(3, (name.count + 2) / 3)
        func isHere(_ path: [String]) -> Bool {
            path.count == key.count && path.starts(with: group)
        }
        let known = all.filter { isHere($0.path) }
        let nearest = known.filter { $0.distance <= reach }.min { $0.distance < $1.distance }
            .flatMap { $0.path.last }
        // Beside a name that is nearly right only the very same one counts elsewhere.
        let others = all.filter { !isHere($0.path) }
        let least = others.map(\.distance).min() ?? 0
        let limit = nearest == nil ? min(max(1, least), reach) : 0
        let elsewhere = others.filter { $0.distance <= limit }.map { StrictYAML.joined($0.path) }
        var text = "\(place): there is no setting \(StrictYAML.joined(key))"
        if elsewhere.isEmpty {
            text += "." + (nearest.map { " Did you mean \($0)?" } ?? "")
            text += " Known here: \(known.compactMap(\.path.last).joined(separator: ", "))."
        } else {
            text += group.isEmpty ? " at the top level" : ""
            text += "; there \(elsewhere.count == 1 ? "is" : "are") "
            text += StrictYAML.listed(elsewhere, "and") + "."
            text += nearest.map { " Or did you mean \($0)?" } ?? ""
        }
        return RecipeError(text)
    }

    /// The paths of all settings and groups.
    private func paths(_ node: Node, _ path: [String]) -> [[String]] {
        guard let mapping = node.mapping else { return [] }
        return mapping.flatMap { key, value -> [[String]] in
            let own = path + [key.string ?? "?"]
            return [own] + paths(value, own)
        }
    }
}
