/// A pickled object as a tree: plain values, and its tensors by their path.
struct PickleTree {
    /// The object.
    private(set) var content = CheckpointValue.none
    /// The tensors in the order of the object: the keys that lead to each, with "/" between.
    private(set) var tensors = [(name: String, tensor: PickleTensor)]()
    private let machine: PickleMachine
    private let file: String
    private var nodesLeft: Int

    /// Deepest nesting that is read; checkpoints have three or four levels.
    private static let deepest = 64

    /// Unfolds what a machine has built.
    ///
    /// - Parameters:
    ///   - value: The object.
    ///   - machine: The machine, which keeps the containers.
    ///   - file: Path of the file, for messages.
    /// - Throws: `CheckpointError` for an object that is nested too deeply, contains itself or
    ///   stands for far more values than its pickle has bytes.
    init(_ value: PickleValue, of machine: PickleMachine, file: String) throws(CheckpointError) {
        self.machine = machine
        self.file = file
        // Every value takes a byte at least, except those that are mentioned more than once.
        nodesLeft = machine.length + 100_000
        content = try unfolded(value, name: "", depth: 0)
        var names = Set<String>()
        for (name, _) in tensors where !names.insert(name).inserted {
            throw .malformed(file, "\(machine.subject) has two tensors named \"\(name)\".")
        }
    }

    private mutating func unfolded(
        _ value: PickleValue,
        name: String,
        depth: Int
    ) throws(CheckpointError) -> CheckpointValue {
        nodesLeft -= 1
        guard depth < PickleTree.deepest, nodesLeft >= 0 else {
            throw .malformed(
                file,
                "\(machine.subject): the object is nested more than \(PickleTree.deepest) levels "
                    + "deep, contains itself, or repeats its parts without measure."
            )
        }
        switch value {
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .text(let text): return .text(text)
        case .bytes(let bytes): return .bytes(bytes)
        case .largeInteger(let bytes): return .text(PickleTree.hexadecimal(bytes))
        case .global(let global): return .text(global.name)
        case .storage(let storage):
            // A storage saved by itself is a tensor of one axis.
            let tensor = try? PickleTensor(
                storage: storage,
                offset: 0,
                shape: [storage.count],
                strides: [1]
            )
            return tensor.map { append($0, name) } ?? .none
        case .tensor(let tensor): return append(tensor, name)
        case .container(let number):
            let container = machine.containers[number]
            guard container.isDictionary else {
                var elements = [CheckpointValue]()
                for (index, item) in container.items.enumerated() {
                    let name = PickleTree.path(name, "\(index)")
                    elements.append(try unfolded(item, name: name, depth: depth + 1))
                }
                return .list(elements)
            }
            return .dictionary(try members(container.items, name: name, depth: depth))
        }
    }

    private mutating func members(
        _ items: [PickleValue],
        name: String,
        depth: Int
    ) throws(CheckpointError) -> [CheckpointValue.Member] {
        // Of two values with one key the last one counts, at the place of the first.
        var keys = [String]()
        var values = [String: PickleValue]()
        for place in stride(from: 0, to: items.count - 1, by: 2) {
            let key = self.key(items[place])
            if values.updateValue(items[place + 1], forKey: key) == nil { keys.append(key) }
        }
        var members = [CheckpointValue.Member]()
        for key in keys {
            let path = PickleTree.path(name, key)
            let value = try unfolded(values[key] ?? .none, name: path, depth: depth + 1)
            members.append(CheckpointValue.Member(name: key, value: value))
        }
        return members
    }

    private mutating func append(_ tensor: PickleTensor, _ name: String) -> CheckpointValue {
        // A file may be nothing but one tensor.
        let name = name.isEmpty ? "tensor" : name
        tensors.append((name, tensor))
        return .tensor(name)
    }

    private static func path(_ parent: String, _ key: String) -> String {
        parent.isEmpty ? key : "\(parent)/\(key)"
    }

    private func key(_ value: PickleValue) -> String {
        switch value {
        case .text(let text): text
        case .integer(let number): "\(number)"
        case .bool(let value): value ? "True" : "False"
        case .none: "None"
        case .number(let number): "\(number)"
        case .container(let number):
            // A tuple, for example a pair of names; one inside of it has no short name.
            "("
                + machine.containers[number].items.prefix(8).map { item in
                    if case .container = item { "…" } else { key(item) }
                }.joined(separator: ", ") + ")"
        default: value.kind
        }
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = bytes.reversed().map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return "0x" + digits.joined()
    }
}
