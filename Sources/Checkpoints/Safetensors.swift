import Foundation
import Torch

/// Reading and writing files in the format safetensors.
public enum Safetensors {
    /// Reads all tensors of a file.
    ///
    /// - Parameter url: The file.
    /// - Returns: The tensors in the order of the header; they use the mapped file where they can.
    /// - Throws: `CheckpointError` that names the first fault.
    public static func load(contentsOf url: URL) throws(CheckpointError) -> StateDictionary {
        try SafetensorsFile(contentsOf: url).state()
    }

    /// Writes a file, so that at any moment either the old or the new one is there, whole.
    ///
    /// One tensor at a time is copied to the processor's memory.
    ///
    /// - Parameters:
    ///   - state: The tensors; the header keeps their order.
    ///   - metadata: Free text, stored in the order of its names.
    ///   - url: The file; its folder must exist.
    /// - Throws: `CheckpointError` for a full disk or an unwritable folder; then an older file of
    ///   this name is unchanged.
    public static func save(
        _ state: StateDictionary,
        metadata: [String: String] = [:],
        to url: URL
    ) throws(CheckpointError) {
        guard state["__metadata__"] == nil else {
            throw CheckpointError(
                .unsupported,
                file: url.path,
                "No tensor can have the name \"__metadata__\" in a safetensors file.",
                remedy: "Choose another name."
            )
        }
        // As in the reference library the widest elements come first, so that each is aligned.
        let inFileOrder = state.tensors.elements.sorted {
            ($1.value.dtype.byteCount, $0.key) < ($0.value.dtype.byteCount, $1.key)
        }
        var offsets = [String: Range<Int>]()
        var end = 0
        for (name, tensor) in inFileOrder {
            let size = tensor.count * tensor.dtype.byteCount
            offsets[name] = end..<end + size
            end += size
        }
        let header = header(state, metadata: metadata, offsets: offsets)
        try AtomicFile.write(to: url) { (file) throws(CheckpointError) in
            try file.append(header)
            for (_, tensor) in inFileOrder where tensor.count > 0 {
                try append(tensor, to: file)
            }
        }
    }

    private static func append(_ tensor: Tensor, to file: AtomicFile) throws(CheckpointError) {
        let source = tensor.detached().moved(to: .cpu).contiguous()
        let bytes = UnsafeRawBufferPointer(
            start: source.dataPointer,
            count: source.count * source.dtype.byteCount
        )
        try withExtendedLifetime(source) { () throws(CheckpointError) in
            try file.append(bytes)
        }
    }

    /// The length and the JSON text, which is filled up with spaces to a multiple of 8 bytes.
    private static func header(
        _ state: StateDictionary,
        metadata: [String: String],
        offsets: [String: Range<Int>]
    ) -> [UInt8] {
        var members = [String]()
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0)):\(quoted($1))" }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        for (name, tensor) in state {
            let range = offsets[name] ?? 0..<0
            let shape = tensor.shape.map { String($0) }.joined(separator: ",")
            members.append(
                "\(quoted(name)):{\"dtype\":\"\(tensor.dtype.safetensorsName)\","
                    + "\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}"
            )
        }
        var text = Array("{\(members.joined(separator: ","))}".utf8)
        while !text.count.isMultiple(of: 8) { text.append(UInt8(ascii: " ")) }
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                result += "\\\(scalar)"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension DType {
    /// The name in the header of a safetensors file.
    package var safetensorsName: String {
        switch self {
        case .bool: "BOOL"
        case .uint8: "U8"
        case .int8: "I8"
        case .int16: "I16"
        case .int32: "I32"
        case .int64: "I64"
        case .float16: "F16"
        case .bfloat16: "BF16"
        case .float32: "F32"
        case .float64: "F64"
        }
    }

    init?(safetensorsName: String) {
        guard let dtype = DType.allCases.first(where: { $0.safetensorsName == safetensorsName })
        else { return nil }
        self = dtype
    }
}
