import Torch

/// A labelled set of images of one size: in memory, or read from its files batch by batch.
///
/// One byte a value, or as many as images that were optimised need to lose nothing.
public struct ImageSet {
    /// Where the images are.
    private enum Storage {
        /// [N, C, H, W]: uint8, or float32 in units of 0 (black) to 1 (white); and the device that
        /// batches are moved to.
        case memory(Tensor, Device)
        /// Files, and the same.
        case files(ImageStream, Device)
    }

    private let storage: Storage
    /// The class of every image, from 0.
    public let labels: [Int]
    /// The name of every class.
    public let classNames: [String]
    /// C, 1 for grey images and 3 for colour.
    public let channels: Int
    /// H, pixels.
    public let height: Int
    /// W, pixels.
    public let width: Int

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
        try self.init(
            checking: .memory(images, images.device),
            shape: images.shape,
            labels: labels,
            classNames: classNames
        )
    }

    /// Puts images that stay in their files and labels together.
    ///
    /// - Parameters:
    ///   - stream: The images.
    ///   - labels: The class of every image, an index into `classNames`.
    ///   - classNames: The name of every class, all different.
    /// - Throws: `TrainingError` if they do not fit each other.
    public init(
        reading stream: ImageStream,
        labels: [Int],
        classNames: [String]
    ) throws(TrainingError) {
        try self.init(
            checking: .files(stream, .cpu),
            shape: [stream.count, stream.channels, stream.height, stream.width],
            labels: labels,
            classNames: classNames
        )
    }

    private init(
        checking storage: Storage,
        shape: [Int],
        labels: [Int],
        classNames: [String]
    ) throws(TrainingError) {
        guard shape[0] == labels.count else {
            throw TrainingError(
                .malformedSet,
                "There are \(shape[0]) images, but \(labels.count) labels."
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
        self.init(storage, shape: shape, labels: labels, classNames: classNames)
    }

    private static func firstRepeated(_ names: [String]) -> String? {
        var seen = Set<String>()
        return names.first { !seen.insert($0).inserted }
    }

    /// N, number of images.
    public var count: Int { labels.count }
    /// Number of classes.
    public var classCount: Int { classNames.count }

    /// Number of images of every class.
    public var imagesPerClass: [Int] {
        labels.reduce(into: [Int](repeating: 0, count: classCount)) { $0[$1] += 1 }
    }

    /// All images, [N, C, H, W]: uint8, or float32 from 0 to 1.
    ///
    /// Only of sets in memory. They may lie on another device than the batches.
    public var images: Tensor {
        guard case .memory(let images, _) = storage else {
            trap("ImageSet.images: this set stays in its files; read it batch by batch")
        }
        return images
    }

    /// Whether the images are read from their files whenever they are needed.
    public var isStreamed: Bool {
        if case .files = storage { true } else { false }
    }

    /// Where batches are.
    public var device: Device {
        switch storage {
        case .memory(_, let device), .files(_, let device): device
        }
    }

    /// Some of the images, in the given order, as they are stored: [B, C, H, W].
    ///
    /// - Parameter places: Positions of images.
    /// - Returns: The images.
    /// - Throws: The error of an image that cannot be read, if the set stays in its files.
    func stored(_ places: [Int]) throws -> Tensor {
        switch storage {
        case .memory(let images, let device): images.gathered(places).moved(to: device)
        case .files(let stream, let device): try stream.load(places).moved(to: device)
        }
    }

    /// Some of the images, in the given order, wherever they are, with values from 0 to 1: [B, C,
    /// H, W], float32.
    ///
    /// - Parameter places: Positions of images.
    /// - Returns: The images.
    /// - Throws: The error of an image that cannot be read, if the set stays in its files.
    public func reading(_ places: [Int]) throws -> Tensor { unitValues(try stored(places)) }

    /// Some of the images of a set in memory, in the given order, with values from 0 to 1: [B, C,
    /// H, W], float32.
    public func batch(_ places: [Int]) -> Tensor {
        unitValues(images.gathered(places).moved(to: device))
    }

    /// Neighbouring images of a set in memory with values from 0 to 1: [B, C, H, W], float32.
    public func batch(_ places: Range<Int>) -> Tensor {
        unitValues(images[places].moved(to: device))
    }

    private func unitValues(_ x: Tensor) -> Tensor {
        x.dtype == .uint8 ? x.converted(to: .float32) / 255 : x
    }

    /// Begins to read the images that will be asked for next, if they stay in files.
    func prepare(_ places: @autoclosure () -> [Int]) {
        if case .files(let stream, _) = storage { stream.prepare(places()) }
    }

    /// Some of the images as a set of its own, with all classes.
    ///
    /// - Parameter places: Positions of images.
    /// - Returns: The images in the given order.
    public func subset(_ places: [Int]) -> ImageSet {
        let storage: Storage =
            switch storage {
            case .memory(let images, let device): .memory(images.gathered(places), device)
            case .files(let stream, let device): .files(stream.subset(places), device)
            }
        return ImageSet(
            storage,
            shape: [places.count, channels, height, width],
            labels: places.map { labels[$0] },
            classNames: classNames
        )
    }

    /// The same set with batches on another device.
    ///
    /// The images go there, too, unless they would take much of a GPU's memory.
    ///
    /// - Parameters:
    ///   - device: Where batches are needed.
    ///   - limit: The most bytes of images to keep there; nil: an eighth of its memory.
    /// - Returns: The set.
    public func moved(to device: Device, keepingAtMost limit: Int? = nil) -> ImageSet {
        let storage: Storage
        switch self.storage {
        case .memory(let images, _):
            let largest = limit ?? Memory.totalBytes(of: device) / 8
            let fits = images.count * images.dtype.byteCount <= largest
            storage = .memory(images.moved(to: fits ? device : .cpu), device)
        case .files(let stream, _):
            storage = .files(stream, device)
        }
        return ImageSet(storage, shape: shape, labels: labels, classNames: classNames)
    }

    private var shape: [Int] { [count, channels, height, width] }

    private init(_ storage: Storage, shape: [Int], labels: [Int], classNames: [String]) {
        self.storage = storage
        (channels, height, width) = (shape[1], shape[2], shape[3])
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
            storage,
            shape: shape,
            labels: labels.map { translation[$0] },
            classNames: names
        )
    }
}
