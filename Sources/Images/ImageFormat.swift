import Foundation

/// A file format that images are read from.
public enum ImageFormat: String, Sendable {
    /// JPEG, baseline or progressive.
    case jpeg = "JPEG"
    /// Portable Network Graphics.
    case png = "PNG"

    /// Recognises the format by the first bytes; file names do not count.
    ///
    /// - Parameter bytes: The beginning of the data; 16 bytes are enough.
    /// - Returns: The format, or `nil` if it is neither JPEG nor PNG.
    public static func recognised(in bytes: UnsafeRawBufferPointer) -> ImageFormat? {
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return .png }
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return .jpeg }
        return nil
    }

    /// What data that are no JPEG or PNG look like, for an error message.
    ///
    /// - Parameter bytes: The data.
    /// - Returns: The rest of a sentence that starts with "it", such as
    ///   "starts with `<!DOCTYPE`, an HTML page".
    package static func describe(_ bytes: UnsafeRawBufferPointer) -> String {
        guard !bytes.isEmpty else { return "is empty" }
        let start = quotedStart(of: bytes)
        for (kind, offset, magic) in foreignFormats
        where bytes.dropFirst(offset).prefix(magic.count).elementsEqual(magic) {
            return "starts with \(start), \(kind)"
        }
        let text = String(decoding: bytes.prefix(64), as: UTF8.self).lowercased()
        let trimmed = text.drop { $0.isWhitespace }
        if trimmed.hasPrefix("<!doctype html") || trimmed.hasPrefix("<html") {
            return "starts with \(start), an HTML page (often a failed download)"
        }
        if trimmed.hasPrefix("version https://git-lfs") {
            return "starts with \(start), a Git LFS pointer instead of the file itself"
        }
        if trimmed.hasPrefix("<") { return "starts with \(start), XML or SVG" }
        return "starts with \(start), no image format known here"
    }

    /// Up to the first nine readable characters or the first four bytes in hexadecimal.
    private static func quotedStart(of bytes: UnsafeRawBufferPointer) -> String {
        let readable = bytes.prefix(9).prefix { 0x20...0x7E ~= $0 && $0 != 0x60 }
        if readable.count >= 2 { return "`\(String(decoding: readable, as: UTF8.self))`" }
        let hexadecimal = bytes.prefix(4).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return "the bytes \(hexadecimal.joined(separator: " "))"
    }

    /// Formats worth naming: what they are, where their mark begins, the mark.
    private static let foreignFormats: [(kind: String, offset: Int, magic: [UInt8])] = [
        ("a GIF image", 0, Array("GIF8".utf8)),
        ("a WebP image", 8, Array("WEBP".utf8)),
        ("a BMP image", 0, Array("BM".utf8)),
        ("a TIFF image", 0, [0x49, 0x49, 0x2A, 0x00]),
        ("a TIFF image", 0, [0x4D, 0x4D, 0x00, 0x2A]),
        ("a HEIC or AVIF image", 4, Array("ftyp".utf8)),
        ("a JPEG 2000 image", 4, Array("jP  ".utf8)),
        ("a JPEG XL image", 0, [0xFF, 0x0A]),
        ("a PDF document", 0, Array("%PDF".utf8)),
        ("gzip data", 0, [0x1F, 0x8B]),
        ("a ZIP archive", 0, Array("PK".utf8)),
    ]
}
