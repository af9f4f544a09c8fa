/// The names of a checkpoint as an outline: names with common beginnings share a line, and blocks
/// of equal structure are told once, `blocks.0…27`.
package struct KeyTree {
    private struct Node {
        var name: String
        /// What stands between this name and those below.
        var separator = ""
        var tensor: String?
        var children = [Node]()

        /// Everything below, as one text: equal for blocks of equal structure.
        var structure: String {
            (tensor ?? "") + separator
                + "{" + children.map { "\($0.name)\($0.structure)" }.joined(separator: ",") + "}"
        }
    }

    /// Deepest level; the rest of a name is one part.
    private static let deepest = 12
    private let roots: [Node]

    /// Makes the outline of a checkpoint's tensors.
    package init(_ entries: [Checkpoint.Entry]) {
        let tensors = entries.map { entry in
            (parts: KeyTree.parts(entry.name)[...], text: "\(entry.dtype) \(entry.shape)")
        }
        roots = KeyTree.folded(Node(name: "", children: KeyTree.nodes(tensors))).children
    }

    /// The outline, two spaces a level.
    package var lines: [String] { roots.flatMap { KeyTree.lines($0, indentation: "") } }

    /// A name cut behind each "." and "/".
    private static func parts(_ name: String) -> [Substring] {
        var parts = [Substring]()
        var rest = name[...]
        while parts.count < deepest, let end = rest.firstIndex(where: { $0 == "." || $0 == "/" }) {
            parts.append(rest[...end])
            rest = rest[rest.index(after: end)...]
        }
        return parts + [rest]
    }

    private static func nodes(_ tensors: [(parts: ArraySlice<Substring>, text: String)]) -> [Node] {
        var order = [Substring]()
        var groups = [Substring: [(parts: ArraySlice<Substring>, text: String)]]()
        for tensor in tensors {
            guard let first = tensor.parts.first else { continue }
            if groups[first] == nil { order.append(first) }
            groups[first, default: []].append((tensor.parts.dropFirst(), tensor.text))
        }
        return order.map { part in
            let members = groups[part] ?? []
            let isInner = part.hasSuffix(".") || part.hasSuffix("/")
            return Node(
                name: String(isInner ? part.dropLast() : part),
                separator: isInner ? String(part.suffix(1)) : "",
                tensor: members.first { $0.parts.isEmpty }?.text,
                children: nodes(members)
            )
        }
    }

    /// Everything below a node, with neighbours of equal structure as one, and names with a single
    /// one below joined with it.
    private static func folded(_ node: Node) -> Node {
        var node = node
        var children = [Node]()
        var structure = ""
        var first = 0
        for child in node.children.map({ folded($0) }) {
            let next = child.structure
            if let number = LevelCounts.number(child.name), structure == next,
                number - 1 == children.last.flatMap({ lastNumber($0.name) })
            {
                children[children.count - 1].name = "\(first)…\(number)"
            } else {
                first = LevelCounts.number(child.name) ?? 0
                structure = next
                children.append(child)
            }
        }
        node.children = children.map { joined($0) }
        return node
    }

    private static func joined(_ node: Node) -> Node {
        guard let only = node.children.first, node.children.count == 1, node.tensor == nil else {
            return node
        }
        return Node(
            name: node.name + node.separator + only.name,
            separator: only.separator,
            tensor: only.tensor,
            children: only.children
        )
    }

    /// The last number of "3" or "0…3".
    private static func lastNumber(_ name: String) -> Int? {
        name.split(separator: "…").last.flatMap { LevelCounts.number($0) }
    }

    private static func lines(_ node: Node, indentation: String) -> [String] {
        let end = node.children.isEmpty ? "" : node.separator
        let tensor = node.tensor.map { "  \($0)" } ?? ""
        if (1...2).contains(node.children.count), node.children.allSatisfy(\.children.isEmpty) {
            // Weight and bias of a layer.
            let pair = node.children.map { "\($0.name)  \($0.tensor ?? "")" }
            return ["\(indentation)\(node.name)\(end)\(tensor)\(pair.joined(separator: ", "))"]
        }
        return ["\(indentation)\(node.name)\(end)\(tensor)"]
            + node.children.flatMap { lines($0, indentation: indentation + "  ") }
    }
}
