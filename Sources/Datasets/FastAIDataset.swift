import Foundation
import Images

/// ImageWoof or ImageNette as fastai distributes them, in the split of ImageNet.
///
/// fastai mixed the images of both parts of ImageNet and split them again: 9,025 and 3,929 images
/// of ImageWoof in `train/` and `val/`. The published numbers of dataset distillation are for
/// ImageNet's own split, 12,454 and 500. The names of the files tell it: ImageNet's validation
/// images are called `ILSVRC2012_val_…`, in whichever folder they lie.
public struct FastAIDataset: LabelledImages {
    private struct Place: Sendable {
        let part: Int
        let index: Int
    }

    /// The folder that holds `train/` and `val/`.
    public let root: URL
    /// Which part of ImageNet's split it is.
    public let split: IDXDataset.Split
    /// The names of the class folders, in the order of the labels.
    public let classNames: [String]
    private let parts: [ImageFolder]
    private let places: [Place]

    private static let folders = ["train", "val"]

    /// Lists both folders.
    ///
    /// - Parameters:
    ///   - root: The folder that holds `train/` and `val/`, such as `imagewoof2`.
    ///   - split: Which part of ImageNet's split is wanted.
    ///   - classes: The classes to use, in the order of the labels; all, in string order, if it is
    ///     `nil`.
    /// - Throws: ``DatasetError`` if a folder or a class is missing, if the folders have different
    ///   classes, or if a class has no image in this part.
    public init(_ root: URL, split: IDXDataset.Split, classes: [String]? = nil) throws {
        self.root = root
        self.split = split
        parts = try FastAIDataset.folders.map {
            try ImageFolder(root.appendingPathComponent($0, isDirectory: true), classes: classes)
        }
        classNames = parts[0].classNames
        guard parts[1].classNames == classNames else {
            throw DatasetError(
                .differentClasses,
                "\(root.path): train and val have different class folders, but both are needed "
                    + "for ImageNet's split. Fetch the dataset again."
            )
        }
        var found = [(label: Int, file: Substring, place: Place)]()
        for (number, part) in parts.enumerated() {
            for index in 0..<part.count {
                let file = part.identifier(at: index).split(separator: "/").last ?? ""
                guard FastAIDataset.part(ofFile: file) == split else { continue }
                found.append((part.label(at: index), file, Place(part: number, index: index)))
            }
        }
        // Class by class in the order of the files' names, as ImageNet's folder has them: "the
        // first images of a class" are then those of the published experiments.
        found.sort { ($0.label, $0.file) < ($1.label, $1.file) }
        places = found.map(\.place)
        try requireImagesInEveryClass()
    }

    /// The part of ImageNet's split that a file belongs to.
    private static func part(ofFile name: Substring) -> IDXDataset.Split {
        name.hasPrefix("ILSVRC2012_val_") ? .test : .train
    }

    /// The path of the root.
    public var name: String { root.path }

    /// The number of images.
    public var count: Int { places.count }

    /// The class of an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: A position in ``classNames``.
    public func label(at index: Int) -> Int {
        parts[places[index].part].label(at: places[index].index)
    }

    /// Reads and decodes an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The image, neither scaled nor cropped.
    /// - Throws: `ImageError` if it cannot be read or decoded.
    public func image(at index: Int) throws -> Image {
        try parts[places[index].part].image(at: places[index].index)
    }

    /// The path inside of the root, such as "val/n02086240/ILSVRC2012_val_00000907.JPEG".
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The path.
    public func identifier(at index: Int) -> String {
        let place = places[index]
        let folder = FastAIDataset.folders[place.part]
        return "\(folder)/\(parts[place.part].identifier(at: place.index))"
    }

    /// The SHA-256 of the file.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: 32 bytes.
    /// - Throws: `ImageError` if it cannot be read.
    public func contentDigest(at index: Int) throws -> [UInt8] {
        try parts[places[index].part].contentDigest(at: places[index].index)
    }

    /// The image's file.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: Its bytes.
    /// - Throws: `ImageError` if it cannot be read.
    public func storedFile(at index: Int) throws -> StoredImageFile? {
        try parts[places[index].part].storedFile(at: places[index].index)
    }
}
