/// Reads one pickle of a checkpoint.
///
/// A pickle is a program for a stack machine. This one knows only how to build plain data and
/// descriptions of tensors: it can call nothing, and a name it does not know is an error that
/// tells the name. Opcodes: CPython's `pickletools`, protocols 0 to 5.
struct PickleMachine {
    let bytes: UnsafeRawBufferPointer
    /// What the bytes are part of, for messages: `data.pkl of x.pt`.
    let subject: String
    private let file: String
    private let start: Int
    /// The next byte to read.
    var position: Int
    var stack = [PickleValue]()
    /// Where marked groups begin on the stack.
    private var marks = [Int]()
    private var memo = [Int: PickleValue]()
    /// All lists, tuples, sets and dictionaries, by number.
    private(set) var containers = [PickleContainer]()
    /// Values and characters that were put into containers and texts so far.
    private var copied = 0

    /// Makes a machine.
    ///
    /// - Parameters:
    ///   - bytes: The file, or the part of it that holds the pickle.
    ///   - position: Where the pickle begins.
    ///   - subject: What the pickle is, for messages.
    ///   - file: Path of the file, for messages.
    init(_ bytes: UnsafeRawBufferPointer, at position: Int, subject: String, file: String) {
        self.bytes = bytes
        self.position = position
        start = position
        self.subject = subject
        self.file = file
    }

    /// Number of bytes that were read.
    var length: Int { position - start }

    /// Reads to the end of the pickle; `position` is behind it then.
    ///
    /// - Returns: The object that was pickled.
    /// - Throws: `CheckpointError` that names the first fault and its byte.
    mutating func run() throws(CheckpointError) -> PickleValue {
        while true {
            let place = position
            do throws(PickleFault) {
                let byte: UInt8 = try integer()
                guard let opcode = PickleOpcode(rawValue: byte) else {
                    throw PickleFault("there is no opcode \(byte)")
                }
                if opcode == .stop { return try pop() }
                try execute(opcode)
            } catch {
                throw error.isUnsupported
                    ? .refusing(file, "\(subject), byte \(place): \(error.reason).")
                    : .malformed(file, "\(subject), byte \(place): \(error.reason).")
            }
        }
    }

    // MARK: - Reading

    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type = Value.self
    ) throws(PickleFault) -> Value {
        guard let value = bytes.integer(type, at: position) else {
            throw PickleFault("the pickle ends in the middle, without STOP")
        }
        position += MemoryLayout<Value>.size
        return value
    }

    /// The next bytes; no more than there are.
    mutating func take(_ count: Int) throws(PickleFault) -> Slice<UnsafeRawBufferPointer> {
        guard count >= 0, count <= bytes.count - position else {
            throw PickleFault(
                "\(count) bytes should follow, but only \(bytes.count - position) are left"
            )
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func take(_ count: UInt64) throws(PickleFault) -> Slice<UnsafeRawBufferPointer> {
        try take(Int(exactly: count) ?? .max)
    }

    /// The text to the end of the line, as protocol 0 writes arguments.
    mutating func line() throws(PickleFault) -> String {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else {
            throw PickleFault("a line does not end")
        }
        defer { position = end + 1 }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }

    // MARK: - Stack, memo and containers

    mutating func pop() throws(PickleFault) -> PickleValue {
        guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
            throw PickleFault("a value should be on the stack, but it is empty")
        }
        return value
    }

    var top: PickleValue {
        get throws(PickleFault) {
            guard stack.count > marks.last ?? 0, let value = stack.last else {
                throw PickleFault("a value should be on the stack, but it is empty")
            }
            return value
        }
    }

    mutating func mark() { marks.append(stack.count) }

    /// The values since the last mark.
    mutating func popMarked() throws(PickleFault) -> [PickleValue] {
        guard let mark = marks.popLast() else { throw PickleFault("a mark is missing") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    mutating func remember(_ number: Int?) throws(PickleFault) {
        memo[number ?? memo.count] = try top
    }

    mutating func recall(_ number: Int) throws(PickleFault) {
        guard let value = memo[number] else {
            throw PickleFault("the value number \(number) was never remembered")
        }
        stack.append(value)
    }

    /// Counts values or characters that are put somewhere.
    ///
    /// What is remembered can be put into new containers again and again, a few bytes of the pickle
    /// each time, and would fill the memory. A pickle that Python wrote has a byte of its own at
    /// least for nearly all of it.
    mutating func charge(_ number: Int) throws(PickleFault) {
        copied += number
        guard copied <= 4 * length + 100_000 else {
            throw PickleFault(
                "it repeats its parts without measure: \(copied) values and characters after "
                    + "\(length) bytes"
            )
        }
    }

    mutating func make(
        _ kind: PickleContainer.Kind,
        _ items: [PickleValue] = []
    ) throws(PickleFault) -> PickleValue {
        try charge(items.count)
        containers.append(PickleContainer(kind: kind, items: items))
        return .container(containers.count - 1)
    }

    /// Adds items to a container of one of the kinds.
    mutating func extend(
        _ value: PickleValue,
        _ kinds: [PickleContainer.Kind],
        with items: [PickleValue]
    ) throws(PickleFault) {
        guard case .container(let number) = value, kinds.contains(containers[number].kind) else {
            throw PickleFault("items are added to \(value.kind) instead of a container")
        }
        guard !containers[number].isDictionary || items.count.isMultiple(of: 2) else {
            throw PickleFault("a key of a dictionary has no value")
        }
        try charge(items.count)
        containers[number].items += items
    }

    /// The items of a container of some kind; nil if it is none.
    func items(_ value: PickleValue, _ kinds: PickleContainer.Kind...) -> [PickleValue]? {
        guard case .container(let number) = value, kinds.contains(containers[number].kind) else {
            return nil
        }
        return containers[number].items
    }
}

extension CheckpointError {
    /// A pickle asks for what is no data.
    static func refusing(_ file: String, _ reason: String) -> CheckpointError {
        CheckpointError(
            .unsupported,
            file: file,
            reason,
            remedy: "Nothing of the file was executed. If you trust it, open it in Python and save "
                + "only its tensors, for example torch.save(model.state_dict(), path)."
        )
    }
}
