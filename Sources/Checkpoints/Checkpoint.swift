import Foundation
import Torch

/// A file of weights in any of the formats that are read: safetensors, or what `torch.save` wrote.
///
/// The file is mapped into memory. Opening reads names, shapes and types; a tensor's elements are
/// read when the tensor is asked for, and use the mapping itself where their place in the file
/// allows it. Nothing in a pickle is executed; names of Python that are no plain data are refused.
public struct Checkpoint {
    /// How a file stores its tensors.
    public enum Format: String, Sendable {
        /// github.com/huggingface/safetensors.
        case safetensors
        /// The zip archive that PyTorch writes since 1.6.
        case pyTorch = "PyTorch (zip)"
        /// The pickles that PyTorch wrote before 1.6.
        case pyTorchLegacy = "PyTorch (before 1.6)"
    }

    /// What the file says about one tensor.
    public struct Entry: Sendable, Equatable {
        /// Its name; in a PyTorch file the keys that lead to it, with "/" between:
        /// `ema/blocks.0.attn.qkv.weight`.
        public let name: String
        /// Type of its elements.
        public let dtype: DType
        /// Its sizes.
        public let shape: [Int]

        /// Describes a tensor.
        public init(name: String, dtype: DType, shape: [Int]) {
            self.name = name
            self.dtype = dtype
            self.shape = shape
        }

        /// Number of elements.
        public var count: Int { shape.reduce(1, *) }
    }

    private enum Source {
        case safetensors(SafetensorsFile)
        case pyTorch(PyTorchFile)
    }

    /// Where the file is.
    public let url: URL
    /// How it stores its tensors.
    public let format: Format
    /// The tensors in the order of the file.
    public let entries: [Entry]
    /// What is stored besides the tensors: the object that was saved, with names in place of
    /// tensors, or the free text of a safetensors file.
    public let content: CheckpointValue
    private let source: Source
    private let places: [String: Int]

    /// Opens a file; its format is recognised by its content, whatever its name.
    ///
    /// - Parameter url: The file.
    /// - Throws: `CheckpointError` that names the first fault.
    public init(contentsOf url: URL) throws(CheckpointError) {
        self.url = url
        let mapping = try FileMapping(contentsOf: url)
        format = try Checkpoint.format(of: mapping)
        switch format {
        case .safetensors:
            let file = try SafetensorsFile(mapping, url: url)
            source = .safetensors(file)
            entries = file.entries.map { Entry(name: $0.name, dtype: $0.dtype, shape: $0.shape) }
            content = .dictionary(
                file.metadata.sorted { $0.key < $1.key }
                    .map { .init(name: $0.key, value: .text($0.value)) }
            )
        case .pyTorch, .pyTorchLegacy:
            let file =
                format == .pyTorch
                ? try PyTorchFile(zip: mapping) : try PyTorchFile(legacy: mapping)
            source = .pyTorch(file)
            entries = file.tensors.map { name, tensor in
                Entry(name: name, dtype: tensor.storage.dtype, shape: tensor.shape)
            }
            content = file.content
        }
        places = Dictionary(
            entries.enumerated().map { ($1.name, $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The file of weights in a folder of diffusers, beside `config.json`.
    ///
    /// - Parameter folder: The folder.
    /// - Returns: The file in safetensors, or else as `torch.save` writes it; nil if there is none.
    public static func weights(inFolder folder: URL) -> URL? {
        ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"]
            .map(folder.appendingPathComponent)
            .first { FileManager.default.fileExists(atPath: $0.path) }
    }

    /// The tensor with a name; nil if the file has none of this name.
    public subscript(name: String) -> Tensor? { places[name].map { tensor(at: $0) } }

    /// What the file says about the tensor with a name.
    public func entry(named name: String) -> Entry? { places[name].map { entries[$0] } }

    /// The tensors whose names are wanted.
    ///
    /// - Parameter isWanted: Chooses by name; all tensors if it is not given.
    /// - Returns: The tensors in the order of the file.
    public func state(where isWanted: (String) -> Bool = { _ in true }) -> StateDictionary {
        StateDictionary(
            entries.indices.filter { isWanted(entries[$0].name) }
                .map { (entries[$0].name, tensor(at: $0)) }
        )
    }

    private func tensor(at place: Int) -> Tensor {
        switch source {
        case .safetensors(let file): file.tensor(file.entries[place])
        case .pyTorch(let file): file.tensor(file.tensors[place].tensor)
        }
    }

    /// Recognises a format by the first bytes.
    private static func format(of mapping: FileMapping) throws(CheckpointError) -> Format {
        let bytes = UnsafeRawBufferPointer(mapping.bytes)
        if bytes.isEmpty { throw .malformed(mapping.path, "The file is empty.") }
        if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return .pyTorch }
        if bytes.starts(with: PyTorchFile.legacyMagic) { return .pyTorchLegacy }
        // A length of less than a terabyte, then JSON: the length may begin as a pickle does.
        if bytes.count > 8, bytes[8] == UInt8(ascii: "{"), bytes[5..<8].allSatisfy({ $0 == 0 }) {
            return .safetensors
        }
        // The rest of the pickles is told what is wrong with them, and so is all that is unknown.
        return bytes.count > 1 && bytes[0] == 0x80 && bytes[1] <= 5 ? .pyTorchLegacy : .safetensors
    }
}
