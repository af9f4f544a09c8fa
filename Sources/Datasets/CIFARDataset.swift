import Foundation
import Images

/// CIFAR-10 or CIFAR-100 in the binary version (Krizhevsky, 2009): 32×32 pixels in colour.
///
/// The folder holds `data_batch_1.bin` … `data_batch_5.bin` and `test_batch.bin` (CIFAR-10), or
/// `train.bin` and `test.bin` (CIFAR-100, of which the 100 fine labels are used). A record is one
/// byte of label (CIFAR-100: two, coarse and fine), then the red, the green and the blue plane.
/// All images are kept in memory: 154 MB for a training set.
public struct CIFARDataset: LabelledImages {
    /// Which of the two it is.
    public enum Variant: String, Codable, Sendable {
        /// 10 classes.
        case cifar10
        /// 100 classes.
        case cifar100

        fileprivate var classCount: Int { self == .cifar10 ? 10 : 100 }
        /// Bytes before the pixels; the last of them is the label.
        fileprivate var labelBytes: Int { self == .cifar10 ? 1 : 2 }
        /// The file with one class name a line.
        fileprivate var namesFile: String {
            self == .cifar10 ? "batches.meta.txt" : "fine_label_names.txt"
        }

        fileprivate func files(_ split: IDXDataset.Split) -> [String] {
            switch (self, split) {
            case (.cifar10, .train): (1...5).map { "data_batch_\($0).bin" }
            case (.cifar10, .test): ["test_batch.bin"]
            case (.cifar100, .train): ["train.bin"]
            case (.cifar100, .test): ["test.bin"]
            }
        }
    }

    /// Pixels a side.
    public static let side = 32
    private static let pixelCount = 3 * side * side

    /// The folder of the files.
    public let folder: URL
    /// The part that was read.
    public let split: IDXDataset.Split
    /// CIFAR-10 or CIFAR-100, told by the names of the files.
    public let variant: Variant
    /// `00-airplane` and so on, from the file of names; `00`, `01`, … without it.
    public let classNames: [String]

    private let records: [ArraySlice<UInt8>]
    private let recordsPerFile: [Int]
    private let labels: [UInt8]

    /// Reads a split.
    ///
    /// - Parameters:
    ///   - folder: The folder of the files.
    ///   - split: The part to read.
    /// - Throws: ``DatasetError`` if a file is missing or cut short, if a label has no class, or
    ///   if a class has no images.
    public init(folder: URL, split: IDXDataset.Split) throws {
        self.folder = folder
        self.split = split
        let has = { (name: String) in
            FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path)
        }
        let variant: Variant = has("train.bin") || has("test.bin") ? .cifar100 : .cifar10
        self.variant = variant
        let size = variant.labelBytes + CIFARDataset.pixelCount
        var labels = [UInt8]()
        var records = [ArraySlice<UInt8>]()
        for name in variant.files(split) {
            let path = folder.appendingPathComponent(name).path
            let bytes = try CIFARDataset.read(path)
            guard !bytes.isEmpty, bytes.count % size == 0 else {
                throw DatasetError(
                    .truncated,
                    "\(path): a file of \(variant.rawValue) is a whole number of records of "
                        + "\(size) bytes, but it has \(bytes.count) bytes. Fetch it again."
                )
            }
            for start in stride(from: 0, to: bytes.count, by: size) {
                let label = bytes[start + variant.labelBytes - 1]
                guard label < variant.classCount else {
                    throw DatasetError(
                        .malformed,
                        "\(path): record \(start / size) has the label \(label), but "
                            + "\(variant.rawValue) has \(variant.classCount) classes. Fetch the "
                            + "file again, in the binary version."
                    )
                }
                labels.append(label)
            }
            records.append(bytes[...])
        }
        self.labels = labels
        self.records = records
        recordsPerFile = records.map { $0.count / size }
        classNames = try CIFARDataset.names(folder, variant)
        try requireImagesInEveryClass()
    }

    private static func read(_ path: String) throws -> [UInt8] {
        do {
            return try FileBytes.read(path: path, limit: 1 << 32)
        } catch {
            throw DatasetError(
                error == .missing ? .missingFile : .unreadableFile,
                "\(path) \(error). Name the folder that holds the files of CIFAR's binary version.",
                cause: error
            )
        }
    }

    private static func names(_ folder: URL, _ variant: Variant) throws -> [String] {
        let file = folder.appendingPathComponent(variant.namesFile)
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            return ClassNames.numbered(count: variant.classCount)
        }
        let titles = text.split(whereSeparator: \.isNewline).map {
            $0.trimmingCharacters(in: .whitespaces)
        }.filter { !$0.isEmpty }
        guard titles.count == variant.classCount else {
            throw DatasetError(
                .malformed,
                "\(file.path): expected \(variant.classCount) class names, found \(titles.count). "
                    + "Fetch it again, or remove it to have classes numbered."
            )
        }
        return ClassNames.slugs(for: titles)
    }

    /// The folder and the split, for messages.
    public var name: String { "\(folder.path) (\(split.rawValue))" }

    /// The number of images.
    public var count: Int { labels.count }

    /// The class of an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: A position in ``classNames``.
    public func label(at index: Int) -> Int { Int(labels[index]) }

    /// An image in colour.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The image.
    public func image(at index: Int) -> Image {
        var file = 0
        var place = index
        while place >= recordsPerFile[file] {
            place -= recordsPerFile[file]
            file += 1
        }
        let size = variant.labelBytes + CIFARDataset.pixelCount
        let start = records[file].startIndex + place * size + variant.labelBytes
        let planes = records[file][start..<start + CIFARDataset.pixelCount]
        let area = CIFARDataset.side * CIFARDataset.side
        let bytes = (0..<area).flatMap { pixel in
            (0..<3).map { planes[start + $0 * area + pixel] }
        }
        return Image(
            width: CIFARDataset.side,
            height: CIFARDataset.side,
            channels: 3,
            bytes: bytes
        )
    }

    /// The split and the position in it, such as "train #17".
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The name.
    public func identifier(at index: Int) -> String { "\(split.rawValue) #\(index)" }
}
