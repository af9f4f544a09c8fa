import Foundation
import Images

/// Images in one folder per class: `root/<class>/<file>`.
///
/// Classes and files are in string order, byte by byte, as Python's `sorted` has them; the order
/// equals that of torchvision's `ImageFolder`. Files may be PNG or JPEG and lie in folders below
/// the class folder. Symbolic links are followed. Hidden files and files that are no images are
/// left out and counted. Nothing is decoded before it is asked for.
public struct ImageFolder: LabelledImages {
    /// Files that were left out.
    public struct Ignored: Equatable, Sendable {
        /// Files and folders whose names start with a dot.
        public internal(set) var hiddenCount = 0

        /// Files whose names do not end like those of images.
        public internal(set) var otherCount = 0

        /// The first few of the others, as paths inside of the root.
        public internal(set) var examples: [String] = []
    }

    /// The folder that holds the class folders.
    public let root: URL

    /// The names of the class folders, in the order of the labels.
    public let classNames: [String]

    /// What was left out.
    public let ignored: Ignored

    /// Whether pictures are turned as their Exif orientation asks for.
    public let orientation: OrientationPolicy

    private let files: [String]
    private let labels: [Int]

    /// Lists a folder.
    ///
    /// - Parameters:
    ///   - root: The folder that holds the class folders.
    ///   - classes: The classes to use, in the order of the labels; all, in string order, if it
    ///     is `nil`.
    ///   - orientation: Whether pictures are turned as their Exif orientation asks for.
    /// - Throws: ``DatasetError`` if the folder does not exist or has no class folders, if a
    ///   class that was asked for is missing, or if a class has no images.
    public init(
        _ root: URL,
        classes: [String]? = nil,
        orientation: OrientationPolicy = .upright
    ) throws {
        self.root = root
        self.orientation = orientation
        var listing = FolderListing(root: root.path)
        let found = try listing.classFolders()
        if let classes {
            try ClassNames.require(
                classes,
                among: found,
                of: root.path,
                fault: "have no folder"
            )
        }
        let names = classes ?? found
        let twins = Dictionary(grouping: names) { $0 }.filter { $1.count > 1 }.keys.sorted()
        guard twins.isEmpty else {
            throw DatasetError(
                .badClassName,
                "\(root.path) has two folders whose names differ only in how an accent is encoded "
                    + "(NFC and NFD): \(twins.joined(separator: ", ")). Put their images into one."
            )
        }
        var files: [String] = []
        var labels: [Int] = []
        for (label, name) in names.enumerated() {
            let inClass = try listing.images(inClass: name)
            files += inClass
            labels += [Int](repeating: label, count: inClass.count)
        }
        classNames = names
        self.files = files
        self.labels = labels
        ignored = listing.ignored
        try requireImagesInEveryClass()
    }

    /// The path of the root.
    public var name: String { root.path }

    /// The number of images.
    public var count: Int { files.count }

    /// The class of an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: A position in ``classNames``.
    public func label(at index: Int) -> Int { labels[index] }

    /// The file of an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: Its place.
    public func url(at index: Int) -> URL { root.appendingPathComponent(files[index]) }

    /// Reads and decodes an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The image, neither scaled nor cropped.
    /// - Throws: `ImageError` if it cannot be read or decoded.
    public func image(at index: Int) throws -> Image {
        try Image(contentsOf: url(at: index), orientation: orientation)
    }

    /// The path inside of the root, such as "n02086240/17.JPEG".
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The path.
    public func identifier(at index: Int) -> String { files[index] }

    /// The SHA-256 of the file.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: 32 bytes.
    /// - Throws: `ImageError` if it cannot be read.
    public func contentDigest(at index: Int) throws -> [UInt8] {
        SHA256.digest(of: try Image.fileBytes(at: url(at: index)))
    }

    /// The image's file.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: Its bytes.
    /// - Throws: `ImageError` if it cannot be read.
    public func storedFile(at index: Int) throws -> StoredImageFile? {
        StoredImageFile(bytes: try Image.fileBytes(at: url(at: index)), name: files[index])
    }
}
