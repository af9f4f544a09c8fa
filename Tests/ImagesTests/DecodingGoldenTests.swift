import Foundation
import Images
import TestSupport
import Testing

/// The pictures of `make_image_fixtures.py`: PNG pixels follow a formula, JPEG pixels are
/// Pillow's.
@Suite("Decoding of every kind of file", .tags(.golden))
struct DecodingGoldenTests {
    static let width = 13
    static let height = 9

    /// The stored value that the script writes.
    static func level(_ x: Int, _ y: Int, _ channel: Int, depth: Int) -> Int {
        (x * 7919 + y * 104729 + channel * 15_485_863 + x * y * 31) % (1 << depth)
    }

    static func expected(channels: Int, value: (Int, Int, Int) -> Int) -> Image {
        var bytes: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<channels { bytes.append(UInt8(value(x, y, c))) }
            }
        }
        return Image(width: width, height: height, channels: channels, bytes: bytes)
    }

    @Test(
        "A grey PNG of every bit depth becomes 8-bit grey",
        arguments: [
            ("grey-1", 1), ("grey-2", 2), ("grey-4", 4), ("grey-4-interlaced", 4), ("grey-8", 8),
            ("grey-8-transparent", 8), ("grey-16", 16), ("grey-alpha-8", 8), ("grey-alpha-16", 16),
        ]
    )
    func greyPNG(name: String, depth: Int) throws {
        let image = try Fixture.image("\(name).png")
        expectClose(
            image,
            Self.expected(channels: 1) { x, y, _ in
                let stored = Self.level(x, y, 0, depth: depth)
                return depth == 16 ? stored >> 8 : stored * 255 / ((1 << depth) - 1)
            }
        )
    }

    @Test(
        "A colour PNG keeps the high byte and drops alpha",
        arguments: [
            ("rgb-8", 8), ("rgb-8-interlaced", 8), ("rgb-16", 16), ("rgb-alpha-8", 8),
            ("rgb-alpha-16", 16),
        ]
    )
    func colourPNG(name: String, depth: Int) throws {
        let image = try Fixture.image("\(name).png")
        expectClose(
            image,
            Self.expected(channels: 3) { x, y, c in
                Self.level(x, y, c, depth: depth) >> (depth - 8)
            }
        )
    }

    @Test(
        "A palette PNG becomes RGB, with or without transparency",
        arguments: [
            ("palette-1", 1), ("palette-2", 2), ("palette-4", 4), ("palette-8", 8),
            ("palette-8-transparent", 8),
        ]
    )
    func palettePNG(name: String, depth: Int) throws {
        let image = try Fixture.image("\(name).png")
        let count = min(1 << depth, 200)
        expectClose(
            image,
            Self.expected(channels: 3) { x, y, c in
                let index = Self.level(x, y, 0, depth: depth) % count
                return [7 * index % 256, (255 - 3 * index + 768) % 256, (11 * index + 5) % 256][c]
            }
        )
    }

    @Test(
        "A JPEG gives Pillow's pixels",
        arguments: ["rgb-420", "rgb-444", "progressive", "grey", "cmyk"]
    )
    func jpeg(name: String) throws {
        let image = try Fixture.image("\(name).jpg")
        // The same library decodes both; another version may round differently.
        expectClose(image, try Fixture.image("\(name).expected.png"), levels: 2)
    }

    @Test("A JPEG is turned as its Exif orientation says", arguments: 2...8)
    func orientation(_ orientation: Int) throws {
        let name = "orientation-\(orientation)"
        let bytes = try Fixture.bytes("\(name).jpg")
        #expect(try ImageHeader(of: bytes).orientation == orientation)
        expectClose(
            try Image(decoding: bytes),
            try Fixture.image("\(name).expected.png"),
            levels: 2
        )
        let stored = try Image(decoding: bytes, orientation: .asStored)
        #expect(stored.size == [20, 11, 3])
    }

    @Test("A header tells the stored kind without decoding")
    func header() throws {
        let png = try ImageHeader(of: Fixture.bytes("rgb-alpha-16.png"))
        #expect(png.format == .png)
        #expect(png.size == [13, 9, 3])
        #expect((png.storedChannels, png.bitDepth, png.orientation) == (4, 16, 1))
        let jpeg = try ImageHeader(of: Fixture.bytes("cmyk.jpg"))
        #expect(jpeg.format == .jpeg)
        #expect(jpeg.size == [45, 37, 3])
        #expect((jpeg.storedChannels, jpeg.bitDepth) == (4, 8))
    }
}
