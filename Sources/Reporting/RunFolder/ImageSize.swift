import Foundation

/// What a PNG or JPEG file says of its own size.
package struct ImageSize: Equatable {
    /// `png` or `jpeg`, as in the type `image/png`.
    package let kind: String
    /// Pixels in a row.
    package let width: Int
    /// Rows.
    package let height: Int

    /// Reads the head of a file on the disk; nil if it is neither.
    init?(ofFile url: URL) {
        guard let file = try? FileHandle(forReadingFrom: url) else { return nil }
        defer { try? file.close() }
        guard let start = try? file.read(upToCount: 32) else { return nil }
        if let size = ImageSize(of: start) {
            self = size
        } else {
            // Cameras put previews of up to 64 kB in front.
            guard let more = try? file.read(upToCount: 1 << 17) else { return nil }
            self.init(of: start + more)
        }
    }

    /// Reads the head of a file; nil if it is neither.
    package init?(of data: Data) {
        let bytes = [UInt8](data)
        func word(at offset: Int) -> Int {
            bytes[offset..<offset + 2].reduce(0) { $0 << 8 | Int($1) }
        }
        if bytes.count >= 24,
            bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        {
            // The header chunk: length, "IHDR", width and height as big-endian words of 32 bits.
            kind = "png"
            width = word(at: 16) << 16 | word(at: 18)
            height = word(at: 20) << 16 | word(at: 22)
            return
        }
        guard bytes.starts(with: [0xFF, 0xD8]) else { return nil }
        // Segments: 0xFF, kind, length with its own two bytes. A frame has one of the kinds C0 to
        // CF but C4, C8 and CC.
        var place = 2
        while place + 9 <= bytes.count, bytes[place] == 0xFF {
            let marker = bytes[place + 1]
            if 0xC0...0xCF ~= marker, ![0xC4, 0xC8, 0xCC].contains(marker) {
                kind = "jpeg"
                height = word(at: place + 5)
                width = word(at: place + 7)
                return
            }
            place += marker == 0xFF ? 1 : 2 + word(at: place + 2)
        }
        return nil
    }
}
