import Foundation
import Torch

/// A safetensors file, mapped into memory and checked as a whole before any tensor is made.
///
/// Its tensors use the mapping itself where their address allows it, and are copied otherwise.
/// Writing into such a tensor changes the program's private copy, never the file; the mapping
/// stays as long as its last tensor.
public struct SafetensorsFile {
    /// What the file says about one tensor.
    public struct Entry: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Type of its elements.
        public let dtype: DType
        /// Its sizes.
        public let shape: [Int]
        /// Where its bytes lie in the file.
        public let range: Range<Int>
    }

    /// Where the file is.
    public let url: URL
    /// Free text that was stored with the tensors.
    public let metadata: [String: String]
    /// The tensors in the order of the header.
    public let entries: [Entry]
    package let mapping: FileMapping

    /// Maps a file and checks it.
    ///
    /// - Parameter url: The file.
    /// - Throws: `CheckpointError` that names the first fault.
    public init(contentsOf url: URL) throws(CheckpointError) {
        try self.init(FileMapping(contentsOf: url), url: url)
    }

    /// Checks a file that is mapped already.
    init(_ mapping: FileMapping, url: URL) throws(CheckpointError) {
        self.url = url
        self.mapping = mapping
        let bytes = UnsafeRawBufferPointer(mapping.bytes)
        let header = try SafetensorsHeader(bytes, file: mapping.path)
        metadata = header.metadata
        entries = header.entries
        for entry in entries where entry.dtype == .bool {
            guard bytes[entry.range].allSatisfy({ $0 <= 1 }) else {
                throw .malformed(
                    mapping.path,
                    "The tensor \"\(entry.name)\" is BOOL, but has bytes other than 0 and 1."
                )
            }
        }
    }

    /// One tensor of the file; nil if it has none of this name.
    public subscript(name: String) -> Tensor? {
        entries.first { $0.name == name }.map { tensor($0) }
    }

    /// All tensors of the file, in the order of the header.
    public func state() -> StateDictionary {
        StateDictionary(entries.map { ($0.name, tensor($0)) })
    }

    func tensor(_ entry: Entry) -> Tensor {
        guard !entry.range.isEmpty, let base = mapping.bytes.baseAddress else {
            return .empty(entry.shape, dtype: entry.dtype)
        }
        let address = base + entry.range.lowerBound
        if Int(bitPattern: address).isMultiple(of: entry.dtype.byteCount) {
            return Tensor(
                memory: address,
                shape: entry.shape,
                dtype: entry.dtype,
                owner: mapping
            )
        }
        return Tensor(
            bytes: Array(mapping.bytes[entry.range]),
            shape: entry.shape,
            dtype: entry.dtype
        )
    }
}
