import Foundation
import Images

/// An image that could not be read.
public struct UnreadableImage: Equatable, Sendable {
    /// What the source calls it.
    public let identifier: String

    /// Why, in one sentence or two.
    public let reason: String
}

/// What to do about images that cannot be read.
public enum UnreadableImagePolicy: String, Codable, CaseIterable, Sendable {
    /// Stop with an error that names them.
    case refuse
    /// Go on without them, and keep a record.
    case skip
}

/// What reading a whole source once has shown.
public struct DatasetScan: Equatable, Sendable {
    /// The number of images that can be read.
    public let readableCount: Int

    /// Those that cannot, in the order of the source.
    public let unreadable: [UnreadableImage]

    /// How many of the readable images are grey; the others are RGB.
    public let greyCount: Int

    /// The smallest and largest width in pixels; `nil` without a readable image.
    public let widths: ClosedRange<Int>?

    /// The smallest and largest height in pixels; `nil` without a readable image.
    public let heights: ClosedRange<Int>?

    /// The positions of the readable images.
    let readableIndices: [Int]
}

extension LabelledImages {
    /// Decodes every image once, on all cores, and tells what was found.
    ///
    /// - Returns: Counts, sizes and the unreadable images by name.
    public func scan() -> DatasetScan {
        let results = Parallel.map(count: count) { index in
            Result {
                let image = try image(at: index)
                return ImageShape(image)
            }
        }
        var found: [ImageShape] = []
        var readableIndices: [Int] = []
        var unreadable: [UnreadableImage] = []
        for (index, result) in results.enumerated() {
            switch result {
            case .success(let image):
                found.append(image)
                readableIndices.append(index)
            case .failure(let error):
                unreadable.append(
                    UnreadableImage(identifier: identifier(at: index), reason: "\(error)")
                )
            }
        }
        func range(_ values: [Int]) -> ClosedRange<Int>? {
            guard let least = values.min(), let most = values.max() else { return nil }
            return least...most
        }
        return DatasetScan(
            readableCount: found.count,
            unreadable: unreadable,
            greyCount: found.count { $0.channels == 1 },
            widths: range(found.map(\.width)),
            heights: range(found.map(\.height)),
            readableIndices: readableIndices
        )
    }

    /// The images that can be read, after reading all of them once.
    ///
    /// - Parameter policy: Whether unreadable images are an error or left out.
    /// - Returns: The readable images, and a record of those left out.
    /// - Throws: ``DatasetError`` naming up to ten unreadable images and their number, or a class
    ///   that is left without images.
    public func checked(
        _ policy: UnreadableImagePolicy = .refuse
    ) throws -> (images: SubsetDataset, skipped: [UnreadableImage]) {
        let scan = scan()
        try refuse(scan.unreadable, under: policy)
        let images = SubsetDataset(of: self, indices: scan.readableIndices)
        try images.requireImagesInEveryClass()
        return (images, scan.unreadable)
    }

    /// Throws if there are unreadable images and the policy does not allow them.
    func refuse(_ unreadable: [UnreadableImage], under policy: UnreadableImagePolicy) throws {
        guard policy == .refuse, !unreadable.isEmpty else { return }
        let reasons = unreadable.map { "\n  \($0.reason)" }
        throw DatasetError(
            .unreadableImages,
            "\(name): \(unreadable.count) of \(count) images cannot be read:"
                + someOf(reasons, separator: "")
                + "\nRepair or remove them."
        )
    }
}
