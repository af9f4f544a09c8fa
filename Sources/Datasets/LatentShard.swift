import Checkpoints
import Foundation
import Images
import Torch

/// One file of a latent cache: the latents of consecutive images.
///
/// It is a safetensors file with `mean` and, unless it is zero, `deviation`, each
/// [n, flips, c, h, w] with 1 or 2 flips (mirrored second), and `labels`, int64 [n]. Its metadata
/// say, under `distill.latents`, what the whole cache is, and hold a SHA-256 of all of this.
struct LatentShard {
    /// What the metadata say.
    struct Record: Codable, Equatable {
        /// Version of the format.
        var format = 1
        /// What the latents depend on.
        var key: LatentCacheKey
        /// Names of the classes, in the order of the labels.
        var classNames: [String]
        /// Images of the whole cache.
        var count: Int
        /// Images of every shard but the last.
        var shardSize: Int
        /// Number of this shard, from 0.
        var number: Int
        /// The hash of the record without this member, and of the tensors.
        var sha256 = ""

        /// How many shards the cache has.
        var shardCount: Int { (count + shardSize - 1) / shardSize }

        /// The images of this shard.
        var images: Range<Int> { number * shardSize..<min((number + 1) * shardSize, count) }
    }

    private static let metadataKey = "distill.latents"
    private static let prefix = "latents-"
    private static let suffix = ".safetensors"

    let record: Record
    /// [n, flips, c, h, w].
    let mean: Tensor
    /// [n, flips, c, h, w]; nil where it is zero.
    let deviation: Tensor?
    let labels: [Int]

    /// The file of a shard.
    static func url(_ number: Int, in folder: URL) -> URL {
        let digits = String(number)
        let zeros = String(repeating: "0", count: max(0, 5 - digits.count))
        return folder.appendingPathComponent(prefix + zeros + digits + suffix)
    }

    /// The numbers of the shards in a folder, ascending; none if there is no such folder.
    static func numbers(in folder: URL) -> [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.compactMap { name -> Int? in
            guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
            let digits = name.dropFirst(prefix.count).dropLast(suffix.count)
            guard let number = Int(digits), url(number, in: folder).lastPathComponent == name
            else { return nil }
            return number
        }.sorted()
    }

    // MARK: Writing

    /// Writes a shard, atomically.
    static func write(
        _ record: Record,
        mean: Tensor,
        deviation: Tensor?,
        labels: [Int],
        to folder: URL
    ) throws {
        var state = StateDictionary()
        state["mean"] = mean
        if let deviation { state["deviation"] = deviation }
        state["labels"] = Tensor(labels)
        var hash = try Checksum(record)
        for (name, tensor) in state {
            hash.add(name, dtype: tensor.dtype, shape: tensor.shape)
            hash.bytes.add(tensor.bytes())
        }
        var record = record
        record.sha256 = hash.bytes.hexadecimalDigest
        try OutputFile.write(
            state,
            metadata: [metadataKey: String(decoding: try encoded(record), as: UTF8.self)],
            to: url(record.number, in: folder)
        )
    }

    private static func encoded(_ record: Record) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(record)
    }

    /// The hash of a shard in progress.
    private struct Checksum {
        var bytes = SHA256()

        init(_ record: Record) throws {
            var record = record
            record.sha256 = ""
            bytes.add(try LatentShard.encoded(record))
        }

        mutating func add(_ name: String, dtype: DType, shape: [Int]) {
            bytes.add(Array("\n\(name) \(dtype) \(shape)\n".utf8))
        }
    }

    // MARK: Reading

    /// Opens a shard.
    ///
    /// - Parameters:
    ///   - number: Which one.
    ///   - folder: The folder of the cache.
    ///   - isVerified: Whether every byte is compared with the checksum.
    /// - Throws: ``DatasetError`` for a file that is missing, damaged or no shard.
    init(_ number: Int, in folder: URL, isVerified: Bool) throws(DatasetError) {
        let url = LatentShard.url(number, in: folder)
        let file = try LatentShard.open(url)
        func malformed(_ reason: String) -> DatasetError {
            DatasetError(
                .malformed,
                "\(url.path): \(reason). Encode the images again: only this file will be redone."
            )
        }
        func foreign(_ reason: String) -> DatasetError {
            DatasetError(.otherLatents, "\(url.path): \(reason). Choose another folder.")
        }
        guard let text = file.metadata[LatentShard.metadataKey] else {
            throw foreign("it is no part of a latent cache: its metadata lack \"distill.latents\"")
        }
        let record: Record
        do {
            record = try JSONDecoder().decode(Record.self, from: Data(text.utf8))
        } catch {
            throw malformed("its description cannot be read (\(error))")
        }
        guard record.format == 1 else {
            throw foreign("its format \(record.format) is unknown; this version reads format 1")
        }
        guard (1...1 << 40).contains(record.count), (1...1 << 24).contains(record.shardSize),
            record.number == number, number < record.shardCount,
            let storage = record.key.storageType
        else { throw malformed("its description contradicts itself") }
        if isVerified { try LatentShard.verify(file, record, malformed) }

        let entries = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, $0) })
        guard let shape = entries["mean"]?.shape, shape.count == 5,
            shape[0] == record.images.count, shape[1] == (record.key.hasFlips ? 2 : 1),
            shape.allSatisfy({ $0 > 0 }), entries["mean"]?.dtype == storage,
            entries["deviation"].map({ $0.shape == shape && $0.dtype == storage }) ?? true,
            entries["labels"]?.shape == [shape[0]], entries["labels"]?.dtype == .int64,
            let mean = file["mean"], let labels = file["labels"]
        else { throw malformed("its tensors are not those that its description promises") }
        self.record = record
        self.mean = mean
        deviation = file["deviation"]
        self.labels = labels.values()
        guard self.labels.allSatisfy({ record.classNames.indices.contains($0) }) else {
            throw malformed("it has labels that stand for no class")
        }
    }

    private static func open(_ url: URL) throws(DatasetError) -> SafetensorsFile {
        do {
            return try SafetensorsFile(contentsOf: url)
        } catch {
            let code: DatasetError.Code =
                switch error.code {
                case .notFound: .missingFile
                case .unreadable: .unreadableFile
                default: .malformed
                }
            throw DatasetError(
                code,
                "\(error.file): \(error.reason) Encode the images again: only missing and damaged "
                    + "files will be redone.",
                cause: error
            )
        }
    }

    private static func verify(
        _ file: SafetensorsFile,
        _ record: Record,
        _ malformed: (String) -> DatasetError
    ) throws(DatasetError) {
        guard var hash = try? Checksum(record) else {
            throw malformed("its description cannot be written again")
        }
        for entry in file.entries {
            hash.add(entry.name, dtype: entry.dtype, shape: entry.shape)
            hash.bytes.add(UnsafeRawBufferPointer(rebasing: file.bytes(of: entry)))
        }
        withExtendedLifetime(file) {}
        guard hash.bytes.hexadecimalDigest == record.sha256 else {
            throw malformed("its bytes do not match its checksum: it is damaged")
        }
    }
}

extension SafetensorsFile {
    /// The bytes of a tensor; valid as long as the file.
    fileprivate func bytes(of entry: Entry) -> Slice<UnsafeRawBufferPointer> {
        UnsafeRawBufferPointer(mapping.bytes)[entry.range]
    }
}
