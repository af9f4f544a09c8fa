import Datasets
import Dispatch
import Foundation
import Images
import Torch

/// Images of one size that stay in their files: batches are read and prepared on all cores, the
/// next one while the network works on the last.
///
/// Used from one thread at a time.
public final class ImageStream {
    /// Reads and prepares an image.
    private let read: @Sendable (Int) throws -> Image
    /// Positions in the source.
    private let indices: [Int]
    /// C, 1 or 3.
    public let channels: Int
    /// H, pixels.
    public let height: Int
    /// W, pixels.
    public let width: Int
    private var pending: Pending?

    /// Number of images.
    public var count: Int { indices.count }

    /// Opens a source; only its first image is read.
    ///
    /// - Parameters:
    ///   - images: The source.
    ///   - preparation: What is done to every image; it must make all of them one size.
    /// - Throws: The error of the first image if it cannot be read, `TrainingError` without images.
    package convenience init(
        _ images: some LabelledImages,
        preparation: ImagePreparation
    ) throws {
        guard images.count > 0 else {
            throw TrainingError(.malformedSet, "\(images.name): there are no images.")
        }
        let read = { @Sendable (index: Int) in
            try preparation(try images.image(at: index), named: images.identifier(at: index))
        }
        let first = try read(0)
        let shape = (first.channels, first.height, first.width)
        self.init(
            indices: Array(0..<images.count),
            shape: shape
        ) { index in
            let image = try read(index)
            guard (image.channels, image.height, image.width) == shape else {
                throw TrainingError(
                    .unfitImages,
                    "\(images.name): \(images.identifier(at: index)) has "
                        + "\(image.width)×\(image.height) pixels with \(image.channels) channels, "
                        + "the first image \(shape.2)×\(shape.1) with \(shape.0). Crop all to one "
                        + "size, and convert all to grey or RGB."
                )
            }
            return image
        }
    }

    private init(
        indices: [Int],
        shape: (channels: Int, height: Int, width: Int),
        read: @escaping @Sendable (Int) throws -> Image
    ) {
        self.indices = indices
        self.read = read
        (channels, height, width) = shape
    }

    /// Some of the images.
    func subset(_ places: [Int]) -> ImageStream {
        ImageStream(
            indices: places.map { indices[$0] },
            shape: (channels, height, width),
            read: read
        )
    }

    /// Begins to read images in the background.
    func prepare(_ places: [Int]) {
        guard pending?.places != places else { return }
        pending?.wait()
        pending = Pending(places, indices: places.map { indices[$0] }, read: read)
    }

    /// Reads images, or takes those that were prepared: [B, C, H, W], uint8.
    func load(_ places: [Int]) throws -> Tensor {
        prepare(places)
        defer { pending = nil }
        let bytes = try pending?.wait().get() ?? []
        return Tensor(bytes: bytes, shape: [places.count, height, width, channels], dtype: .uint8)
            .permuted(0, 3, 1, 2).contiguous()
    }

    /// A batch that is being read.
    private final class Pending: @unchecked Sendable {
        let places: [Int]
        private let group = DispatchGroup()
        /// Written by the reading thread before the group is left, read after.
        private var result: Result<[UInt8], any Error> = .success([])

        init(_ places: [Int], indices: [Int], read: @escaping @Sendable (Int) throws -> Image) {
            self.places = places
            DispatchQueue.global(qos: .userInitiated).async(group: group) {
                let images = Parallel.map(count: indices.count) { place in
                    Result { try read(indices[place]).bytes }
                }
                self.result = Result { try images.flatMap { try $0.get() } }
            }
        }

        @discardableResult
        func wait() -> Result<[UInt8], any Error> {
            group.wait()
            return result
        }
    }
}
