import Datasets
import Training

extension EvaluationProtocol {
    /// Loads images as the protocol wants them.
    ///
    /// Protocols for photographs take images of any size, grey ones too: the shorter side is
    /// brought to the protocol's size, also if it is smaller, and the middle is cut out, as
    /// torchvision's Resize and CenterCrop do; grey becomes colour. The crop and channels that are
    /// asked for are those of a source for the other protocols, which take images as they are.
    ///
    /// - Parameters:
    ///   - images: The source.
    ///   - centerCrop: Pixels a side of the crop that diffusion models are trained on; nil: none.
    ///   - channels: 1 or 3 to convert the images; nil keeps them as they are.
    /// - Returns: All images in memory, one byte a value.
    /// - Throws: `DatasetError` if images cannot be read or, without resizing, differ in size.
    public func load(
        _ images: some LabelledImages,
        centerCrop: Int? = nil,
        channels: Int? = nil
    ) throws -> ImageSet {
        let packed = try PackedImages(
            loading: images,
            centerCrop: resizesImages ? nil : centerCrop,
            middleSquare: resizesImages ? imageSize : nil,
            channels: resizesImages ? self.channels : channels
        )
        return try ImageSet(
            images: packed.tensor(),
            labels: packed.labels,
            classNames: packed.classNames
        )
    }
}
