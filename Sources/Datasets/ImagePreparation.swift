import Images

/// What is done to every image of a source before a network sees it.
package struct ImagePreparation: Sendable, Equatable {
    /// Width and height in pixels of the ADM centre crop; `nil`: none.
    package var centerCrop: Int?
    /// What the shorter side is brought to with a bilinear filter, also if it is smaller
    /// (torchvision's Resize); `nil`: nothing.
    package var shortSide: Int?
    /// Width and height in pixels of the middle that is cut out (torchvision's CenterCrop); `nil`:
    /// none.
    package var middleSquare: Int?
    /// 1 or 3 to convert every image; `nil` keeps them as they are.
    package var channels: Int?

    /// Describes a preparation; the defaults change nothing.
    package init(
        centerCrop: Int? = nil,
        shortSide: Int? = nil,
        middleSquare: Int? = nil,
        channels: Int? = nil
    ) {
        self.centerCrop = centerCrop
        self.shortSide = shortSide
        self.middleSquare = middleSquare
        self.channels = channels
    }

    /// Prepares one image.
    ///
    /// - Parameters:
    ///   - image: The image.
    ///   - name: What error messages call it.
    /// - Returns: The image as a network sees it.
    /// - Throws: `ImageError` if it is so long and narrow that it would become too large on the way.
    package func callAsFunction(_ image: Image, named name: String) throws -> Image {
        var image = image
        if let side = centerCrop ?? shortSide {
            let (short, long) = (min(image.width, image.height), max(image.width, image.height))
            let (area, isTooLarge) = side.multipliedReportingOverflow(by: side)
            guard !isTooLarge, area <= Image.maximumPixelCount / long * short else {
                throw ImageError(
                    .tooLarge,
                    "\(name): it has \(image.width)×\(image.height) pixels, which is too long and "
                        + "narrow to bring its shorter side to \(side). Crop it, or remove it."
                )
            }
        }
        if let centerCrop { image = image.centerCropped(to: centerCrop) }
        if let shortSide { image = image.resized(shortSide: shortSide) }
        if let middleSquare { image = image.middleSquare(of: middleSquare) }
        if let channels { image = image.converted(toChannels: channels) }
        return image
    }
}
