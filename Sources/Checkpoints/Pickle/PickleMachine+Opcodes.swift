extension PickleMachine {
    /// Does what one instruction says; `stop` is the caller's.
    mutating func execute(_ opcode: PickleOpcode) throws(PickleFault) {
        switch opcode {
        case .proto:
            let version: UInt8 = try integer()
            guard version <= 5 else {
                throw PickleFault("protocol \(version) is newer than 5", isUnsupported: true)
            }
        case .frame: let _: UInt64 = try integer()
        case .stop: break

        case .mark: mark()
        case .pop: _ = try pop()
        case .popMark: _ = try popMarked()
        case .dup: stack.append(try top)
        case .get: try recall(try decimal())
        case .binget: try recall(Int(try integer(UInt8.self)))
        case .longBinget: try recall(Int(try integer(UInt32.self)))
        case .put: try remember(try decimal())
        case .binput: try remember(Int(try integer(UInt8.self)))
        case .longBinput: try remember(Int(try integer(UInt32.self)))
        case .memoize: try remember(nil)

        case .emptyTuple: stack.append(try make(.tuple))
        case .tuple: stack.append(try make(.tuple, try popMarked()))
        case .tuple1: try makeTuple(1)
        case .tuple2: try makeTuple(2)
        case .tuple3: try makeTuple(3)
        case .emptyList: stack.append(try make(.list))
        case .list: stack.append(try make(.list, try popMarked()))
        case .append: try add([try pop()], to: .list)
        case .appends: try add(try popMarked(), to: .list)
        case .emptyDict: stack.append(try make(.dictionary))
        case .dict:
            let items = try popMarked()
            let dictionary = try make(.dictionary)
            try extend(dictionary, [.dictionary], with: items)
            stack.append(dictionary)
        case .setitem:
            let value = try pop()
            try add([try pop(), value], to: .dictionary)
        case .setitems: try add(try popMarked(), to: .dictionary)
        case .emptySet: stack.append(try make(.set))
        case .additems: try add(try popMarked(), to: .set)
        case .frozenset: stack.append(try make(.set, try popMarked()))

        case .global: stack.append(.global(try named(try line(), try line())))
        case .stackGlobal:
            let (second, first) = (try pop(), try pop())
            guard case .text(let name) = second, case .text(let module) = first else {
                throw PickleFault("a name was expected, not \(second.kind)")
            }
            stack.append(.global(try named(module, name)))
        case .reduce:
            let (arguments, function) = (try pop(), try pop())
            stack.append(try result(of: function, arguments))
        case .newobj:
            let (arguments, type) = (try pop(), try pop())
            stack.append(try instance(of: type, arguments))
        case .build:
            let state = try pop()
            try build(state)
        case .binpersid: stack.append(.storage(try storage(try pop())))
        case .inst:
            let name = "\(try line()).\(try line())"
            throw PickleFault("it makes an object of the class \(name)", isUnsupported: true)
        case .newobjEx, .obj, .persid, .ext1, .ext2, .ext4, .nextBuffer, .readonlyBuffer:
            throw PickleFault("the instruction \(opcode) is not read", isUnsupported: true)

        default: stack.append(try plainValue(opcode))
        }
    }

    private mutating func makeTuple(_ count: Int) throws(PickleFault) {
        var items = [PickleValue]()
        for _ in 0..<count { items.append(try pop()) }
        stack.append(try make(.tuple, items.reversed()))
    }

    private mutating func add(
        _ items: [PickleValue],
        to kind: PickleContainer.Kind
    ) throws(PickleFault) {
        try extend(try top, [kind], with: items)
    }

    // MARK: - Plain values

    private mutating func plainValue(_ opcode: PickleOpcode) throws(PickleFault) -> PickleValue {
        switch opcode {
        case .newTrue: .bool(true)
        case .newFalse: .bool(false)
        case .int: try number(try line())
        case .long: try number(try line())
        case .binint: .integer(Int(try integer(Int32.self)))
        case .binint1: .integer(Int(try integer(UInt8.self)))
        case .binint2: .integer(Int(try integer(UInt16.self)))
        case .long1: PickleMachine.long(try take(Int(try integer(UInt8.self))))
        case .long4: PickleMachine.long(try take(Int(try integer(Int32.self))))
        case .float: try floatingPoint(try line())
        case .binfloat: .number(Double(bitPattern: try integer(UInt64.self).byteSwapped))
        case .string: .text(try quoted(try line()))
        case .unicode: .text(try unescaped(try line()))
        case .binstring: PickleMachine.oldString(try take(Int(try integer(Int32.self))))
        case .shortBinstring: PickleMachine.oldString(try take(Int(try integer(UInt8.self))))
        case .binunicode: .text(try text(try take(Int(try integer(UInt32.self)))))
        case .shortBinunicode: .text(try text(try take(Int(try integer(UInt8.self)))))
        case .binunicode8: .text(try text(try take(try integer(UInt64.self))))
        case .binbytes: .bytes(Array(try take(Int(try integer(UInt32.self)))))
        case .shortBinbytes: .bytes(Array(try take(Int(try integer(UInt8.self)))))
        case .binbytes8, .bytearray8: .bytes(Array(try take(try integer(UInt64.self))))
        default: .none
        }
    }

    private mutating func decimal() throws(PickleFault) -> Int {
        let digits = try line()
        guard let value = Int(digits) else {
            throw PickleFault("a whole number was expected, not \"\(digits.prefix(40))\"")
        }
        return value
    }

    /// Protocol 0 writes truth values as 00 and 01, and long numbers with an L behind.
    private func number(_ line: String) throws(PickleFault) -> PickleValue {
        if line == "00" { return .bool(false) }
        if line == "01" { return .bool(true) }
        guard let value = Int(line.hasSuffix("L") ? String(line.dropLast()) : line) else {
            throw PickleFault("a whole number was expected, not \"\(line.prefix(40))\"")
        }
        return .integer(value)
    }

    private func floatingPoint(_ line: String) throws(PickleFault) -> PickleValue {
        guard let value = Double(line) else {
            throw PickleFault("a number was expected, not \"\(line.prefix(40))\"")
        }
        return .number(value)
    }

    private static func long(_ bytes: Slice<UnsafeRawBufferPointer>) -> PickleValue {
        guard let last = bytes.last else { return .integer(0) }
        guard bytes.count <= 8 else { return .largeInteger(Array(bytes)) }
        let sign: UInt64 = last & 0x80 == 0 ? 0 : .max
        let value = bytes.reversed().reduce(sign) { $0 << 8 | UInt64($1) }
        return .integer(Int(truncatingIfNeeded: value))
    }

    private func text(_ bytes: Slice<UnsafeRawBufferPointer>) throws(PickleFault) -> String {
        guard let text = String(validating: bytes) else {
            throw PickleFault("a string is not UTF-8")
        }
        return text
    }

    /// A string of Python 2: text if it can be one, else bytes.
    private static func oldString(_ bytes: Slice<UnsafeRawBufferPointer>) -> PickleValue {
        String(validating: bytes).map { .text($0) } ?? .bytes(Array(bytes))
    }

    private func quoted(_ line: String) throws(PickleFault) -> String {
        guard line.count >= 2, let quote = line.first, quote == "'" || quote == "\"",
            line.last == quote
        else { throw PickleFault("a string in quotes was expected") }
        return try unescaped(String(line.dropFirst().dropLast()))
    }

    /// Names of tensors never need the escapes of protocol 0.
    private func unescaped(_ text: String) throws(PickleFault) -> String {
        guard !text.contains("\\") else {
            throw PickleFault("a string with escapes is not read", isUnsupported: true)
        }
        return text
    }
}
