import Foundation
import Images

/// Width, height and channels of an image.
struct ImageShape: Equatable, Sendable, CustomStringConvertible {
    var width: Int
    var height: Int
    var channels: Int

    init(_ image: Image) {
        (width, height, channels) = (image.width, image.height, image.channels)
    }

    var byteCount: Int { width * height * channels }

    var description: String { "\(width)×\(height) \(channels == 1 ? "grey" : "RGB")" }
}

/// Images of one size, side by side in memory: N × H × W × C bytes and the labels.
package struct PackedImages: Sendable {
    /// The number of images.
    package let count: Int
    /// Rows of every image.
    package let height: Int
    /// Pixels in a row of every image.
    package let width: Int
    /// 1 (grey) or 3 (RGB).
    package let channels: Int
    /// `count` × `height` × `width` × `channels` values.
    package let bytes: [UInt8]
    /// The class of every image, a position in ``classNames``.
    package let labels: [Int]
    /// The names of the classes.
    package let classNames: [String]
    /// The position in the source of every image.
    package let indices: [Int]
    /// Images that could not be read and were left out.
    package let skipped: [UnreadableImage]

    /// Loads and prepares all images of a source, on all cores.
    ///
    /// - Parameters:
    ///   - images: The source.
    ///   - preparation: What is done to every image.
    ///   - policy: Whether images that cannot be read are an error or left out.
    /// - Throws: ``DatasetError`` naming unreadable images, or the first image whose size or
    ///   channels differ from the others'.
    package init(
        loading images: some LabelledImages,
        preparation: ImagePreparation,
        unreadable policy: UnreadableImagePolicy = .refuse
    ) throws {
        @Sendable func prepared(_ index: Int) throws -> Image {
            try preparation(try images.image(at: index), named: images.identifier(at: index))
        }

        // The first image that can be read decides what all of them must look like.
        var model: (index: Int, shape: ImageShape)?
        for index in 0..<images.count where model == nil {
            model = (try? prepared(index)).map { (index, ImageShape($0)) }
        }
        let shape = model?.shape
        let stride = shape?.byteCount ?? 0

        var failures: [Failure?] = []
        var bytes = [UInt8](
            unsafeUninitializedCapacity: images.count * stride
        ) { buffer, initializedCount in
            // Every image is written once, by one thread, to its own place.
            nonisolated(unsafe) let buffer = buffer
            failures = Parallel.map(count: images.count) { index in
                let place = UnsafeMutableBufferPointer(
                    rebasing: buffer[(index * stride)..<((index + 1) * stride)]
                )
                do {
                    let image = try prepared(index)
                    guard ImageShape(image) == shape else {
                        place.initialize(repeating: 0)
                        return .differs(ImageShape(image))
                    }
                    _ = place.initialize(from: image.bytes)
                    return nil
                } catch {
                    place.initialize(repeating: 0)
                    return .unreadable("\(error)")
                }
            }
            initializedCount = images.count * stride
        }

        var skipped: [UnreadableImage] = []
        for case (let index, .unreadable(let reason)?) in failures.enumerated() {
            skipped.append(
                UnreadableImage(identifier: images.identifier(at: index), reason: reason)
            )
        }
        try images.refuse(skipped, under: policy)
        guard let model, let shape else {
            throw DatasetError(
                .tooFewImages,
                "\(images.name): there are no images to load. Check the dataset."
            )
        }
        for case (let index, .differs(let other)?) in failures.enumerated() {
            throw DatasetError(
                .differentSizes,
                "\(images.name): all images must have one size, but "
                    + "\(images.identifier(at: model.index)) is \(shape) and "
                    + "\(images.identifier(at: index)) is \(other). "
                    + "Crop all to one size, and convert all to grey or RGB."
            )
        }

        let kept = failures.indices.filter { failures[$0] == nil }
        if kept.count < failures.count {
            var write = 0
            for index in kept {
                if write != index {
                    for i in 0..<stride { bytes[write * stride + i] = bytes[index * stride + i] }
                }
                write += 1
            }
            bytes.removeLast((failures.count - kept.count) * stride)
            try SubsetDataset(of: images, indices: kept).requireImagesInEveryClass()
        }
        count = kept.count
        (height, width, self.channels) = (shape.height, shape.width, shape.channels)
        self.bytes = bytes
        labels = kept.map(images.label(at:))
        classNames = images.classNames
        indices = kept
        self.skipped = skipped
    }

    /// Loads all images of a source, cropped by the ADM centre crop and converted.
    ///
    /// - Parameters:
    ///   - images: The source.
    ///   - centerCrop: Width and height in pixels of the crop; `nil` keeps the images as they are.
    ///   - channels: 1 or 3 to convert every image; `nil` keeps them as they are.
    ///   - policy: Whether images that cannot be read are an error or left out.
    /// - Throws: As the other initializer.
    package init(
        loading images: some LabelledImages,
        centerCrop: Int? = nil,
        channels: Int? = nil,
        unreadable policy: UnreadableImagePolicy = .refuse
    ) throws {
        try self.init(
            loading: images,
            preparation: ImagePreparation(centerCrop: centerCrop, channels: channels),
            unreadable: policy
        )
    }

    private enum Failure: Equatable, Sendable {
        case unreadable(String)
        case differs(ImageShape)
    }

    /// One image.
    ///
    /// - Parameter index: 0 to ``count`` − 1.
    /// - Returns: A copy.
    package func image(at index: Int) -> Image {
        let stride = height * width * channels
        return Image(
            width: width,
            height: height,
            channels: channels,
            bytes: Array(bytes[(index * stride)..<((index + 1) * stride)])
        )
    }
}
