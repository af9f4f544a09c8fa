import Foundation
import Images

/// Images in tar shards as WebDataset has them, read where they lie and never unpacked.
///
/// Files whose paths are the same up to the first dot of their name are one sample: an image
/// (`.jpg`, `.jpeg`, `.png`) and its label, a number in a file `.cls`. Archives without any `.cls`
/// hold one folder a class, as ``ImageFolder`` does. Class names come from the folders, or from
/// `classnames.txt` beside the shards, one a line: as they are if they can be folders whose string
/// order is the order of the labels, otherwise with the label in front (`00-t-shirt-top`). Without
/// that file classes are called `00`, `01`, ….
public struct TarShards: LabelledImages {
    private struct Sample: Sendable {
        let shard: Int
        let entry: TarFile.Entry
        let label: Int
    }

    /// The folder of the shards.
    public let folder: URL
    /// The names of the classes, in the order of the labels.
    public let classNames: [String]
    private let shards: [TarFile]
    private let samples: [Sample]

    /// Lists the shards of a folder, in string order.
    ///
    /// - Parameter folder: The folder that holds `*.tar`.
    /// - Throws: ``DatasetError`` if there are none, if one is damaged or compressed, if an image
    ///   has no label or a label no name, or if a class has no images.
    public init(folder: URL) throws {
        self.folder = folder
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let files = names.filter { $0.hasSuffix(".tar") && !$0.hasPrefix(".") }.sorted()
        guard !files.isEmpty else {
            let packed = names.filter { $0.hasSuffix(".tar.gz") || $0.hasSuffix(".tgz") }
            throw DatasetError(
                .missingFile,
                "\(folder.path): there are no tar shards (*.tar) here."
                    + (packed.isEmpty
                        ? "" : " Compressed ones cannot be read in place: decompress them first.")
            )
        }
        shards = try files.map { try TarFile(path: folder.appendingPathComponent($0).path) }
        let found = try shards.enumerated().map { try TarShards.samples(in: $1, number: $0) }
            .flatMap { $0 }
        if found.contains(where: { $0.label != nil }) {
            (classNames, samples) = try TarShards.labelled(found, folder)
        } else {
            (classNames, samples) = try TarShards.byFolder(found, folder)
        }
        try requireImagesInEveryClass()
    }

    private typealias Found = (shard: Int, entry: TarFile.Entry, label: Int?)

    /// The images of a shard and their numbers, in the order of the archive.
    private static func samples(in shard: TarFile, number: Int) throws -> [Found] {
        func parts(_ path: String) -> (key: Substring, ending: String) {
            let start = path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex
            guard let dot = path[start...].firstIndex(of: ".") else { return (path[...], "") }
            return (path[..<dot], path[path.index(after: dot)...].lowercased())
        }
        var labels = [Substring: Int]()
        for entry in shard.entries where parts(entry.name).ending == "cls" {
            let text = String(decoding: try shard.bytes(of: entry), as: UTF8.self)
            guard let label = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)),
                (0..<100_000).contains(label)
            else {
                throw DatasetError(
                    .malformed,
                    "\(shard.path): \(entry.name) should hold the number of a class, but holds "
                        + "\"\(text.prefix(20))\"."
                )
            }
            labels[parts(entry.name).key] = label
        }
        return shard.entries.compactMap { entry in
            let (key, ending) = parts(entry.name)
            // Nothing stands before the dot of a hidden file.
            guard ["jpg", "jpeg", "png"].contains(ending), !key.isEmpty, key.last != "/" else {
                return nil
            }
            return (number, entry, labels[key])
        }
    }

    private static func labelled(
        _ found: [Found],
        _ folder: URL
    ) throws -> (names: [String], samples: [Sample]) {
        let unlabelled = found.filter { $0.label == nil }.map(\.entry.name)
        guard unlabelled.isEmpty else {
            throw DatasetError(
                .malformed,
                "\(folder.path): \(unlabelled.count) of \(found.count) images have no file .cls: "
                    + "\(someOf(unlabelled))."
            )
        }
        let count = (found.compactMap(\.label).max() ?? 0) + 1
        let samples = found.map { Sample(shard: $0.shard, entry: $0.entry, label: $0.label ?? 0) }
        let file = folder.appendingPathComponent("classnames.txt")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            return (ClassNames.numbered(count: count), samples)
        }
        let titles = text.split(whereSeparator: \.isNewline).map(String.init)
        guard titles.count >= count else {
            throw DatasetError(
                .malformed,
                "\(file.path): it names \(titles.count) classes, but there are labels up to "
                    + "\(count - 1). Name all classes."
            )
        }
        // Shards that were exported keep the names of the folders, so that they match other data.
        let areFolders =
            titles == titles.sorted()
            && (try? ClassNames.validate(titles, of: file.path)) != nil
        return (areFolders ? titles : ClassNames.slugs(for: titles), samples)
    }

    private static func byFolder(
        _ found: [Found],
        _ folder: URL
    ) throws -> (names: [String], samples: [Sample]) {
        func className(_ entry: TarFile.Entry) -> String? {
            let parts = entry.name.split(separator: "/").filter { $0 != "." }
            return parts.count > 1 ? String(parts[parts.count - 2]) : nil
        }
        let names = Set(found.compactMap { className($0.entry) }).sorted()
        guard !names.isEmpty else {
            throw DatasetError(
                .noClasses,
                "\(folder.path): the images of the shards have neither labels (files .cls) nor "
                    + "class folders."
            )
        }
        try ClassNames.validate(names, of: folder.path)
        let place = Dictionary(uniqueKeysWithValues: zip(names, names.indices))
        let samples = found.compactMap { item -> Sample? in
            guard let name = className(item.entry), let label = place[name] else { return nil }
            return Sample(shard: item.shard, entry: item.entry, label: label)
        }
        return (names, samples)
    }

    /// The folder of the shards.
    public var name: String { folder.path }

    /// The number of images.
    public var count: Int { samples.count }

    /// The class of an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: A position in ``classNames``.
    public func label(at index: Int) -> Int { samples[index].label }

    /// Reads and decodes an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The image, upright, neither scaled nor cropped.
    /// - Throws: `ImageError` if it cannot be decoded, ``DatasetError`` if it cannot be read.
    public func image(at index: Int) throws -> Image {
        let sample = samples[index]
        return try Image(
            decoding: try shards[sample.shard].bytes(of: sample.entry),
            named: "\(shards[sample.shard].path): \(sample.entry.name)"
        )
    }

    /// Shard and path in it, such as "train-000.tar:n02086240/17.jpg".
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The name.
    public func identifier(at index: Int) -> String {
        let sample = samples[index]
        let shard = URL(fileURLWithPath: shards[sample.shard].path).lastPathComponent
        return "\(shard):\(sample.entry.name)"
    }

    /// The SHA-256 of the image's file.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: 32 bytes.
    /// - Throws: ``DatasetError`` if it cannot be read.
    public func contentDigest(at index: Int) throws -> [UInt8] {
        let sample = samples[index]
        return SHA256.digest(of: try shards[sample.shard].bytes(of: sample.entry))
    }

    /// The image's file.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: Its bytes.
    /// - Throws: ``DatasetError`` if it cannot be read.
    public func storedFile(at index: Int) throws -> StoredImageFile? {
        let sample = samples[index]
        return StoredImageFile(
            bytes: try shards[sample.shard].bytes(of: sample.entry),
            name: sample.entry.name
        )
    }
}
