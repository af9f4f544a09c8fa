import Foundation

/// Any JSON, for files whose keys are open: provenance, and the numbers of a logged step.
package enum JSONValue: Equatable, Sendable, Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    /// The finite number, if it is one.
    package var number: Double? {
        guard case .number(let value) = self, value.isFinite else { return nil }
        return value
    }

    /// The text, if it is one.
    package var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// The elements, if it is a list.
    package var array: [JSONValue]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

    /// The value of a key, if it is an object that has it.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    /// One line for a person: numbers without a needless ".0", lists with commas.
    package var text: String {
        switch self {
        case .null: "–"
        case .bool(let value): value ? "yes" : "no"
        case .number(let value): Words.number(value)
        case .string(let value): value
        case .array(let values): values.map(\.text).joined(separator: ", ")
        case .object(let members):
            members.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.text)" }
                .joined(separator: ", ")
        }
    }
}

extension DecodingError {
    /// Which key is wrong and how, in a few words.
    var plainDescription: String {
        func place(_ path: [any CodingKey]) -> String {
            let keys = path.map { key in key.intValue.map { "[\($0)]" } ?? key.stringValue }
            return keys.isEmpty ? "the top level" : "'\(keys.joined(separator: "."))'"
        }
        switch self {
        case .keyNotFound(let key, let context):
            return "the key '\(key.stringValue)' is missing in \(place(context.codingPath))"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return "\(place(context.codingPath)) should be of type \(type)"
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty
                ? "this is not valid JSON"
                : "\(place(context.codingPath)): \(context.debugDescription)"
        @unknown default:
            return "this cannot be decoded"
        }
    }
}
