/// A pickled object as a tree: plain values, and its tensors by their path.
struct PickleTree {
    /// The object.
    private(set) var content = CheckpointValue.none
    /// The tensors in the order of the object: the keys that lead to each, with "/" between.
    private(set) var tensors = [(name: String, tensor: PickleTensor)]()
    private let machine: PickleMachine
    private let file: String
    private var nodesLeft: Int
    /// Bytes of names and other texts that may still be made.
    private var textLeft: Int
    /// The keys that lead to the value that is unfolded now.
    private var path = [String]()

    /// Deepest nesting that is read; checkpoints have three or four levels.
    private static let deepest = 64

    /// Unfolds what a machine has built.
    ///
    /// - Parameters:
    ///   - value: The object.
    ///   - machine: The machine, which keeps the containers.
    ///   - file: Path of the file, for messages.
    /// - Throws: `CheckpointError` for an object that is nested too deeply, contains itself or
    ///   stands for far more values or text than its pickle has bytes, and for a dictionary with
    ///   two keys that have one text.
    init(_ value: PickleValue, of machine: PickleMachine, file: String) throws(CheckpointError) {
        self.machine = machine
        self.file = file
        // Every value takes a byte at least, except those that are mentioned more than once.
        nodesLeft = machine.length + 100_000
        // A name is spelled out for each of its tensors, but a key may be mentioned by its number.
        textLeft = 16 * machine.length + 1_000_000
        content = try unfolded(value)
        var names = Set<String>()
        for (name, _) in tensors where !names.insert(name).inserted {
            throw .malformed(file, "\(machine.subject) has two tensors named \"\(name)\".")
        }
    }

    private mutating func unfolded(
        _ value: PickleValue,
        below key: String
    ) throws(CheckpointError) -> CheckpointValue {
        path.append(key)
        defer { path.removeLast() }
        return try unfolded(value)
    }

    private mutating func unfolded(
        _ value: PickleValue
    ) throws(CheckpointError) -> CheckpointValue {
        nodesLeft -= 1
        guard path.count < PickleTree.deepest, nodesLeft >= 0 else {
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
        case .largeInteger(let bytes): return .text(try hexadecimal(bytes))
        case .global(let global): return .text(global.name)
        case .storage(let storage):
            // A storage saved by itself is a tensor of one axis.
            let tensor = try? PickleTensor(
                storage: storage,
                offset: 0,
                shape: [storage.count],
                strides: [1]
            )
            guard let tensor else { return .none }
            return try append(tensor)
        case .tensor(let tensor): return try append(tensor)
        case .container(let number):
            let container = machine.containers[number]
            if container.isDictionary { return .dictionary(try members(container.items)) }
            var elements = [CheckpointValue]()
            for (index, item) in container.items.enumerated() {
                elements.append(try unfolded(item, below: "\(index)"))
            }
            return .list(elements)
        }
    }

    private mutating func members(
        _ items: [PickleValue]
    ) throws(CheckpointError) -> [CheckpointValue.Member] {
        // Of two values with one key the last one counts, at the place of the first.
        var names = [String]()
        var found = [String: (key: PickleValue, value: PickleValue)]()
        for place in stride(from: 0, to: items.count - 1, by: 2) {
            let (key, value) = (items[place], items[place + 1])
            let name = try text(of: key)
            guard let earlier = found.updateValue((key, value), forKey: name) else {
                names.append(name)
                continue
            }
            guard PickleTree.isSame(earlier.key, key) else {
                throw CheckpointError(
                    .unsupported,
                    file: file,
                    "\(machine.subject): two different keys of one dictionary, \(earlier.key.kind) "
                        + "and \(key.kind), are both written \"\(name.prefix(80))\" here, so one "
                        + "value would be lost.",
                    remedy: "Rename one of the keys in Python, and save the file again."
                )
            }
        }
        var members = [CheckpointValue.Member]()
        for name in names {
            let value = try unfolded(found[name]?.value ?? .none, below: name)
            members.append(CheckpointValue.Member(name: name, value: value))
        }
        return members
    }

    private mutating func append(
        _ tensor: PickleTensor
    ) throws(CheckpointError) -> CheckpointValue {
        let keys = path.drop { $0.isEmpty }
        try spend(keys.reduce(0) { $0 + $1.utf8.count + 1 })
        // A file may be nothing but one tensor.
        let name = keys.isEmpty ? "tensor" : keys.joined(separator: "/")
        tensors.append((name, tensor))
        return .tensor(name)
    }

    // MARK: - Texts

    /// Counts text that is about to be made: a short pickle can ask for a long one again and again.
    private mutating func spend(_ byteCount: Int) throws(CheckpointError) {
        textLeft -= byteCount
        guard textLeft >= 0 else {
            throw .malformed(
                file,
                "\(machine.subject): names and long numbers are repeated without measure, with "
                    + "\(-textLeft) bytes more than are allowed after \(machine.length) bytes of "
                    + "the pickle."
            )
        }
    }

    /// A key as Python spells it, but for the quotes of strings.
    private mutating func text(
        of key: PickleValue,
        depth: Int = 0
    ) throws(CheckpointError) -> String {
        switch key {
        case .text(let text): return text
        case .integer(let number): return "\(number)"
        case .bool(let value): return value ? "True" : "False"
        case .none: return "None"
        case .number(let number): return "\(number)"
        case .largeInteger(let bytes): return try hexadecimal(bytes)
        case .bytes(let bytes):
            try spend(4 * bytes.count + 3)
            return PickleTree.spelled(bytes)
        case .container(let number):
            // A tuple, for example a pair of names; one far inside of it has no short name.
            guard depth < 4 else { return "…" }
            var parts = [String]()
            for item in machine.containers[number].items {
                let part = try text(of: item, depth: depth + 1)
                try spend(part.utf8.count + 2)
                parts.append(part)
            }
            return "(" + parts.joined(separator: ", ") + ")"
        default: return key.kind
        }
    }

    /// Whether Python takes both for one key; to Swift texts are equal however accents are encoded.
    private static func isSame(_ first: PickleValue, _ second: PickleValue) -> Bool {
        if case .text(let first) = first, case .text(let second) = second {
            return first.utf8.elementsEqual(second.utf8)
        }
        return first == second
    }

    /// Bytes as a literal of Python.
    private static func spelled(_ bytes: [UInt8]) -> String {
        let characters = bytes.map { byte in
            let isQuoted = byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\")
            let isPlain = (0x20..<0x7F).contains(byte) && !isQuoted
            return isPlain ? String(UnicodeScalar(byte)) : "\\x\(digits(byte))"
        }
        return "b'" + characters.joined() + "'"
    }

    private mutating func hexadecimal(_ bytes: [UInt8]) throws(CheckpointError) -> String {
        try spend(2 * bytes.count + 2)
        return "0x" + bytes.reversed().map { PickleTree.digits($0) }.joined()
    }

    private static func digits(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
