import Foundation
import Torch

/// Writes the pickle of a PyTorch checkpoint in protocol 2, as `torch.save` does.
struct PickleWriter {
    private(set) var bytes: [UInt8] = [0x80, 2]

    /// The whole pickle.
    func finished() -> [UInt8] { bytes + [PickleOpcode.stop.rawValue] }

    /// Writes a dictionary; `body` writes its keys and values one after another.
    mutating func dictionary(_ body: (inout PickleWriter) -> Void) {
        append(.emptyDict, .mark)
        body(&self)
        append(.setitems)
    }

    /// Writes a text.
    mutating func text(_ text: String) {
        append(.binunicode)
        append(UInt32(text.utf8.count))
        bytes += Array(text.utf8)
    }

    /// Writes a tensor in row-major order that fills a storage of its own.
    ///
    /// - Parameters:
    ///   - shape: Its sizes.
    ///   - dtype: Type of its elements.
    ///   - key: Name of the storage.
    mutating func tensor(shape: [Int], dtype: DType, key: String) {
        let name = PickleGlobal.storages.first { $0.dtype == dtype }?.name ?? "ByteStorage"
        var strides = [Int]()
        var step = 1
        for size in shape.reversed() {
            strides.insert(step, at: 0)
            step *= max(size, 1)
        }
        global("torch._utils", "_rebuild_tensor_v2")
        append(.mark)
        append(.mark)
        text("storage")
        global("torch", name)
        text(key)
        text("cpu")
        integer(shape.reduce(1, *))
        append(.tuple, .binpersid)
        integer(0)
        tuple(shape)
        tuple(strides)
        append(.newFalse)
        global("collections", "OrderedDict")
        append(.emptyTuple, .reduce)
        append(.tuple, .reduce)
    }

    private mutating func tuple(_ numbers: [Int]) {
        append(.mark)
        for number in numbers { integer(number) }
        append(.tuple)
    }

    private mutating func integer(_ value: Int) {
        if let small = Int32(exactly: value) {
            append(.binint)
            append(UInt32(bitPattern: small))
        } else {
            append(.long1)
            bytes.append(8)
            append(UInt64(bitPattern: Int64(value)))
        }
    }

    private mutating func global(_ module: String, _ name: String) {
        append(.global)
        bytes += Array("\(module)\n\(name)\n".utf8)
    }

    private mutating func append(_ opcodes: PickleOpcode...) {
        bytes += opcodes.map(\.rawValue)
    }

    private mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        bytes += withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
