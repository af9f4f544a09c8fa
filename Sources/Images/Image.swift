/// A picture in memory: 8 bits per channel, grey or RGB.
///
/// The bytes are stored row by row from the top left, the channels of a pixel side by side:
/// byte `(y * width + x) * channels + c` is channel `c` of the pixel in column `x` of row `y`.
/// A value type: copies share their bytes.
public struct Image: Equatable, Hashable, Sendable {
    /// The number of pixels in a row, at least 1.
    public let width: Int

    /// The number of rows, at least 1.
    public let height: Int

    /// 1 (grey) or 3 (red, green, blue).
    public let channels: Int

    /// The values, 0 to 255: `height` × `width` × `channels` bytes.
    public let bytes: [UInt8]

    /// Creates an image from its bytes.
    ///
    /// Traps if a size is below 1, if there are neither 1 nor 3 channels, or if the number of
    /// bytes is not `height * width * channels`.
    ///
    /// - Parameters:
    ///   - width: Pixels in a row.
    ///   - height: Rows.
    ///   - channels: 1 for grey, 3 for RGB.
    ///   - bytes: The values, in rows, channels last.
    public init(width: Int, height: Int, channels: Int, bytes: [UInt8]) {
        guard width >= 1, height >= 1, channels == 1 || channels == 3,
            bytes.count == height * width * channels
        else {
            fatalError(
                "Image: \(bytes.count) bytes do not make \(height) rows of \(width) pixels with "
                    + "\(channels) channels (1 or 3 are allowed)."
            )
        }
        self.width = width
        self.height = height
        self.channels = channels
        self.bytes = bytes
    }

    /// Creates an image of one brightness.
    ///
    /// - Parameters:
    ///   - width: Pixels in a row.
    ///   - height: Rows.
    ///   - channels: 1 for grey, 3 for RGB.
    ///   - level: The value of every byte.
    public init(width: Int, height: Int, channels: Int, filledWith level: UInt8) {
        self.init(
            width: width,
            height: height,
            channels: channels,
            bytes: [UInt8](repeating: level, count: max(0, width * height * channels))
        )
    }

    /// Creates an image whose bytes are written by `body` into uninitialised memory.
    init(
        width: Int,
        height: Int,
        channels: Int,
        writing body: (UnsafeMutableBufferPointer<UInt8>) throws -> Void
    ) rethrows {
        let count = width * height * channels
        let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            try body(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
            initializedCount = count
        }
        self.init(width: width, height: height, channels: channels, bytes: bytes)
    }

    /// The value of one channel of one pixel.
    ///
    /// Traps if the position lies outside the image.
    ///
    /// - Parameters:
    ///   - x: The column, from the left.
    ///   - y: The row, from the top.
    ///   - channel: The channel.
    /// - Returns: 0 to 255.
    public subscript(x: Int, y: Int, channel: Int = 0) -> UInt8 {
        guard 0..<width ~= x, 0..<height ~= y, 0..<channels ~= channel else {
            fatalError(
                "Image: column \(x), row \(y), channel \(channel) lies outside of "
                    + "\(width)×\(height) pixels with \(channels) channels."
            )
        }
        return bytes[(y * width + x) * channels + channel]
    }
}

extension Image: CustomStringConvertible {
    /// The size in words, such as "160×120 RGB image".
    public var description: String {
        "\(width)×\(height) \(channels == 1 ? "grey" : "RGB") image"
    }
}
