import Foundation

/// JSON as it is written into files that people read, too.
enum ReadableJSON {
    /// Encodes a value with sorted keys, in lines.
    static func data(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value) + Data("\n".utf8)
    }
}
