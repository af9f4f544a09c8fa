/// Size of a network for photographs, which halves its images five times: `ResNet50`,
/// `MobileNetV2` and `EfficientNetLite`.
public struct LargeImageConfiguration: Codable, Sendable, Equatable {
    /// S, pixels a side; at least 32, published: 224.
    public var imageSize: Int
    /// C, channels of the images.
    public var channels: Int
    /// K, number of classes.
    public var classCount: Int

    /// Describes a network.
    public init(imageSize: Int = 224, channels: Int = 3, classCount: Int = 1000) {
        self.imageSize = imageSize
        self.channels = channels
        self.classCount = classCount
    }

    /// Makes sure that the sizes make sense.
    ///
    /// - Parameter name: What the network is called in the message.
    /// - Throws: `NetworkError` if one does not.
    func validate(_ name: String) throws(NetworkError) {
        if [imageSize, channels, classCount].contains(where: { $0 < 1 }) {
            throw NetworkError(
                code: .unfitSize,
                message: "Image size, channels and classes of a \(name) must be at least 1; they "
                    + "are \(imageSize), \(channels) and \(classCount)."
            )
        }
        if imageSize < 32 {
            throw NetworkError(
                code: .unfitSize,
                message: "\(name) halves its images five times, and needs at least 32×32 pixels; "
                    + "these have \(imageSize)×\(imageSize). Use a network for small images, such "
                    + "as convnet-3 or resnet-18, or larger images."
            )
        }
    }
}
