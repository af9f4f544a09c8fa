import Foundation
import Images

/// A source of images with class labels: a folder, a pair of IDX files, a part of another source.
///
/// Labels are positions in ``classNames``. Reading is safe from several threads at once.
public protocol LabelledImages: Sendable {
    /// Where the images come from, for messages: a path or a few words.
    var name: String { get }

    /// The names of the classes; the label of an image is a position in this list.
    var classNames: [String] { get }

    /// The number of images.
    var count: Int { get }

    /// The class of an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: A position in ``classNames``.
    func label(at index: Int) -> Int

    /// Reads and decodes an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The image as it is stored, neither scaled nor cropped.
    /// - Throws: `ImageError` if it cannot be read or decoded.
    func image(at index: Int) throws -> Image

    /// What people call an image: its path inside of the source, or "train-images #17".
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: A name that is unique in this source and the same on every machine.
    func identifier(at index: Int) -> String

    /// The SHA-256 of what is stored for an image: the file's bytes, or size and pixels.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: 32 bytes.
    /// - Throws: `ImageError` if the image cannot be read.
    func contentDigest(at index: Int) throws -> [UInt8]

    /// The file that an image is stored as, for a copy of every byte.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The file; `nil` where images are stored otherwise.
    /// - Throws: `ImageError` or ``DatasetError`` if it cannot be read.
    func storedFile(at index: Int) throws -> StoredImageFile?
}

/// An image as a file holds it.
public struct StoredImageFile: Sendable {
    /// The bytes of a PNG or JPEG file.
    public let bytes: [UInt8]
    /// What its name ends with, in lower case: `png`, `jpg`, `jpeg`.
    public let fileExtension: String

    init(bytes: [UInt8], name: String) {
        self.bytes = bytes
        fileExtension = URL(fileURLWithPath: name).pathExtension.lowercased()
    }
}

extension LabelledImages {
    /// The SHA-256 of the image's size and pixels.
    ///
    /// - Parameter index: 0 to `count` − 1.
    /// - Returns: 32 bytes.
    /// - Throws: `ImageError` if the image cannot be read.
    public func contentDigest(at index: Int) throws -> [UInt8] {
        let image = try image(at: index)
        var hash = SHA256()
        hash.add(Array("\(image.width) \(image.height) \(image.channels)\n".utf8))
        hash.add(image.bytes)
        return hash.digest
    }

    /// None: the images are not stored as files.
    ///
    /// - Parameter index: 0 to `count` − 1.
    /// - Returns: `nil`.
    /// - Throws: Nothing.
    public func storedFile(at index: Int) throws -> StoredImageFile? { nil }
}

// MARK: Classes

extension LabelledImages {
    /// The positions of the images of each class, ascending.
    ///
    /// - Returns: One list a class, in the order of ``classNames``.
    public func indicesByClass() -> [[Int]] {
        var result = [[Int]](repeating: [], count: classNames.count)
        for index in 0..<count { result[label(at: index)].append(index) }
        return result
    }

    /// The positions of the images of one class, ascending.
    ///
    /// - Parameter label: A position in ``classNames``.
    /// - Returns: Positions of images.
    public func indices(ofClass label: Int) -> [Int] {
        (0..<count).filter { self.label(at: $0) == label }
    }

    /// The first images of every class, class by class.
    ///
    /// The order of a source counts: an ``ImageFolder`` has its files in string order, so that
    /// `0.png`, `1.png` and `10.png` are the first three of a hundred. This is how the published
    /// experiments choose "random" images.
    ///
    /// - Parameter count: Images per class, at least 1.
    /// - Returns: `count` images of the first class, then of the second, and so on.
    /// - Throws: ``DatasetError`` naming the classes that have fewer images.
    public func firstPerClass(_ count: Int) throws -> SubsetDataset {
        let byClass = indicesByClass()
        let short = classNames.indices.filter { byClass[$0].count < count }
        guard short.isEmpty else {
            let found = short.map { "\(classNames[$0]) (\(byClass[$0].count))" }
            throw DatasetError(
                .tooFewImages,
                "\(name): \(count) images per class are asked for, but \(short.count) of "
                    + "\(classNames.count) classes have fewer: \(someOf(found)). "
                    + "Ask for fewer images per class."
            )
        }
        return SubsetDataset(of: self, indices: byClass.flatMap { $0.prefix(count) })
    }

    /// The same images with the labels of another list of classes, matched by name.
    ///
    /// - Parameter names: The class names whose positions are to be the labels.
    /// - Returns: A source whose `classNames` are `names`.
    /// - Throws: ``DatasetError`` naming the classes that only one of the lists has.
    public func relabelled(as names: [String]) throws -> SubsetDataset {
        let missing = Set(names).subtracting(classNames).sorted()
        let extra = Set(classNames).subtracting(names).sorted()
        guard missing.isEmpty, extra.isEmpty else {
            var parts: [String] = []
            if !missing.isEmpty { parts.append("it lacks \(someOf(missing))") }
            if !extra.isEmpty { parts.append("only it has \(someOf(extra))") }
            throw DatasetError(
                .differentClasses,
                "\(name): its classes are not the expected \(names.count) ones: "
                    + parts.joined(separator: "; ")
                    + ". Use datasets with the same class names, or choose the common classes."
            )
        }
        let position = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        return SubsetDataset(
            of: self,
            indices: Array(0..<count),
            classNames: names,
            labels: classNames.map { position[$0] ?? 0 }
        )
    }

    /// Only the images of some classes, whose labels are their places in the list.
    ///
    /// - Parameter names: Class names of this source, in the order of the new labels.
    /// - Returns: A source whose `classNames` are `names`.
    /// - Throws: ``DatasetError`` naming the classes that this source lacks.
    public func selecting(classes names: [String]) throws -> SubsetDataset {
        try ClassNames.require(names, among: classNames, of: name)
        let position = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let labels = classNames.map { position[$0] }
        return SubsetDataset(
            of: self,
            indices: (0..<count).filter { labels[label(at: $0)] != nil },
            classNames: names,
            labels: labels.map { $0 ?? 0 }
        )
    }

    /// Throws if a class has no image.
    func requireImagesInEveryClass() throws {
        let empty = zip(classNames, indicesByClass()).filter { $1.isEmpty }.map { $0.0 }
        guard !empty.isEmpty else { return }
        throw DatasetError(
            .emptyClass,
            "\(name): \(empty.count == 1 ? "this class has" : "these classes have") no images: "
                + "\(someOf(empty)). Add images, or leave the class out."
        )
    }
}

/// Up to ten of the items, and how many more there are.
func someOf(_ items: [String], separator: String = ", ") -> String {
    let shown = items.prefix(10).joined(separator: separator)
    return items.count > 10 ? shown + "\(separator)and \(items.count - 10) more" : shown
}
