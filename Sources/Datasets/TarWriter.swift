import Checkpoints
import Foundation

/// Writes a tar archive, as a whole or not at all.
struct TarWriter {
    private let file: AtomicFile

    /// Writes an archive; `body` adds its files.
    static func write(
        to url: URL,
        _ body: (TarWriter) throws(CheckpointError) -> Void
    ) throws(DatasetError) {
        do {
            try AtomicFile.write(to: url) { (file) throws(CheckpointError) in
                try body(TarWriter(file: file))
                // Two empty blocks end an archive.
                try file.append([UInt8](repeating: 0, count: 1024))
            }
        } catch {
            throw DatasetError(writing: error)
        }
    }

    /// Adds a file; its name has at most 100 bytes.
    func add(_ name: String, _ bytes: [UInt8]) throws(CheckpointError) {
        try file.append(TarWriter.header(name, size: bytes.count))
        try file.append(bytes)
        let rest = bytes.count % 512
        if rest > 0 { try file.append([UInt8](repeating: 0, count: 512 - rest)) }
    }

    /// A header of POSIX's ustar, the same for the same content: no times, no owners.
    private static func header(_ name: String, size: Int) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            for (place, byte) in text.utf8.enumerated() { header[offset + place] = byte }
        }
        func octal(_ number: Int, digits: Int) -> String {
            let text = String(number, radix: 8)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        put(name, at: 0)
        put(octal(0o644, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        put(String(repeating: " ", count: 8), at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, digits: 6) + "\0 ", at: 148)
        return header
    }
}

extension TarShards {
    /// Writes images as shards of WebDataset: `000000.tar` … with a PNG and a label (`.cls`) each,
    /// and `classnames.txt`.
    ///
    /// - Parameters:
    ///   - images: The images, written in their order.
    ///   - folder: The folder, which is created if it is missing.
    ///   - shardSize: Images of a shard.
    /// - Returns: The shards.
    /// - Throws: ``DatasetError`` if the disk is full or the folder cannot be written to,
    ///   `ImageError` for images that cannot be read.
    @discardableResult
    public static func write(
        _ images: any LabelledImages,
        to folder: URL,
        shardSize: Int = 1000
    ) throws -> [URL] {
        try OutputFile.createFolder(folder)
        let names = images.classNames.joined(separator: "\n") + "\n"
        try OutputFile.write(Data(names.utf8), to: folder.appendingPathComponent("classnames.txt"))
        return try stride(from: 0, to: images.count, by: shardSize).enumerated().map {
            number,
            start in
            let range = start..<min(start + shardSize, images.count)
            // A shard is small; encoding first keeps the errors of images apart from those of files.
            let samples = try range.map { try images.image(at: $0).pngData() }
            let url = folder.appendingPathComponent(String(format: "%06d.tar", number))
            try TarWriter.write(to: url) { (archive) throws(CheckpointError) in
                for (index, png) in zip(range, samples) {
                    let key = String(format: "%08d", index)
                    try archive.add("\(key).png", Array(png))
                    try archive.add("\(key).cls", Array("\(images.label(at: index))".utf8))
                }
            }
            return url
        }
    }
}
