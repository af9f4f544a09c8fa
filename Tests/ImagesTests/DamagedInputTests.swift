import Foundation
import Images
import TestSupport
import Testing

/// Decoding damaged bytes may give a picture or an `ImageError`, nothing else.
@Suite("Damaged and foreign files")
struct DamagedInputTests {
    static let pictures = [
        "rgb-420.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "orientation-6.jpg",
        "photograph.png", "rgb-8-interlaced.png", "palette-8-transparent.png",
        "grey-4-interlaced.png",
    ]

    /// Whether the bytes decode; any error but `ImageError` is a failed test.
    private func decodes(_ bytes: [UInt8]) throws -> Bool {
        do {
            _ = try Image(decoding: bytes)
            return true
        } catch let error as ImageError {
            #expect(!error.message.isEmpty)
            return false
        }
    }

    @Test("A file cut at every 64th byte and near its ends is refused", arguments: pictures)
    func truncated(name: String) throws {
        let bytes = try Fixture.bytes(name)
        let cuts =
            Array(stride(from: 0, to: bytes.count, by: 64)) + Array(0..<40)
            + Array((bytes.count - 20)..<bytes.count)
        for cut in cuts {
            #expect(try !decodes(Array(bytes[..<cut])), "decodes \(cut) of \(bytes.count) bytes")
        }
        #expect(try decodes(bytes))
    }

    @Test("Truncation is told from other damage")
    func truncationCode() throws {
        for name in ["rgb-420.jpg", "photograph.png"] {
            let bytes = try Fixture.bytes(name)
            let error = #expect(throws: ImageError.self) {
                try Image(decoding: bytes[..<(bytes.count / 2)].map { $0 }, named: "cut/\(name)")
            }
            #expect(error?.code == .truncated)
            #expect(error?.message.hasPrefix("cut/\(name): ") == true)
        }
    }

    @Test("Random bytes changed anywhere never crash", arguments: pictures)
    func flipped(name: String) throws {
        let bytes = try Fixture.bytes(name)
        var generator = FixedGenerator(state: 7)
        for round in 0..<1500 {
            var damaged = bytes
            // Half of the rounds damage the header, where the structure is.
            let range = round.isMultiple(of: 2) ? 0..<min(bytes.count, 200) : 0..<bytes.count
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: range, using: &generator)
                damaged[index] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try decodes(damaged)
        }
    }

    @Test("PNG chunks with right checksums but wrong content never crash")
    func consistentlyWrong() throws {
        let bytes = try Fixture.bytes("palette-8-transparent.png")
        var generator = FixedGenerator(state: 11)
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: 8..<bytes.count, using: &generator)
                damaged[index] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try decodes(PNGChunks.withCorrectChecksums(damaged))
        }
    }

    @Test("A tiny file that claims a gigantic picture is refused before memory is asked for")
    func gigantic() throws {
        var png = try Fixture.bytes("rgb-8.png")
        png.replaceSubrange(16..<24, with: [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
        let pngError = #expect(throws: ImageError.self) {
            try Image(decoding: PNGChunks.withCorrectChecksums(png), named: "bomb.png")
        }
        #expect(pngError?.code == .tooLarge)

        var jpeg = try Fixture.bytes("progressive.jpg")
        let frame = try #require(
            jpeg.indices.dropLast().first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC2 }
        )
        jpeg.replaceSubrange((frame + 5)..<(frame + 9), with: [0xFF, 0xDC, 0xFF, 0xDC])
        let jpegError = #expect(throws: ImageError.self) {
            try Image(decoding: jpeg, named: "bomb.jpg")
        }
        #expect(jpegError?.code == .tooLarge)
        #expect(jpegError?.message.contains("65500 x 65500") == true)
    }

    @Test(
        "What is no image is named in the message",
        arguments: [
            ("<!DOCTYPE html><html>", "`<!DOCTYPE`, an HTML page"),
            ("\n <html><body>", "an HTML page"),
            ("GIF89a...", "a GIF image"),
            ("RIFF\u{1}\u{2}\u{3}\u{4}WEBPVP8 ", "a WebP image"),
            ("BM......", "a BMP image"),
            ("version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
            ("", "it is empty"),
            ("\u{1}\u{2}\u{3}\u{4}\u{5}", "the bytes 01 02 03 04"),
        ]
    )
    func foreign(text: String, found: String) {
        let error = #expect(throws: ImageError.self) {
            try Image(decoding: Array(text.utf8), named: "dogs/rex.jpg")
        }
        #expect(error?.code == .unsupportedFormat)
        #expect(error?.message.contains(found) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("dogs/rex.jpg") == true)
        #expect(error?.message.contains("JPEG and PNG") == true)
    }

    @Test("The file name's ending does not matter, a missing file and a folder are named")
    func files() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("really-a.png")
            try Data(Fixture.bytes("grey.jpg")).write(to: url)
            #expect(try Image(contentsOf: url) == Fixture.image("grey.jpg"))

            let missing = folder.appendingPathComponent("missing.png")
            let error = #expect(throws: ImageError.self) { try Image(contentsOf: missing) }
            #expect(error?.code == .missingFile)
            #expect(error?.message.contains("missing.png does not exist") == true)
            let notAFile = #expect(throws: ImageError.self) { try Image(contentsOf: folder) }
            #expect(notAFile?.code == .unreadableFile)
            #expect(notAFile?.message.contains("is a folder") == true)
            let pipe = folder.appendingPathComponent("pipe.png")
            #expect(mkfifo(pipe.path, 0o600) == 0)
            #expect(throws: ImageError.self) { try Image(contentsOf: pipe) }
        }
    }
}

/// Just enough of PNG's structure to repair checksums.
enum PNGChunks {
    static func withCorrectChecksums(_ png: [UInt8]) -> [UInt8] {
        var bytes = png
        var start = 8
        while start + 12 <= bytes.count {
            let length = bytes[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
            let end = start + 8 + length
            guard end + 4 <= bytes.count else { break }
            let checksum = crc32(bytes[(start + 4)..<end])
            for i in 0..<4 {
                bytes[end + i] = UInt8(truncatingIfNeeded: checksum >> UInt32(24 - 8 * i))
            }
            start = end + 4
        }
        return bytes
    }

    private static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
