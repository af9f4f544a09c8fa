import CCodecs
import Foundation

/// What to do with the orientation that a camera noted in a JPEG.
public enum OrientationPolicy: String, Codable, Sendable {
    /// Turn the picture as it should be looked at.
    case upright
    /// Keep the pixels as they are stored (torchvision's `ImageFolder` does so).
    case asStored
}

/// What the beginning of an image file says about the picture.
public struct ImageHeader: Equatable, Sendable {
    /// The file format.
    public let format: ImageFormat
    /// Pixels in a stored row.
    public let width: Int
    /// Stored rows.
    public let height: Int
    /// Channels after decoding: 1 or 3.
    public let channels: Int
    /// Channels in the file: 1 to 4.
    public let storedChannels: Int
    /// Bits per channel in the file.
    public let bitDepth: Int
    /// Exif orientation: 1 (upright) to 8.
    public let orientation: Int
}

extension Image {
    /// The largest picture that is decoded, in pixels: 2²⁷, a square of 11,585.
    ///
    /// Small files can claim absurd sizes; beyond this limit they are refused before any memory
    /// is asked for.
    public static let maximumPixelCount = 1 << 27

    /// The largest image file that is read, in bytes.
    public static let maximumFileByteCount = 1 << 30

    /// Reads a JPEG or PNG file.
    ///
    /// The format is recognised by the first bytes, whatever the file's name ends in. Palettes
    /// become RGB, CMYK becomes RGB (by Pillow's formula), 16 bits per channel keep the high
    /// byte, and an alpha channel is dropped, not composited: what the loaders of PyTorch do.
    ///
    /// - Parameters:
    ///   - url: The file.
    ///   - orientation: Whether to turn the picture as its Exif orientation asks for.
    /// - Throws: ``ImageError``.
    public init(contentsOf url: URL, orientation: OrientationPolicy = .upright) throws {
        let bytes = try Self.fileBytes(at: url)
        try self.init(decoding: bytes, named: url.path, orientation: orientation)
    }

    /// The bytes of an image file.
    package static func fileBytes(at url: URL) throws -> [UInt8] {
        do {
            return try FileBytes.read(path: url.path, limit: maximumFileByteCount)
        } catch {
            throw ImageError(reading: url.path, problem: error)
        }
    }

    /// Decodes JPEG or PNG data; see ``init(contentsOf:orientation:)``.
    ///
    /// - Parameters:
    ///   - data: The whole file's bytes.
    ///   - name: What error messages call them, usually the file.
    ///   - orientation: Whether to turn the picture as its Exif orientation asks for.
    /// - Throws: ``ImageError``.
    public init(
        decoding data: some ContiguousBytes,
        named name: String = "image data",
        orientation: OrientationPolicy = .upright
    ) throws {
        let stored = try data.withUnsafeBytes { bytes in
            let header = try ImageHeader(bytes, named: name)
            let image = try Image(
                width: header.width,
                height: header.height,
                channels: header.channels
            ) { pixels in
                let source = bytes.assumingMemoryBound(to: UInt8.self)
                try Codec.call(name) { message in
                    switch header.format {
                    case .png:
                        return cc_png_decode(
                            source.baseAddress,
                            source.count,
                            UInt64(Self.maximumPixelCount),
                            pixels.baseAddress,
                            pixels.count,
                            message
                        )
                    case .jpeg:
                        var warnings: UInt32 = 0
                        return cc_jpeg_decode(
                            source.baseAddress,
                            source.count,
                            UInt64(Self.maximumPixelCount),
                            pixels.baseAddress,
                            pixels.count,
                            &warnings,
                            message
                        )
                    }
                }
            }
            return (image, header.orientation)
        }
        self = orientation == .upright ? stored.0.upright(from: stored.1) : stored.0
    }
}

extension ImageHeader {
    /// Reads the header of JPEG or PNG data.
    ///
    /// - Parameters:
    ///   - data: The bytes, from the beginning of the file.
    ///   - name: What error messages call them, usually the file.
    /// - Throws: ``ImageError``.
    public init(of data: some ContiguousBytes, named name: String = "image data") throws {
        self = try data.withUnsafeBytes { try ImageHeader($0, named: name) }
    }

    fileprivate init(_ bytes: UnsafeRawBufferPointer, named name: String) throws {
        guard let format = ImageFormat.recognised(in: bytes) else {
            throw ImageError(
                .unsupportedFormat,
                "\(name): it \(ImageFormat.describe(bytes)); JPEG and PNG are read here. "
                    + "Fetch the file again, convert it to PNG, or remove it."
            )
        }
        let source = bytes.assumingMemoryBound(to: UInt8.self)
        let limit = UInt64(Image.maximumPixelCount)
        var header = cc_image_header()
        try Codec.call(name) { message in
            switch format {
            case .png:
                cc_png_read_header(source.baseAddress, source.count, limit, &header, message)
            case .jpeg:
                cc_jpeg_read_header(source.baseAddress, source.count, limit, &header, message)
            }
        }
        self.init(
            format: format,
            width: Int(header.width),
            height: Int(header.height),
            channels: Int(header.channels),
            storedChannels: Int(header.stored_channels),
            bitDepth: Int(header.bit_depth),
            orientation: Int(header.orientation)
        )
    }
}

extension ImageError {
    /// The error for a file whose bytes could not be read at all.
    init(
        reading path: String,
        problem: FileBytes.Problem,
        file: String = #fileID,
        line: Int = #line
    ) {
        let code: Code
        let remedy: String
        switch problem {
        case .missing:
            (code, remedy) = (.missingFile, "Check the path.")
        case .notAFile:
            (code, remedy) = (.unreadableFile, "Name an image file.")
        case .refused:
            (code, remedy) = (.unreadableFile, "Check its permissions and the disk.")
        case .tooLarge:
            (code, remedy) = (.tooLarge, "It is no picture meant for training; remove it.")
        }
        self.init(
            code,
            "\(path) \(problem). \(remedy)",
            cause: problem,
            file: file,
            line: line
        )
    }
}
