import Foundation
import Images
import Testing

@Suite("Gzip")
struct GzipTests {
    /// 100,000 zero bytes, compressed by Python's gzip module.
    let zeros: [UInt8]

    init() throws {
        let text = """
            H4sIAAAAAAACA+3BMQEAAADCoPVPbQ0PoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
            AIBXA32VEdSghgEA
            """
        zeros = Array(try #require(Data(base64Encoded: text)))
    }

    @Test("Inflating gives the original bytes, over several members too")
    func inflate() throws {
        let expected = [UInt8](repeating: 0, count: 100_000)
        #expect(try Gzip.inflated(zeros, limit: 100_000, named: "zeros") == expected)
        #expect(
            try Gzip.inflated(zeros + zeros, limit: 1 << 20, named: "zeros") == expected + expected
        )
        #expect(try Gzip.inflated(zeros + [0, 0], limit: 1 << 20, named: "zeros") == expected)
    }

    @Test("Output above the limit is refused", arguments: [0, 1, 65_536, 99_999])
    func limit(_ limit: Int) {
        let error = #expect(throws: ImageError.self) {
            try Gzip.inflated(zeros, limit: limit, named: "bomb.gz")
        }
        #expect(error?.code == .tooLarge)
        #expect(error?.message.contains("limit of \(limit) bytes") == true)
    }

    @Test("Every truncation is refused")
    func truncated() {
        for count in 0..<zeros.count {
            let error = #expect(throws: ImageError.self) {
                try Gzip.inflated(Array(zeros[..<count]), limit: 1 << 20, named: "cut.gz")
            }
            #expect(error?.code == .truncated, "cut after \(count) bytes")
        }
    }

    @Test("Changed bytes give an error or the same size, never a crash")
    func damaged() {
        for index in zeros.indices {
            for mask: UInt8 in [1, 0x80, 0xFF] {
                var bytes = zeros
                bytes[index] ^= mask
                do {
                    let output = try Gzip.inflated(bytes, limit: 200_000, named: "damaged.gz")
                    // The time stamp and the system field of the header carry no data.
                    #expect(output.count == 100_000)
                } catch {
                    #expect(error is ImageError)
                }
            }
        }
    }
}

@Suite("SHA-256")
struct SHA256Tests {
    @Test(
        "The examples of FIPS 180 and NIST",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                    + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ]
    )
    func vectors(text: String, expected: String) {
        var hash = SHA256()
        hash.add(Array(text.utf8))
        #expect(hash.hexadecimalDigest == expected)
    }

    @Test("A million letters a")
    func million() {
        var hash = SHA256()
        hash.add([UInt8](repeating: 0x61, count: 1_000_000))
        #expect(
            hash.hexadecimalDigest
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        )
    }

    @Test("The hash does not depend on how the stream is cut")
    func pieces() {
        let bytes = (0..<300).map { UInt8($0 % 251) }
        for length in 0..<300 {
            let whole = SHA256.digest(of: Array(bytes[..<length]))
            for piece in [1, 3, 55, 56, 63, 64, 65] {
                var hash = SHA256()
                for start in stride(from: 0, to: length, by: piece) {
                    hash.add(Array(bytes[start..<min(start + piece, length)]))
                }
                #expect(hash.digest == whole)
            }
        }
    }
}

@Suite("JPEG files for looking at")
struct JPEGEncodingTests {
    @Test("A smooth picture comes back nearly as it was, grey and in colour", arguments: [1, 3])
    func smooth(_ channels: Int) throws {
        let (width, height) = (45, 30)
        let bytes = (0..<width * height * channels).map { index -> UInt8 in
            let (x, y) = (index / channels % width, index / channels / width)
            return UInt8(x * 3 + y * 2 + index % channels * 20)
        }
        let image = Image(width: width, height: height, channels: channels, bytes: bytes)
        let data = try image.jpegData(quality: 95)
        let decoded = try Image(decoding: [UInt8](data), named: "smooth")
        #expect(decoded.size == image.size)
        let differences = zip(decoded.bytes, bytes).map { abs(Int($0) - Int($1)) }
        #expect((differences.max() ?? 255) <= 6)
        #expect(try image.jpegData(quality: 20).count < data.count)
    }

    @Test("A file that grows again and again while it is written is whole")
    func large() throws {
        var generator = FixedGenerator(state: 3)
        let bytes = (0..<700 * 500).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let image = Image(width: 700, height: 500, channels: 1, bytes: bytes)
        let data = try image.jpegData(quality: 100)
        #expect(data.count > 1 << 18)
        #expect(data.suffix(2) == Data([0xFF, 0xD9]))
        expectClose(try Image(decoding: [UInt8](data), named: "large"), image, levels: 4)
    }

    @Test("A picture that no JPEG or PNG can hold is refused, and not called a damaged file")
    func tooWide() throws {
        let wide = Image(width: 66_000, height: 1, channels: 1, filledWith: 0)
        let error = #expect(throws: ImageError.self) { try wide.jpegData() }
        #expect(error?.code == .tooLarge)
        #expect(error?.message.contains("JPEG encoder") == true)
        #expect(error?.message.contains("Scale the picture down") == true)
        #expect(try Image(decoding: wide.pngData(), named: "wide").width == 66_000)

        let wider = Image(width: 1_000_001, height: 1, channels: 1, filledWith: 0)
        let other = #expect(throws: ImageError.self) { try wider.pngData() }
        #expect(other?.code == .tooLarge)
        #expect(other?.message.contains("Scale the picture down") == true)
    }
}
