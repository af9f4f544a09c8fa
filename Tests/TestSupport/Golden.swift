import Checkpoints
import Foundation
import Torch

/// A file of inputs and expected outputs that a reference implementation has computed.
///
/// The folder is `Tests/Goldens`, or the one in the environment variable `DISTILL_GOLDEN_DIR`: a
/// second set has other seeds and sizes, so tests read shapes and settings from each file. Files
/// that only this project has are found in its own folder then.
public struct Golden {
    /// The folder of this project.
    private static let ownFolder = Checkout.url("Tests/Goldens")

    /// Where the files are.
    public static let folder: URL = {
        let path = ProcessInfo.processInfo.environment["DISTILL_GOLDEN_DIR"] ?? ""
        return path.isEmpty ? ownFolder : URL(fileURLWithPath: path, isDirectory: true)
    }()

    /// Whether the folder holds golden files at all: a wrong path must not pass as a second set.
    private static let isGoldenSet = FileManager.default.fileExists(
        atPath: folder.appendingPathComponent("minimax_step.safetensors").path
    )

    /// What is missing in a file.
    public struct MissingError: Error, CustomStringConvertible {
        /// The file and the name.
        public let description: String
    }

    /// The name of the file without its extension.
    public let name: String
    /// Where the tensors are.
    public let device: Device
    /// The tensors in the order of the file.
    public let state: StateDictionary
    /// The free text stored with them, such as `source`, `seed` and `tolerance`.
    public let metadata: [String: String]
    /// The settings the numbers were computed with; null if the file has none.
    public let config: JSONValue

    /// Reads `NAME.safetensors`; its tensors are copied to another device, if that is asked.
    public init(_ name: String, on device: Device = .cpu) throws {
        let file = try SafetensorsFile(contentsOf: Golden.url("\(name).safetensors"))
        self.name = name
        self.device = device
        state = device == .cpu ? file.state() : file.state().mapValues { $0.moved(to: device) }
        metadata = file.metadata
        config = try metadata["config"].map { try JSONValue(text: $0) } ?? .null
    }

    /// Place of a file in the folder.
    public static func url(_ path: String) -> URL {
        let url = folder.appendingPathComponent(path)
        let isMissing = !FileManager.default.fileExists(atPath: url.path)
        return isMissing && isGoldenSet ? ownFolder.appendingPathComponent(path) : url
    }

    /// The tensor with a name.
    public subscript(name: String) -> Tensor {
        get throws {
            guard let tensor = state[name] else {
                throw MissingError(description: "\(self.name) has no tensor \(name)")
            }
            return tensor
        }
    }

    /// The tensors whose names begin with a prefix, without it.
    public func group(_ prefix: String) -> StateDictionary { state.removingPrefix(prefix) }
}

/// A JSON value, for settings that come with golden files.
public enum JSONValue: Decodable, Equatable, Sendable {
    case object([String: JSONValue])
    case array([JSONValue])
    case string(String)
    case number(Double)
    case bool(Bool)
    case null

    /// What a value is not.
    public struct MismatchError: Error, CustomStringConvertible {
        /// What was expected, and what was found.
        public let description: String
    }

    /// Reads a text.
    public init(text: String) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    /// Reads a value of whatever kind.
    public init(from decoder: any Decoder) throws {
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

    private func mismatch(_ expected: String) -> MismatchError {
        MismatchError(description: "\(expected) was expected, not \(self)")
    }

    /// The member of an object; null if there is none of this name.
    public subscript(key: String) -> JSONValue {
        if case .object(let members) = self { members[key] ?? .null } else { .null }
    }

    /// Whether there is nothing.
    public var isNull: Bool { self == .null }

    /// The members of an object.
    public var object: [String: JSONValue] {
        get throws {
            guard case .object(let members) = self else { throw mismatch("an object") }
            return members
        }
    }

    /// The elements of a list.
    public var array: [JSONValue] {
        get throws {
            guard case .array(let elements) = self else { throw mismatch("a list") }
            return elements
        }
    }

    /// A number.
    public var double: Double {
        get throws {
            guard case .number(let value) = self else { throw mismatch("a number") }
            return value
        }
    }

    /// A whole number.
    public var int: Int {
        get throws {
            guard case .number(let value) = self, let whole = Int(exactly: value) else {
                throw mismatch("a whole number")
            }
            return whole
        }
    }

    /// A text.
    public var string: String {
        get throws {
            guard case .string(let value) = self else { throw mismatch("a string") }
            return value
        }
    }

    /// A truth value.
    public var bool: Bool {
        get throws {
            guard case .bool(let value) = self else { throw mismatch("true or false") }
            return value
        }
    }
}
