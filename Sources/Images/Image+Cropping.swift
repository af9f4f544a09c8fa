extension Image {
    /// A rectangle cut out of the image.
    ///
    /// Traps if the rectangle does not lie inside the image.
    ///
    /// - Parameters:
    ///   - x: The first column.
    ///   - y: The first row.
    ///   - width: Pixels in a row of the result.
    ///   - height: Rows of the result.
    /// - Returns: An image of that size.
    public func cropped(x: Int, y: Int, width: Int, height: Int) -> Image {
        guard x >= 0, y >= 0, width >= 1, height >= 1, x + width <= self.width,
            y + height <= self.height
        else {
            fatalError(
                "Image: the rectangle of \(width)×\(height) pixels at column \(x), row \(y) does "
                    + "not lie inside of \(self.width)×\(self.height) pixels."
            )
        }
        if width == self.width, height == self.height { return self }
        return Image(width: width, height: height, channels: channels) { target in
            let stride = width * channels
            for row in 0..<height {
                let source = ((y + row) * self.width + x) * channels
                for i in 0..<stride { target[row * stride + i] = bytes[source + i] }
            }
        }
    }

    /// The square centre crop that diffusion models are trained on (ADM's `center_crop_arr`).
    ///
    /// While the shorter side is at least twice `size`, the image is halved with a box filter;
    /// then the shorter side is brought to `size` with a bicubic filter, and the middle is cut
    /// out. Small images are enlarged.
    ///
    /// - Parameter size: Width and height of the result in pixels, at least 1.
    /// - Returns: A square image.
    public func centerCropped(to size: Int) -> Image {
        var image = self
        while min(image.width, image.height) >= 2 * size {
            image = image.resized(width: image.width / 2, height: image.height / 2, filter: .box)
        }
        let scale = Double(size) / Double(min(image.width, image.height))
        func scaled(_ count: Int) -> Int {
            Int((Double(count) * scale).rounded(.toNearestOrEven))
        }
        image = image.resized(
            width: scaled(image.width),
            height: scaled(image.height),
            filter: .bicubic
        )
        return image.cropped(
            x: (image.width - size) / 2,
            y: (image.height - size) / 2,
            width: size,
            height: size
        )
    }

    /// The image with its shorter side scaled to `shortSide` pixels (torchvision's `Resize`).
    ///
    /// - Parameters:
    ///   - shortSide: The shorter side of the result; the longer one is
    ///     `shortSide * long / short`, rounded down.
    ///   - filter: How pixels are computed; torchvision's default is bilinear.
    /// - Returns: The scaled image.
    public func resized(shortSide: Int, filter: ResamplingFilter = .bilinear) -> Image {
        let long = shortSide * max(width, height) / min(width, height)
        return width <= height
            ? resized(width: shortSide, height: long, filter: filter)
            : resized(width: long, height: shortSide, filter: filter)
    }

    /// The middle square, unscaled (torchvision's `CenterCrop`).
    ///
    /// Traps if the image is smaller than the square.
    ///
    /// - Parameter size: Width and height of the result in pixels.
    /// - Returns: A square image.
    public func middleSquare(of size: Int) -> Image {
        func offset(_ count: Int) -> Int {
            Int((Double(count - size) / 2).rounded(.toNearestOrEven))
        }
        return cropped(x: offset(width), y: offset(height), width: size, height: size)
    }
}
