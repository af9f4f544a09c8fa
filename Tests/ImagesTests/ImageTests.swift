import Foundation
import Images
import Testing

@Suite("Images in memory")
struct ImageTests {
    /// A picture with different values everywhere.
    static func pattern(width: Int, height: Int, channels: Int) -> Image {
        Image(
            width: width,
            height: height,
            channels: channels,
            bytes: (0..<(width * height * channels)).map { UInt8(($0 * 37 + $0 / 11) % 256) }
        )
    }

    @Test(
        "PNG encoding and decoding is the identity",
        arguments: [1, 3],
        [(1, 1), (7, 5), (64, 3)]
    )
    func roundTrip(channels: Int, size: (width: Int, height: Int)) throws {
        let image = Self.pattern(width: size.width, height: size.height, channels: channels)
        let data = try image.pngData()
        #expect(try Image(decoding: data) == image)
        #expect(try image.pngData() == data)
    }

    @Test("Flipping twice is the identity, and a flip mirrors columns")
    func flip() {
        let image = Self.pattern(width: 5, height: 3, channels: 3)
        let flipped = image.flippedHorizontally()
        #expect(flipped.flippedHorizontally() == image)
        #expect(flipped[0, 2, 1] == image[4, 2, 1])
    }

    @Test("Grey to RGB and back is the identity")
    func channels() {
        let grey = Self.pattern(width: 16, height: 16, channels: 1)
        #expect(grey.converted(toChannels: 3).converted(toChannels: 1) == grey)
        #expect(grey.converted(toChannels: 1) == grey)
    }

    @Test(
        "A constant image stays constant under every filter",
        arguments: ResamplingFilter.allCases
    )
    func constant(filter: ResamplingFilter) {
        let image = Image(width: 19, height: 23, channels: 3, filledWith: 201)
        let resized = image.resized(width: 40, height: 7, filter: filter)
        #expect(resized == Image(width: 40, height: 7, channels: 3, filledWith: 201))
    }

    @Test("Resizing to the same size changes nothing", arguments: ResamplingFilter.allCases)
    func sameSize(filter: ResamplingFilter) {
        let image = Self.pattern(width: 9, height: 8, channels: 1)
        #expect(image.resized(width: 9, height: 8, filter: filter) == image)
    }

    @Test("Crops of any size and shape have the size asked for")
    func crops() {
        for (width, height) in [(1, 1), (1, 50), (50, 1), (3, 400), (129, 128), (2, 3)] {
            let image = Self.pattern(width: width, height: height, channels: 3)
            for size in [1, 2, 7, 64] {
                let crop = image.centerCropped(to: size)
                #expect(crop.size == [size, size, 3])
                let square = image.resized(shortSide: size).middleSquare(of: size)
                #expect(square.size == [size, size, 3])
            }
        }
    }

    @Test("A contact sheet puts images in reading order between gaps")
    func contactSheet() {
        let images = (0..<5).map {
            Image(width: 2, height: 2, channels: 1, filledWith: UInt8($0 * 10))
        }
        let layout = ContactSheet(columns: 3, padding: 1, magnification: 2, background: 99)
        let sheet = layout.image(of: images)
        #expect(sheet.size == [3 * 5 + 1, 2 * 5 + 1, 1])
        #expect(sheet[0, 0] == 99)
        #expect(sheet[1, 1] == 0)
        #expect(sheet[4, 4] == 0)
        #expect(sheet[5, 1] == 99)
        #expect(sheet[6, 1] == 10)
        #expect(sheet[6, 6] == 40)
        #expect(sheet[11, 6] == 99)
    }

    @Test("A contact sheet of grey and RGB images of different sizes is RGB and centred")
    func mixedContactSheet() {
        let images = [
            Image(width: 4, height: 4, channels: 3, filledWith: 1),
            Image(width: 2, height: 2, channels: 1, filledWith: 2),
        ]
        let sheet = ContactSheet(columns: 8, padding: 0).image(of: images)
        #expect(sheet.size == [8, 4, 3])
        #expect(sheet[4, 0, 0] == 255)
        #expect(sheet[5, 1, 2] == 2)
    }

    @Test("Bytes that do not fit the size trap with both numbers")
    func wrongByteCount() async {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Image(width: 4, height: 2, channels: 3, bytes: [1, 2, 3])
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("3 bytes do not make 2 rows of 4 pixels with 3 channels"))
    }
}
