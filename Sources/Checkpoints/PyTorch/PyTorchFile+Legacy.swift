import Torch

extension PyTorchFile {
    /// How every file in the container before PyTorch 1.6 begins: a pickled magic number.
    static let legacyMagic: [UInt8] = [
        0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
    ]

    /// Reads the pickles of the container before PyTorch 1.6.
    ///
    /// It has five pickles: magic number, version 1001, facts about the machine, the object, the
    /// keys of its storages. Then for each key the element count (8 bytes) and the elements.
    ///
    /// - Parameter mapping: The file.
    /// - Throws: `CheckpointError` that names the first fault.
    init(legacy mapping: FileMapping) throws(CheckpointError) {
        let file = mapping.path
        let bytes = UnsafeRawBufferPointer(mapping.bytes)
        var position = 0

        func next(_ subject: String) throws(CheckpointError) -> PickleTree {
            var machine = PickleMachine(bytes, at: position, subject: subject, file: file)
            let value = try machine.run()
            position = machine.position
            return try PickleTree(value, of: machine, file: file)
        }

        let first = try next("the first pickle")
        guard bytes.starts(with: PyTorchFile.legacyMagic) else {
            let found = "\(first.content)".prefix(60)
            throw .malformed(
                file,
                "The file is a pickle, but no PyTorch checkpoint: the magic number should come "
                    + "first, not \(found)."
            )
        }
        let version = try next("the version").content
        guard version == .integer(1001) else {
            throw .malformed(file, "The version of the container should be 1001, not \(version).")
        }
        let machine = try next("the facts about the machine").content
        let tree = try next("the pickle of the object")
        guard case .list(let keys) = try next("the keys of the storages").content else {
            throw .malformed(file, "The list of storages is missing behind the object.")
        }

        var used = [String: PickleStorage]()
        for (_, tensor) in tree.tensors { used[tensor.storage.key] = tensor.storage }
        var storages = [String: Range<Int>]()
        for key in keys {
            guard case .text(let key) = key, let storage = used[key] else {
                throw .malformed(file, "No tensor lies in the storage \(key) of the list.")
            }
            let size = storage.dtype.byteCount
            guard let count = bytes.integer(Int64.self, at: position).map({ Int($0) }),
                count == storage.count, count * size <= bytes.count - position - 8
            else {
                throw .malformed(
                    file,
                    "The storage \(key) at byte \(position) should have \(storage.count) × "
                        + "\(storage.dtype), but \(bytes.count - position) bytes are left or its "
                        + "own count differs."
                )
            }
            storages[key] = position + 8..<position + 8 + count * size
            position += 8 + count * size
        }
        if let key = used.keys.first(where: { storages[$0] == nil }) {
            throw .malformed(file, "The storage \(key) is not in the list behind the object.")
        }
        for (name, tensor) in tree.tensors where used[tensor.storage.key] != tensor.storage {
            throw .malformed(file, "The storage of the tensor \"\(name)\" is described twice.")
        }
        let isBig = machine["little_endian"] == .bool(false)
        try self.init(tree, storages, order: isBig ? "big" : "little", mapping: mapping)
    }
}
