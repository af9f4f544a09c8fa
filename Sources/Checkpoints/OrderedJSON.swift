/// JSON with the members of every object in the order of the text.
///
/// `JSONSerialization` keeps one of two members with the same name and says nothing; a file of
/// weights with two tensors of one name must be refused instead.
package indirect enum OrderedJSON: Equatable {
    case object([Member])
    case array([OrderedJSON])
    case string(String)
    /// The digits as they are written.
    case number(String)
    case bool(Bool)
    case null

    /// A name and its value.
    package struct Member: Equatable {
        package let name: String
        package let value: OrderedJSON
    }

    /// What is wrong, and at which byte.
    package struct Failure: Error {
        package let offset: Int
        package let reason: String
    }

    /// Reads a text that is one JSON value with white space around it.
    package init(_ text: some Sequence<UInt8>) throws(Failure) {
        var scanner = Scanner(bytes: Array(text))
        self = try scanner.value(depth: 0)
        scanner.skipSpace()
        guard scanner.isAtEnd else { throw scanner.failure("something follows the end") }
    }
}

extension OrderedJSON: CustomStringConvertible {
    /// The value in one line, for messages: strings are not escaped.
    package var description: String {
        switch self {
        case .object(let members):
            "{" + members.map { "\"\($0.name)\":\($0.value)" }.joined(separator: ",") + "}"
        case .array(let elements): "[" + elements.map(\.description).joined(separator: ",") + "]"
        case .string(let text): "\"\(text)\""
        case .number(let digits): digits
        case .bool(let value): "\(value)"
        case .null: "null"
        }
    }
}

/// Reads one value after another from UTF-8 bytes.
private struct Scanner {
    private static let deepest = 16
    private let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    func failure(_ reason: String) -> OrderedJSON.Failure {
        OrderedJSON.Failure(offset: position, reason: reason)
    }

    mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
            position += 1
        }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else {
            return false
        }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(OrderedJSON.Failure) {
        guard skip(character) else { throw failure("\"\(character)\" was expected") }
    }

    mutating func value(depth: Int) throws(OrderedJSON.Failure) -> OrderedJSON {
        guard depth < Scanner.deepest else { throw failure("it is nested too deeply") }
        skipSpace()
        guard position < bytes.count else { throw failure("the text ends too early") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws(OrderedJSON.Failure) -> OrderedJSON {
        var members = [OrderedJSON.Member]()
        var names = Set<String>()
        try expect("{")
        skipSpace()
        if skip("}") { return .object([]) }
        repeat {
            skipSpace()
            let name = try string()
            guard names.insert(name).inserted else {
                throw failure("the name \"\(name)\" stands there twice")
            }
            skipSpace()
            try expect(":")
            members.append(.init(name: name, value: try value(depth: depth + 1)))
            skipSpace()
        } while skip(",")
        try expect("}")
        return .object(members)
    }

    private mutating func array(depth: Int) throws(OrderedJSON.Failure) -> OrderedJSON {
        var elements = [OrderedJSON]()
        try expect("[")
        skipSpace()
        if skip("]") { return .array([]) }
        repeat {
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while skip(",")
        try expect("]")
        return .array(elements)
    }

    private mutating func word(
        _ word: String,
        _ value: OrderedJSON
    ) throws(OrderedJSON.Failure) -> OrderedJSON {
        guard bytes[position...].starts(with: word.utf8) else {
            throw failure("a value was expected")
        }
        position += word.utf8.count
        return value
    }

    private mutating func digits() throws(OrderedJSON.Failure) {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        guard position > start else { throw failure("a value was expected") }
    }

    private mutating func number() throws(OrderedJSON.Failure) -> String {
        let start = position
        _ = skip("-")
        if !skip("0") { try digits() }
        if skip(".") { try digits() }
        if skip("e") || skip("E") {
            if !skip("+") { _ = skip("-") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func string() throws(OrderedJSON.Failure) -> String {
        try expect("\"")
        var units = [UInt8]()
        while true {
            guard position < bytes.count else { throw failure("a string does not end") }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: units) else {
                    throw failure("a string is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"):
                units += String(try escape()).utf8
            case 0..<0x20:
                throw failure("a string holds a control character")
            default:
                units.append(byte)
            }
        }
    }

    private mutating func escape() throws(OrderedJSON.Failure) -> Unicode.Scalar {
        guard position < bytes.count else { throw failure("a string does not end") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Unicode.Scalar(byte)
        case UInt8(ascii: "u"):
            var code = try fourHexDigits()
            if code & 0xFC00 == 0xD800, skip("\\"), skip("u") {
                let low = try fourHexDigits()
                guard low & 0xFC00 == 0xDC00 else { throw failure("half a character") }
                code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half a character") }
            return scalar
        default:
            throw failure("an escape that JSON does not know")
        }
    }

    private mutating func fourHexDigits() throws(OrderedJSON.Failure) -> UInt32 {
        guard position + 4 <= bytes.count else { throw failure("a string does not end") }
        var code: UInt32 = 0
        for byte in bytes[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw failure("four hexadecimal digits were expected")
            }
            code = code << 4 | UInt32(digit)
        }
        position += 4
        return code
    }
}

extension String {
    /// The text of UTF-8 bytes; nil if they are none.
    init?(validating bytes: some Collection<UInt8>) {
        let text = String(decoding: bytes, as: UTF8.self)
        // Repaired bytes are not those that were given.
        guard text.utf8.elementsEqual(bytes) else { return nil }
        self = text
    }
}
