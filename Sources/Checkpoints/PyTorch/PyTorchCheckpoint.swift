import Foundation
import Torch

/// Writing files that Python's `torch.load(path, weights_only=True)` reads.
public enum PyTorchCheckpoint {
    /// Writes one state dictionary: what `torch.save(model.state_dict(), path)` writes.
    ///
    /// - Parameters:
    ///   - state: The tensors, in this order.
    ///   - url: The file; its folder must exist.
    /// - Throws: `CheckpointError` for a full disk or an unwritable folder; then an older file of
    ///   this name is unchanged.
    public static func save(_ state: StateDictionary, to url: URL) throws(CheckpointError) {
        try save([("", state)], to: url)
    }

    /// Writes tensors with a few texts beside them, all in one dictionary.
    ///
    /// - Parameters:
    ///   - state: The tensors, in this order.
    ///   - texts: Names and texts, after the tensors.
    ///   - url: The file; its folder must exist.
    /// - Throws: `CheckpointError` for a full disk or an unwritable folder; then an older file of
    ///   this name is unchanged.
    public static func save(
        _ state: StateDictionary,
        texts: KeyValuePairs<String, String>,
        to url: URL
    ) throws(CheckpointError) {
        try save([("", state)], texts: texts.map { ($0.key, $0.value) }, to: url)
    }

    /// Writes several state dictionaries under a name each, as training scripts do:
    /// `{"model": …, "ema": …}`.
    ///
    /// - Parameters:
    ///   - groups: Names and state dictionaries, in this order.
    ///   - url: The file; its folder must exist.
    /// - Throws: `CheckpointError` for a full disk or an unwritable folder; then an older file of
    ///   this name is unchanged.
    public static func save(
        groups: KeyValuePairs<String, StateDictionary>,
        to url: URL
    ) throws(CheckpointError) {
        try save(groups.map { ($0.key, $0.value) }, to: url)
    }

    /// Writes a file; a group without a name lies at the top.
    ///
    /// - Parameters:
    ///   - groups: Names and state dictionaries, in this order.
    ///   - texts: Names and texts at the top, after the groups.
    ///   - url: The file; its folder must exist.
    ///   - zip64Limit: See `ZipWriter`.
    /// - Throws: `CheckpointError` for a full disk or an unwritable folder.
    package static func save(
        _ groups: [(String, StateDictionary)],
        texts: [(String, String)] = [],
        to url: URL,
        zip64Limit: Int = 0xFFFF_FFFF
    ) throws(CheckpointError) {
        let tensors = groups.flatMap { $0.1.map { $0.value } }
        let pickle = pickle(groups, texts)
        try AtomicFile.write(to: url) { (file) throws(CheckpointError) in
            var archive = ZipWriter(file, zip64Limit: zip64Limit)
            try archive.add("archive/data.pkl", pickle)
            try archive.add("archive/byteorder", Array("little".utf8))
            for (key, tensor) in tensors.enumerated() {
                let source = tensor.detached().moved(to: .cpu).contiguous()
                let bytes = UnsafeRawBufferPointer(
                    start: source.count == 0 ? nil : source.dataPointer,
                    count: source.count * source.dtype.byteCount
                )
                try withExtendedLifetime(source) { () throws(CheckpointError) in
                    try archive.add("archive/data/\(key)", bytes)
                }
            }
            try archive.add("archive/version", Array("3\n".utf8))
            try archive.finish()
        }
    }

    private static func pickle(
        _ groups: [(String, StateDictionary)],
        _ texts: [(String, String)]
    ) -> [UInt8] {
        var key = 0
        func write(_ state: StateDictionary, _ writer: inout PickleWriter) {
            for (name, tensor) in state {
                writer.text(name)
                writer.tensor(shape: tensor.shape, dtype: tensor.dtype, key: "\(key)")
                key += 1
            }
        }
        var writer = PickleWriter()
        writer.dictionary { writer in
            for (name, state) in groups {
                if name.isEmpty {
                    write(state, &writer)
                } else {
                    writer.text(name)
                    writer.dictionary { write(state, &$0) }
                }
            }
            for (name, text) in texts {
                writer.text(name)
                writer.text(text)
            }
        }
        return writer.finished()
    }
}
