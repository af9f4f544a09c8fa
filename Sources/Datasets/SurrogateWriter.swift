import Checkpoints
import Foundation
import Images

/// One image of a surrogate dataset: where it is and how it was made.
public struct SurrogateEntry: Codable, Equatable, Sendable {
    /// The label: the position of the class in the list of classes.
    public var label: Int

    /// The number of the image in its class, from 0.
    public var index: Int

    /// The seed of the run that made it.
    public var seed: Int

    /// Describes an image.
    ///
    /// - Parameters:
    ///   - label: The position of the class in the list of classes.
    ///   - index: The number of the image in its class, from 0.
    ///   - seed: The seed of the run that made it.
    public init(label: Int, index: Int, seed: Int) {
        self.label = label
        self.index = index
        self.seed = seed
    }
}

/// Writes a surrogate dataset, image by image, so that it can be interrupted at any moment.
///
/// The folder gets one folder per class with `0.png`, `1.png`, …, then `metadata.jsonl` and
/// `README.md`. It opens with torchvision's `ImageFolder` and with Hugging Face's `imagefolder`.
/// An image appears under its name only when it is complete and on the disk.
///
/// ```swift
/// let writer = try SurrogateWriter(folder: run.appendingPathComponent("surrogate"), classNames: names)
/// for entry in entries where !writer.isComplete(label: entry.label, index: entry.index) {
///     try writer.write(sample(entry), label: entry.label, index: entry.index)
/// }
/// try writer.finish(entries, summary: "Minimax Diffusion, 10 images per class.")
/// ```
public struct SurrogateWriter: Sendable {
    /// The folder of the dataset.
    public let folder: URL

    /// The names of the classes, which are those of their folders.
    public let classNames: [String]

    /// Creates the folder and the class folders, if they are missing.
    ///
    /// - Parameters:
    ///   - folder: The folder of the dataset.
    ///   - classNames: The names of the classes, in the order of the labels.
    /// - Throws: ``DatasetError`` for class names that cannot be folders, or if folders
    ///   cannot be created.
    public init(folder: URL, classNames: [String]) throws {
        try ClassNames.validate(classNames, of: folder.path)
        self.folder = folder
        self.classNames = classNames
        for name in classNames {
            try OutputFile.createFolder(folder.appendingPathComponent(name))
        }
    }

    /// The file of an image.
    ///
    /// - Parameters:
    ///   - label: The class.
    ///   - index: The number of the image in its class.
    /// - Returns: Its place.
    public func url(label: Int, index: Int) -> URL {
        folder.appendingPathComponent(fileName(label: label, index: index))
    }

    private func fileName(label: Int, index: Int) -> String { "\(classNames[label])/\(index).png" }

    /// Whether an image is there and can be decoded.
    ///
    /// - Parameters:
    ///   - label: The class.
    ///   - index: The number of the image in its class.
    /// - Returns: Whether it need not be written again.
    public func isComplete(label: Int, index: Int) -> Bool {
        (try? Image(contentsOf: url(label: label, index: index))) != nil
    }

    /// Writes an image.
    ///
    /// - Parameters:
    ///   - image: The image.
    ///   - label: The class.
    ///   - index: The number of the image in its class.
    /// - Throws: ``DatasetError`` if the disk is full or the folder cannot be written to.
    public func write(_ image: Image, label: Int, index: Int) throws {
        try OutputFile.write(image.pngData(), to: url(label: label, index: index))
    }

    /// Writes `README.md` and `metadata.jsonl`, after all images.
    ///
    /// Removes what killed programs left behind, so nobody may write images any more. The lines
    /// are in the order of the labels, then of the numbers in the class.
    ///
    /// - Parameters:
    ///   - entries: All images of the dataset, in any order.
    ///   - summary: What the dataset is and how it was made, in Markdown; part of the README.
    /// - Throws: ``DatasetError`` if an image is missing or damaged, if the class folders hold
    ///   images that are not among the entries, if the disk is full, or if the folder cannot be
    ///   written to.
    public func finish(_ entries: [SurrogateEntry], summary: String) throws {
        let entries = entries.sorted { ($0.label, $0.index) < ($1.label, $1.index) }
        try requireComplete(entries)
        for name in classNames {
            AtomicFile.removeLeftovers(in: folder.appendingPathComponent(name))
        }
        AtomicFile.removeLeftovers(in: folder)
        let lines = try entries.map { try metadataLine($0) + "\n" }
        try OutputFile.write(
            Data(readme(entries, summary: summary).utf8),
            to: folder.appendingPathComponent("README.md")
        )
        // The last file: with it the dataset is complete.
        try OutputFile.write(
            Data(lines.joined().utf8),
            to: folder.appendingPathComponent("metadata.jsonl")
        )
    }

    private func requireComplete(_ entries: [SurrogateEntry]) throws {
        let expected = Set(entries.map { fileName(label: $0.label, index: $0.index) })
        let missing = entries.filter { !isComplete(label: $0.label, index: $0.index) }
            .map { fileName(label: $0.label, index: $0.index) }
        guard missing.isEmpty else {
            throw DatasetError(
                .incomplete,
                "\(folder.path): \(missing.count) of \(entries.count) images are missing or "
                    + "damaged: \(someOf(missing)). Run the same command again to write them."
            )
        }
        var listing = FolderListing(root: folder.path)
        let strangers = try classNames.flatMap { try listing.images(inClass: $0) }
            .filter { !expected.contains($0) }
        guard strangers.isEmpty else {
            throw DatasetError(
                .incomplete,
                "\(folder.path): it holds \(strangers.count) images that do not belong to the "
                    + "dataset: \(someOf(strangers)). Remove them, or write to another folder."
            )
        }
    }

    /// One line of `metadata.jsonl`.
    private func metadataLine(_ entry: SurrogateEntry) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        func quoted(_ text: String) throws -> String {
            String(decoding: try encoder.encode(text), as: UTF8.self)
        }
        let file = try quoted(fileName(label: entry.label, index: entry.index))
        let name = try quoted(classNames[entry.label])
        return "{\"file_name\": \(file), \"label\": \(entry.label), \"class\": \(name), "
            + "\"seed\": \(entry.seed), \"index\": \(entry.index)}"
    }

    private func readme(_ entries: [SurrogateEntry], summary: String) -> String {
        var counts = [Int](repeating: 0, count: classNames.count)
        for entry in entries { counts[entry.label] += 1 }
        let rows = classNames.enumerated().map { "| \($0) | \($1) | \(counts[$0]) |" }
        return """
            # Surrogate dataset

            \(summary)

            \(entries.count) images in \(classNames.count) classes, one folder per class. \
            `metadata.jsonl` has one line per image: file, label, class, seed of the run, and \
            number in its class.

            ```python
            torchvision.datasets.ImageFolder("\(folder.lastPathComponent)")
            datasets.load_dataset("imagefolder", data_dir="\(folder.lastPathComponent)")
            ```

            | label | class | images |
            | ---: | --- | ---: |
            \(rows.joined(separator: "\n"))

            """
    }
}
