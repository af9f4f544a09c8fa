/// Many small images side by side in one, for looking at.
public struct ContactSheet: Sendable {
    /// The number of images in a row, at least 1.
    public var columns: Int

    /// The gap around every image, in pixels of the sheet.
    public var padding: Int

    /// How many times images are enlarged (each pixel becomes a square), at least 1.
    public var magnification: Int

    /// The brightness between the images, 0 to 255.
    public var background: UInt8

    /// Creates a layout.
    ///
    /// - Parameters:
    ///   - columns: The number of images in a row.
    ///   - padding: The gap around every image, in pixels of the sheet.
    ///   - magnification: How many times images are enlarged.
    ///   - background: The brightness between the images.
    public init(
        columns: Int,
        padding: Int = 2,
        magnification: Int = 1,
        background: UInt8 = 255
    ) {
        self.columns = columns
        self.padding = padding
        self.magnification = magnification
        self.background = background
    }

    /// Draws images in reading order.
    ///
    /// Every cell is as large as the largest image; smaller ones are centred. The sheet is grey
    /// if all images are, else RGB. Traps if there are no images, or if a setting is out of its
    /// range.
    ///
    /// - Parameter images: The images, at least one.
    /// - Returns: The sheet.
    public func image(of images: [Image]) -> Image {
        guard let cellWidth = images.map(\.width).max(),
            let cellHeight = images.map(\.height).max(),
            columns >= 1, padding >= 0, magnification >= 1
        else {
            fatalError(
                "ContactSheet: needs at least one image, one column, no negative padding and a "
                    + "magnification of at least 1; found \(images.count) images, \(columns) "
                    + "columns, padding \(padding), magnification \(magnification)."
            )
        }
        let channels = images.contains { $0.channels == 3 } ? 3 : 1
        let cell = (
            width: cellWidth * magnification + padding, height: cellHeight * magnification + padding
        )
        let usedColumns = min(columns, images.count)
        let rows = (images.count + columns - 1) / columns
        let width = usedColumns * cell.width + padding
        let height = rows * cell.height + padding
        var bytes = [UInt8](repeating: background, count: width * height * channels)
        for (index, image) in images.enumerated() {
            let drawn = image.converted(toChannels: channels).resized(
                width: image.width * magnification,
                height: image.height * magnification,
                filter: .nearest
            )
            let left =
                padding + index % columns * cell.width + (cell.width - padding - drawn.width) / 2
            let top =
                padding + index / columns * cell.height
                + (cell.height - padding - drawn.height) / 2
            let stride = drawn.width * channels
            for y in 0..<drawn.height {
                let target = ((top + y) * width + left) * channels
                bytes.replaceSubrange(
                    target..<(target + stride),
                    with: drawn.bytes[(y * stride)..<((y + 1) * stride)]
                )
            }
        }
        return Image(width: width, height: height, channels: channels, bytes: bytes)
    }
}
