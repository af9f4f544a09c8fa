import Images
import Torch

/// Some images of another source, in an order of their own.
public struct SubsetDataset: LabelledImages {
    /// The source of the images.
    public let base: any LabelledImages

    /// The positions in ``base`` of the images, in the order of this source.
    public let indices: [Int]

    /// The names of the classes.
    public let classNames: [String]

    /// The label here of each label of the base; `nil` if they are the same.
    private let newLabels: [Int]?

    /// Chooses images; the classes stay as they are, even if one is left without images.
    ///
    /// Traps if a position lies outside of `base`.
    ///
    /// - Parameters:
    ///   - base: The source of the images.
    ///   - indices: Positions in `base`, in the wanted order.
    public init(of base: some LabelledImages, indices: [Int]) {
        self.init(of: base, indices: indices, classNames: base.classNames, labels: nil)
    }

    init(of base: some LabelledImages, indices: [Int], classNames: [String], labels: [Int]?) {
        guard indices.allSatisfy({ 0..<base.count ~= $0 }) else {
            trap("SubsetDataset: \(base.name) has \(base.count) images; an index is outside.")
        }
        self.base = base
        self.indices = indices
        self.classNames = classNames
        self.newLabels = labels
    }

    /// The name of the base.
    public var name: String { base.name }

    /// The number of chosen images.
    public var count: Int { indices.count }

    /// The class of an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: A position in ``classNames``.
    public func label(at index: Int) -> Int {
        let label = base.label(at: indices[index])
        return newLabels?[label] ?? label
    }

    /// Reads and decodes an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The image as it is stored.
    /// - Throws: `ImageError` if it cannot be read or decoded.
    public func image(at index: Int) throws -> Image { try base.image(at: indices[index]) }

    /// What the base calls an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: The name.
    public func identifier(at index: Int) -> String { base.identifier(at: indices[index]) }

    /// The SHA-256 of what is stored for an image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: 32 bytes.
    /// - Throws: `ImageError` if the image cannot be read.
    public func contentDigest(at index: Int) throws -> [UInt8] {
        try base.contentDigest(at: indices[index])
    }

    /// The image's file.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: Its bytes.
    /// - Throws: `ImageError` or ``DatasetError`` if it cannot be read.
    public func storedFile(at index: Int) throws -> StoredImageFile? {
        try base.storedFile(at: indices[index])
    }
}
