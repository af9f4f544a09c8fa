extension Image {
    /// The image with 1 (grey) or 3 (RGB) channels.
    ///
    /// Grey is the rounded luma of ITU-R 601 in 16-bit fixed point, as Pillow's mode `L`:
    ///
    ///     (19595 R + 38470 G + 7471 B + 32768) >> 16
    ///
    /// RGB of a grey image repeats its one channel. Traps if `count` is neither 1 nor 3.
    ///
    /// - Parameter count: 1 or 3.
    /// - Returns: The converted image; the same one if it has that many channels already.
    public func converted(toChannels count: Int) -> Image {
        switch (channels, count) {
        case (1, 1), (3, 3):
            return self
        case (3, 1):
            return Image(width: width, height: height, channels: 1) { grey in
                for i in 0..<(width * height) {
                    let red = UInt32(bytes[3 * i])
                    let green = UInt32(bytes[3 * i + 1])
                    let blue = UInt32(bytes[3 * i + 2])
                    let luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
                    grey[i] = UInt8(truncatingIfNeeded: luma)
                }
            }
        case (1, 3):
            return Image(width: width, height: height, channels: 3) { rgb in
                for i in 0..<(width * height) {
                    rgb[3 * i] = bytes[i]
                    rgb[3 * i + 1] = bytes[i]
                    rgb[3 * i + 2] = bytes[i]
                }
            }
        default:
            fatalError("Image: cannot be converted to \(count) channels (1 or 3 are allowed).")
        }
    }

    /// The image mirrored left to right.
    ///
    /// - Returns: An image of the same size.
    public func flippedHorizontally() -> Image {
        Image(width: width, height: height, channels: channels) { target in
            bytes.withUnsafeBufferPointer { source in
                for y in 0..<height {
                    var left = y * width * channels
                    var right = left + (width - 1) * channels
                    for _ in 0..<width {
                        for c in 0..<channels { target[left + c] = source[right + c] }
                        left += channels
                        right -= channels
                    }
                }
            }
        }
    }

    /// The image turned as an Exif orientation asks for.
    ///
    /// - Parameter orientation: 1 (stored upright) to 8; other values count as 1.
    /// - Returns: The picture as it should be looked at; width and height change places for 5
    ///   to 8.
    package func upright(from orientation: Int) -> Image {
        guard 2...8 ~= orientation else { return self }
        let swapsAxes = orientation >= 5
        let (w, h) = swapsAxes ? (height, width) : (width, height)
        return Image(width: w, height: h, channels: channels) { target in
            for y in 0..<h {
                for x in 0..<w {
                    let (u, v) = swapsAxes ? (y, x) : (x, y)
                    // 2 mirrors columns, 3 turns by 180°, 4 mirrors rows; 5 to 8 do so after a
                    // transposition: 5 only that, 6 a turn by 90°, 7 transverse, 8 by 270°.
                    let mirrorsColumns = [2, 3, 7, 8].contains(orientation)
                    let mirrorsRows = [3, 4, 6, 7].contains(orientation)
                    let column = mirrorsColumns ? width - 1 - u : u
                    let row = mirrorsRows ? height - 1 - v : v
                    for c in 0..<channels {
                        target[(y * w + x) * channels + c] =
                            bytes[(row * width + column) * channels + c]
                    }
                }
            }
        }
    }
}
