/// What a checkpoint holds besides tensors: settings, counters, the structure around the tensors.
public indirect enum CheckpointValue: Sendable, Equatable {
    /// A name of a dictionary and its value.
    public struct Member: Sendable, Equatable {
        /// The name; numbers are written in digits, bytes and tuples as in Python.
        public let name: String
        /// The value.
        public let value: CheckpointValue
    }

    /// Python's `None`.
    case none
    /// A truth value.
    case bool(Bool)
    /// A whole number of 64 bits.
    case integer(Int)
    /// A floating-point number.
    case number(Double)
    /// A text. Numbers beyond 64 bits are texts in hexadecimal digits, types of tensors, devices
    /// and paths are texts in Python's spelling.
    case text(String)
    /// Raw bytes.
    case bytes([UInt8])
    /// A list, a tuple or a set.
    case list([CheckpointValue])
    /// A dictionary in the order of the file, or the attributes of an `argparse.Namespace`.
    case dictionary([Member])
    /// A tensor, by its name in the checkpoint.
    case tensor(String)

    /// The member of a dictionary with a name; nil if there is none, or if this is no dictionary.
    public subscript(name: String) -> CheckpointValue? {
        guard case .dictionary(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
}

extension CheckpointValue: CustomStringConvertible {
    /// The value in one line, in Python's spelling.
    public var description: String {
        switch self {
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .text(let text): "'\(text)'"
        case .bytes(let bytes): "\(bytes.count) bytes"
        case .list(let elements):
            "[" + elements.map(\.description).joined(separator: ", ") + "]"
        case .dictionary(let members):
            "{" + members.map { "\($0.name): \($0.value)" }.joined(separator: ", ") + "}"
        case .tensor(let name): "tensor \(name)"
        }
    }
}
