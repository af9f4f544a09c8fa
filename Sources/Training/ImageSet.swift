import Torch

/// A labelled set of images of one size that lies in memory as a whole, one byte a value, or as
/// many as images that were optimised need to lose nothing.
public struct ImageSet {
    /// [N, C, H, W]: uint8, or float32 in units of 0 (black) to 1 (white).
    public let images: Tensor
    /// The class of every image, from 0.
    public let labels: [Int]
    /// The name of every class.
    public let classNames: [String]

    /// Puts images and labels together.
    ///
    /// - Parameters:
    ///   - images: [N, C, H, W]: uint8, or float32 in units of 0 (black) to 1 (white).
    ///   - labels: The class of every image, an index into `classNames`.
    ///   - classNames: The name of every class, all different.
    /// - Throws: `TrainingError` if they do not fit each other.
    public init(images: Tensor, labels: [Int], classNames: [String]) throws(TrainingError) {
        let isKnownType = images.dtype == .uint8 || images.dtype == .float32
        guard images.rank == 4, isKnownType, !images.shape.contains(0) else {
            throw TrainingError(
                .malformedSet,
                "The images must be a uint8 or float32 tensor [N, C, H, W] with at least one "
                    + "element; they are \(images.dtype)\(images.shape)."
            )
        }
        guard images.size(along: 0) == labels.count else {
            throw TrainingError(
                .malformedSet,
                "There are \(images.size(along: 0)) images, but \(labels.count) labels."
            )
        }
        if let label = labels.first(where: { !classNames.indices.contains($0) }) {
            throw TrainingError(
                .malformedSet,
                "An image has the label \(label), but there are \(classNames.count) classes, "
                    + "numbered from 0."
            )
        }
        if let name = ImageSet.firstRepeated(classNames) {
            throw TrainingError(.malformedSet, "Two classes have the name \"\(name)\".")
        }
        self.images = images
        self.labels = labels
        self.classNames = classNames
    }

    private static func firstRepeated(_ names: [String]) -> String? {
        var seen = Set<String>()
        return names.first { !seen.insert($0).inserted }
    }

    /// N, number of images.
    public var count: Int { labels.count }
    /// C, 1 for grey images and 3 for colour.
    public var channels: Int { images.size(along: 1) }
    /// H, pixels.
    public var height: Int { images.size(along: 2) }
    /// W, pixels.
    public var width: Int { images.size(along: 3) }
    /// Number of classes.
    public var classCount: Int { classNames.count }

    /// Number of images of every class.
    public var imagesPerClass: [Int] {
        labels.reduce(into: [Int](repeating: 0, count: classCount)) { $0[$1] += 1 }
    }

    /// Some of the images, in the given order, with values from 0 to 1: [B, C, H, W], float32.
    public func batch(_ places: [Int]) -> Tensor {
        unitValues(images.gathered(places))
    }

    /// Neighbouring images with values from 0 to 1: [B, C, H, W], float32.
    public func batch(_ places: Range<Int>) -> Tensor {
        unitValues(images[places])
    }

    private func unitValues(_ x: Tensor) -> Tensor {
        x.dtype == .uint8 ? x.converted(to: .float32) / 255 : x
    }

    /// The same set on another device.
    public func moved(to device: Device) -> ImageSet {
        ImageSet(
            uncheckedImages: images.moved(to: device),
            labels: labels,
            classNames: classNames
        )
    }

    private init(uncheckedImages: Tensor, labels: [Int], classNames: [String]) {
        images = uncheckedImages
        self.labels = labels
        self.classNames = classNames
    }

    /// Makes sure that every class has an image.
    ///
    /// - Parameter subject: What the set is called in the message.
    /// - Throws: `TrainingError` that names the empty classes.
    public func requireImagesInEveryClass(_ subject: String) throws(TrainingError) {
        let empty = zip(classNames, imagesPerClass).filter { $1 == 0 }.map(\.0)
        guard !empty.isEmpty else { return }
        throw TrainingError(
            .emptyClass,
            "\(subject) has no image of \(listed(empty)). Add images, or remove the class from "
                + "all sets."
        )
    }

    /// The same images with the classes numbered as in another set, matched by name.
    ///
    /// - Parameters:
    ///   - names: The class names of the other set.
    ///   - subject: What this set is called in the message.
    ///   - other: What the other set is called in the message.
    /// - Returns: The set with its labels translated.
    /// - Throws: `TrainingError` that names the classes which only one of the sets has.
    public func relabelled(
        toMatch names: [String],
        subject: String,
        other: String
    ) throws(TrainingError) -> ImageSet {
        let translation = try ClassMatching.translation(
            from: classNames,
            to: names,
            subject: subject,
            other: other
        )
        return ImageSet(
            uncheckedImages: images,
            labels: labels.map { translation[$0] },
            classNames: names
        )
    }
}
