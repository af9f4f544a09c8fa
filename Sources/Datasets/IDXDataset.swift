import Foundation
import Images

/// Images in the format of MNIST and Fashion-MNIST: one file of images, one of labels.
///
/// The folder holds `train-images-idx3-ubyte` and `train-labels-idx1-ubyte` or, for the test
/// split, `t10k-…`; each may be compressed (`.gz`), and a dot may stand for the last but one
/// hyphen. All images are kept in memory.
public struct IDXDataset: LabelledImages {
    /// A part of the dataset.
    public enum Split: String, Codable, CaseIterable, Sendable {
        /// The training images, 60,000 in MNIST.
        case train
        /// The test images, 10,000 in MNIST.
        case test

        /// The beginning of the files' names.
        fileprivate var filePrefix: String { self == .train ? "train" : "t10k" }
    }

    /// The ten classes of Fashion-MNIST as its authors call them.
    public static let fashionMNISTTitles = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    ]

    /// The folder of the files.
    public let folder: URL

    /// The part that was read.
    public let split: Split

    /// The names of the classes, in the order of the labels.
    public let classNames: [String]

    /// Pixels in a row of every image.
    public let width: Int

    /// Rows of every image.
    public let height: Int

    private let pixels: ArraySlice<UInt8>
    private let labels: [UInt8]

    /// Reads a split.
    ///
    /// - Parameters:
    ///   - folder: The folder of the files.
    ///   - split: The part to read.
    ///   - classNames: The names of the classes, in the order of the labels. Without them
    ///     Fashion-MNIST is recognised by its labels and gets `00-t-shirt-top` and so on; others
    ///     get `00`, `01`, ….
    /// - Throws: ``DatasetError`` if a file is missing, damaged or cut short, if the numbers of
    ///   images and labels differ, if a label has no class, or if a class has no images.
    public init(folder: URL, split: Split, classNames: [String]? = nil) throws {
        self.folder = folder
        self.split = split
        let images = try IDXFile(
            path: Self.find("\(split.filePrefix)-images", dimensionCount: 3, in: folder),
            dimensionCount: 3
        )
        let labels = try IDXFile(
            path: Self.find("\(split.filePrefix)-labels", dimensionCount: 1, in: folder),
            dimensionCount: 1
        )
        guard images.shape[0] == labels.shape[0] else {
            throw DatasetError(
                .malformed,
                "\(images.path) holds \(images.shape[0]) images, but \(labels.path) holds "
                    + "\(labels.shape[0]) labels. Fetch both files from the same place."
            )
        }
        height = images.shape[1]
        width = images.shape[2]
        pixels = images.values
        self.labels = Array(labels.values)

        let largest = Int(self.labels.max() ?? 0)
        if let classNames {
            try ClassNames.validate(classNames, of: folder.path)
            guard largest < classNames.count else {
                throw DatasetError(
                    .malformed,
                    "\(labels.path): there are \(classNames.count) classes, labels 0 to "
                        + "\(classNames.count - 1), but it has the label \(largest). "
                        + "Name all classes, or fetch the file again."
                )
            }
            self.classNames = classNames
        } else if Self.isFashionMNIST(self.labels) {
            self.classNames = ClassNames.slugs(for: Self.fashionMNISTTitles)
        } else {
            self.classNames = ClassNames.numbered(count: largest + 1)
        }
        try requireImagesInEveryClass()
    }

    /// Whether these are the labels of a split of Fashion-MNIST (all of them, or the first
    /// thousands of them): the first 20 are.
    private static func isFashionMNIST(_ labels: [UInt8]) -> Bool {
        let train: [UInt8] = [9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9, 5, 5, 7, 9, 1, 0, 6, 4]
        let test: [UInt8] = [9, 2, 1, 1, 6, 1, 4, 6, 5, 7, 4, 5, 7, 3, 4, 1, 2, 4, 8, 0]
        return labels.max() == 9 && (labels.starts(with: train) || labels.starts(with: test))
    }

    /// The path of the first file there is of the usual names.
    private static func find(_ stem: String, dimensionCount: Int, in folder: URL) throws -> String {
        let names = ["-", "."].flatMap { separator in
            ["", ".gz"].map { "\(stem)\(separator)idx\(dimensionCount)-ubyte\($0)" }
        }
        let paths = names.map { folder.appendingPathComponent($0).path }
        // Some archives unpack to folders of these names, beside the files or around them.
        let isFile = { (path: String) in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
                && !isFolder.boolValue
        }
        guard let path = paths.first(where: isFile) else {
            throw DatasetError(
                .missingFile,
                "\(folder.path): there is no \(names[0]) here, compressed (.gz) or not. "
                    + "Name the folder that holds the four IDX files."
            )
        }
        return path
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

    /// An image, grey.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The image.
    public func image(at index: Int) -> Image {
        let start = pixels.startIndex + index * width * height
        return Image(
            width: width,
            height: height,
            channels: 1,
            bytes: Array(pixels[start..<(start + width * height)])
        )
    }

    /// The file's stem and the position in it, such as "train-images #17".
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The name.
    public func identifier(at index: Int) -> String { "\(split.filePrefix)-images #\(index)" }
}
