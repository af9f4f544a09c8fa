import Foundation
import Torch

/// A file that Python's `torch.save` wrote, mapped into memory.
///
/// Only its directory and its pickle are read when it is opened; a tensor's bytes when it is asked
/// for. Format: `torch/serialization.py`; the container since PyTorch 1.6 is a zip archive with
/// the records `data.pkl`, `byteorder` and `data/<key>` under a common folder.
package struct PyTorchFile {
    /// Tensors by path, in the order of the file.
    let tensors: [(name: String, tensor: PickleTensor)]
    /// The object that was saved, with names in place of tensors.
    let content: CheckpointValue
    /// Where the bytes of each storage lie, by key.
    private let storages: [String: Range<Int>]
    private let swapsBytes: Bool
    private let mapping: FileMapping

    /// Reads the directory and the pickle of a zip archive.
    ///
    /// - Parameter mapping: The file.
    /// - Throws: `CheckpointError` that names the first fault.
    init(zip mapping: FileMapping) throws(CheckpointError) {
        let file = mapping.path
        let bytes = UnsafeRawBufferPointer(mapping.bytes)
        let archive = try ZipArchive(bytes, file: file)
        let pickles = archive.entries.filter {
            $0.name == "data.pkl" || $0.name.split(separator: "/").dropFirst() == ["data.pkl"]
        }
        guard let pickle = pickles.first, pickles.count == 1 else {
            let names = archive.entries.prefix(3).map(\.name).joined(separator: ", ")
            throw .malformed(
                file,
                "The zip archive has \(pickles.count) entries data.pkl instead of one, so it is "
                    + "no PyTorch checkpoint; it has \(archive.entries.count) entries: \(names)…"
            )
        }
        let folder = pickle.name.dropLast("data.pkl".count)
        var machine = PickleMachine(
            UnsafeRawBufferPointer(rebasing: bytes[try PyTorchFile.stored(pickle, file)]),
            at: 0,
            subject: pickle.name,
            file: file
        )
        let tree = try PickleTree(try machine.run(), of: machine, file: file)

        var storages = [String: Range<Int>]()
        for (name, tensor) in tree.tensors {
            let storage = tensor.storage
            let record = "\(folder)data/\(storage.key)"
            guard let entry = archive[record] else {
                throw .malformed(
                    file,
                    "The tensor \"\(name)\" lies in the record \(record), which the archive lacks."
                )
            }
            let range = try PyTorchFile.stored(entry, file)
            guard range.count >= storage.count * storage.dtype.byteCount else {
                throw .malformed(
                    file,
                    "The record \(record) of the tensor \"\(name)\" should have "
                        + "\(storage.count) × \(storage.dtype), but it has \(range.count) bytes."
                )
            }
            storages[storage.key] = range
        }
        var order = "little"
        if let entry = archive["\(folder)byteorder"] {
            order = String(decoding: bytes[try PyTorchFile.stored(entry, file)], as: UTF8.self)
        }
        try self.init(tree, storages, order: order, mapping: mapping)
    }

    /// Puts a file together, and checks what does not depend on the container.
    init(
        _ tree: PickleTree,
        _ storages: [String: Range<Int>],
        order: String,
        mapping: FileMapping
    ) throws(CheckpointError) {
        guard order == "little" || order == "big" else {
            throw .malformed(mapping.path, "The order of bytes is \"\(order.prefix(40))\".")
        }
        tensors = tree.tensors
        content = tree.content
        swapsBytes = order == "big"
        self.storages = storages
        self.mapping = mapping
        for (name, tensor) in tensors {
            // One element repeated without end fits into a small file, but into no memory.
            let size = tensor.shape.reduce(tensor.storage.dtype.byteCount, *)
            guard size <= max(mapping.bytes.count, 1 << 30) else {
                throw .malformed(
                    mapping.path,
                    "The tensor \"\(name)\" of shape \(tensor.shape) repeats its elements to "
                        + "\(size) bytes, more than the whole file has."
                )
            }
            guard tensor.storage.dtype == .bool else { continue }
            guard mapping.bytes[range(of: tensor)].allSatisfy({ $0 <= 1 }) else {
                throw .malformed(
                    mapping.path,
                    "The tensor \"\(name)\" holds truth values, but has bytes other than 0 and 1."
                )
            }
        }
    }

    /// Reads one tensor: a view of the mapping where its address and byte order allow it.
    func tensor(_ description: PickleTensor) -> Tensor {
        let dtype = description.storage.dtype
        let range = range(of: description)
        guard !range.isEmpty, let base = mapping.bytes.baseAddress else {
            return .empty(description.shape, dtype: dtype)
        }
        var address = base + range.lowerBound
        var owner: AnyObject = mapping
        if swapsBytes && dtype.byteCount > 1
            || !Int(bitPattern: address).isMultiple(of: dtype.byteCount)
        {
            let copy = AlignedBytes(UnsafeRawBufferPointer(rebasing: mapping.bytes[range]))
            if swapsBytes { copy.reverse(each: dtype.byteCount) }
            (address, owner) = (copy.address, copy)
        }
        return Tensor(
            memory: address,
            shape: description.shape,
            strides: description.strides,
            dtype: dtype,
            owner: owner
        )
    }

    /// The bytes from the first to the last element of a tensor.
    private func range(of tensor: PickleTensor) -> Range<Int> {
        guard let storage = storages[tensor.storage.key] else { return 0..<0 }
        let (size, extent) = (tensor.storage.dtype.byteCount, tensor.extent)
        let start = storage.lowerBound
        return start + extent.lowerBound * size..<start + extent.upperBound * size
    }

    /// Where an entry's bytes lie; they must not be compressed.
    private static func stored(
        _ entry: ZipArchive.Entry,
        _ file: String
    ) throws(CheckpointError) -> Range<Int> {
        guard entry.method == 0, !entry.isEncrypted else {
            let how = entry.isEncrypted ? "encrypted" : "compressed (zip method \(entry.method))"
            throw CheckpointError(
                .unsupported,
                file: file,
                "The entry \(entry.name) of the zip archive is \(how); PyTorch stores entries as "
                    + "they are.",
                remedy: "Unpack the archive and pack it again without compression: zip -0 -r."
            )
        }
        return entry.range
    }
}

/// Memory of its own for a tensor that cannot use the mapped file.
private final class AlignedBytes {
    let address: UnsafeMutableRawPointer
    private let count: Int

    init(_ source: UnsafeRawBufferPointer) {
        count = source.count
        address = .allocate(byteCount: count, alignment: 64)
        UnsafeMutableRawBufferPointer(start: address, count: count).copyMemory(from: source)
    }

    deinit { address.deallocate() }

    /// Changes the byte order of every element.
    func reverse(each size: Int) {
        let bytes = UnsafeMutableRawBufferPointer(start: address, count: count)
        for start in stride(from: 0, to: count - size + 1, by: size) {
            bytes[start..<start + size].reverse()
        }
    }
}
