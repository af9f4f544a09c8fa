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

    /// The real image that it is, or that it began as, as its dataset calls it; `nil` for none.
    public var source: String?

    /// What the name of its file ends with.
    public var fileExtension: String

    /// Describes an image.
    ///
    /// - Parameters:
    ///   - label: The position of the class in the list of classes.
    ///   - index: The number of the image in its class, from 0.
    ///   - seed: The seed of the run that made it.
    ///   - source: The real image that it is, or that it began as; `nil` for none.
    ///   - fileExtension: What the name of its file ends with; that of a copied file.
    public init(
        label: Int,
        index: Int,
        seed: Int,
        source: String? = nil,
        fileExtension: String = "png"
    ) {
        self.label = label
        self.index = index
        self.seed = seed
        self.source = source
        self.fileExtension = fileExtension
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
    ///   - fileExtension: What the name of the file ends with.
    /// - Returns: Its place.
    public func url(label: Int, index: Int, fileExtension: String = "png") -> URL {
        folder.appendingPathComponent("\(classNames[label])/\(index).\(fileExtension)")
    }

    private func fileName(_ entry: SurrogateEntry) -> String {
        "\(classNames[entry.label])/\(entry.index).\(entry.fileExtension)"
    }

    /// Whether an image is there and can be decoded.
    ///
    /// - Parameters:
    ///   - label: The class.
    ///   - index: The number of the image in its class.
    ///   - fileExtension: What the name of the file ends with.
    /// - Returns: Whether it need not be written again.
    public func isComplete(label: Int, index: Int, fileExtension: String = "png") -> Bool {
        let url = url(label: label, index: index, fileExtension: fileExtension)
        return (try? Image(contentsOf: url)) != nil
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

    /// Writes a copy of an image's file, byte by byte.
    ///
    /// - Parameters:
    ///   - file: The file of a real image.
    ///   - label: The class.
    ///   - index: The number of the image in its class.
    /// - Throws: ``DatasetError`` if the disk is full or the folder cannot be written to.
    public func write(copyOf file: StoredImageFile, label: Int, index: Int) throws {
        try OutputFile.write(
            Data(file.bytes),
            to: url(label: label, index: index, fileExtension: file.fileExtension)
        )
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
        let expected = Set(entries.map(fileName))
        let missing = entries.filter {
            !isComplete(label: $0.label, index: $0.index, fileExtension: $0.fileExtension)
        }.map(fileName)
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
        let file = try quoted(fileName(entry))
        let name = try quoted(classNames[entry.label])
        let source = try entry.source.map { ", \"source\": \(try quoted($0))" } ?? ""
        return "{\"file_name\": \(file), \"label\": \(entry.label), \"class\": \(name), "
            + "\"seed\": \(entry.seed), \"index\": \(entry.index)\(source)}"
    }

    private func readme(_ entries: [SurrogateEntry], summary: String) -> String {
        var counts = [Int](repeating: 0, count: classNames.count)
        for entry in entries { counts[entry.label] += 1 }
        let rows = classNames.enumerated().map { "| \($0) | \($1) | \(counts[$0]) |" }
        return """
            # Surrogate dataset

            \(summary)

            \(entries.count) images in \(classNames.count) classes, one folder per class. \
            `metadata.jsonl` has one line per image: file, label, class, seed of the run, \
            number in its class and, where there is one, the real image that it is or began as.

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
