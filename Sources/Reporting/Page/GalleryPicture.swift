import Foundation
import Images

/// One image, in the page itself.
struct GalleryPicture {
    /// `png` or `jpeg`.
    var kind: String
    var base64: String
    var width: Int
    var height: Int
    var alt: String
    /// Small images are enlarged without smoothing, so that their pixels can be seen.
    var isSmall: Bool
    /// The file in the run folder.
    var file: String
    /// What is said of the image where it is enlarged.
    var origin = ""
    /// The real image that it resembles most, in words; nothing if it is not known.
    var note = ""
    /// The element that shows the real image; nothing if there is none.
    var real = ""

    /// Reads an image.
    ///
    /// - Parameters:
    ///   - file: Where it is.
    ///   - path: What it is called: its path inside of the run folder.
    ///   - alt: What it shows.
    ///   - side: The shorter side to which larger images are scaled, as JPEG; nil: none is.
    /// - Throws: ``ReportError`` if it cannot be read or is no image.
    init(_ file: URL, path: String, alt: String, side: Int?) throws {
        var data = try RunFile(url: file).data()
        func malformed(_ fault: String) -> ReportError {
            .malformed(
                file.path(percentEncoded: false),
                fault,
                remedy: "Remove it, or sample the images again."
            )
        }
        guard var size = ImageSize(of: data) else {
            throw malformed("this is neither a PNG nor a JPEG image")
        }
        if let side, Self.isScaled(size, to: side) {
            do {
                let image = try Image(decoding: [UInt8](data), named: path)
                let isLarger = min(image.width, image.height) > side
                data = try (isLarger ? image.resized(shortSide: side) : image).jpegData()
            } catch let error as ImageError {
                throw malformed("this cannot be decoded (\(error.message))")
            }
            size = ImageSize(of: data) ?? size
        }
        kind = size.kind
        base64 = data.base64EncodedString()
        (width, height) = (size.width, size.height)
        self.alt = alt
        isSmall = size.isSmall
        self.file = path
    }

    /// Bytes of the page that it takes.
    var byteCount: Int { base64.utf8.count + 500 }

    /// Whether an image is brought to a smaller file where space is scarce.
    static func isScaled(_ size: ImageSize, to side: Int) -> Bool {
        !size.isSmall && (size.kind == "png" || min(size.width, size.height) > side)
    }
}

extension ImageSize {
    /// Whether every pixel can be shown as a square.
    var isSmall: Bool { width <= 64 }
}
