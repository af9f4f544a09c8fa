import Datasets
import Torch
import Training

extension EvaluationProtocol {
    /// What a set of images is for.
    public enum Role: Sendable {
        /// Networks are trained on it.
        case train
        /// Networks are tested on it.
        case test
    }

    /// Loads images as the protocol wants them.
    ///
    /// Protocols for photographs take images of any size, grey ones too: the shorter side is
    /// brought to the protocol's size, also if it is smaller, and the middle is cut out, as
    /// torchvision's Resize and CenterCrop do; grey becomes colour. The crop and channels that are
    /// asked for are those of a source for the other protocols, which take images as they are.
    /// Where training images are cropped to the protocol's size in training, square ones of one
    /// size stay as they are until then.
    ///
    /// - Parameters:
    ///   - images: The source.
    ///   - role: What they are for.
    ///   - centerCrop: Pixels a side of the crop that diffusion models are trained on; nil: none.
    ///   - channels: 1 or 3 to convert the images; nil keeps them as they are.
    ///   - memory: Bytes that images may take in memory; larger sets are read from their files in
    ///     every epoch.
    /// - Returns: The images, one byte a value.
    /// - Throws: `DatasetError` if images cannot be read or, without resizing, differ in size.
    public func load(
        _ images: some LabelledImages,
        for role: Role = .test,
        centerCrop: Int? = nil,
        channels: Int? = nil,
        memory: Int = EvaluationProtocol.usualMemory
    ) throws -> ImageSet {
        var preparation = ImagePreparation(centerCrop: centerCrop, channels: channels)
        if resizesImages {
            preparation = ImagePreparation(
                shortSide: role == .test ? testShortSide : imageSize,
                middleSquare: imageSize,
                channels: self.channels
            )
            if role == .train, augmentation.cropSize != nil, try haveOneSquareSize(images) {
                preparation = ImagePreparation(channels: self.channels)
            }
        }
        let stream = try ImageStream(images, preparation: preparation)
        let bytes = images.count * stream.channels * stream.height * stream.width
        if bytes > memory {
            return try ImageSet(
                reading: stream,
                labels: (0..<images.count).map(images.label(at:)),
                classNames: images.classNames
            )
        }
        let packed = try PackedImages(loading: images, preparation: preparation)
        return try ImageSet(
            images: packed.tensor(),
            labels: packed.labels,
            classNames: packed.classNames
        )
    }

    /// An eighth of the machine's memory, in bytes: while a set is loaded and put into order there are
    /// three copies of it, and a test set beside it.
    public static var usualMemory: Int { Memory.totalBytes(of: .cpu) / 8 }

    /// Whether all images are squares of one size, told by decoding them.
    private func haveOneSquareSize(_ images: some LabelledImages) throws -> Bool {
        let sides = try Parallel.map(count: images.count) { index in
            Result {
                let image = try images.image(at: index)
                return image.width == image.height ? image.width : 0
            }
        }.map { try $0.get() }
        return Set(sides).count == 1 && sides.first != 0
    }
}
