import Foundation
import Reporting
import TestSupport
import Testing

@Suite("The size of an image, from its file")
struct ImageSizeTests {
    private static let folder = Checkout.url("Tests/Goldens/images")

    @Test("PNG and JPEG files tell their size, from the head alone")
    func sizes() throws {
        let png: [UInt8] =
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13]
            + Array("IHDR".utf8) + [0, 0, 1, 4, 0, 0, 0, 7]
        let first = try #require(ImageSize(of: Data(png)))
        #expect((first.kind, first.width, first.height) == ("png", 260, 7))
        // An application segment of 4 bytes, then a progressive frame.
        let jpeg: [UInt8] =
            [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xC2, 0, 11, 8, 0, 9, 1, 2, 3, 0]
        let second = try #require(ImageSize(of: Data(jpeg)))
        #expect((second.kind, second.width, second.height) == ("jpeg", 258, 9))
    }

    @Test("whatever is neither has no size, also cut short")
    func strangers() {
        for bytes: [UInt8] in [[], [0xFF, 0xD8], [0xFF, 0xD8, 0xFF, 0xC0, 0, 11], [1, 2, 3, 4]] {
            #expect(ImageSize(of: Data(bytes)) == nil)
        }
    }

    @Test("real photographs have a size")
    func photographs() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
            .filter { $0.hasSuffix(".jpg") }
        #expect(!names.isEmpty)
        for name in names {
            let data = try Data(contentsOf: Self.folder.appendingPathComponent(name))
            let size = try #require(ImageSize(of: data), "\(name)")
            #expect(size.kind == "jpeg" && size.width > 0 && size.height > 0, "\(name)")
        }
    }
}
