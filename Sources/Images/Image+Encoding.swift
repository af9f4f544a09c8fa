import CCodecs
import Foundation

extension Image {
    /// The image as a PNG file: 8 bits, grey or RGB, no other chunks than the necessary ones.
    ///
    /// The same image gives the same bytes with the same versions of libpng and zlib.
    ///
    /// - Returns: The file's bytes.
    /// - Throws: ``ImageError`` with the code `outOfMemory`, or `tooLarge` for an image with more
    ///   than a million pixels a side, which libpng refuses to write.
    public func pngData() throws -> Data {
        try encoded("PNG encoder") { pixels, output, count, message in
            cc_png_encode(
                pixels,
                UInt32(width),
                UInt32(height),
                UInt32(channels),
                output,
                count,
                message
            )
        }
    }

    /// The image as a JPEG file, for looking at: some of its detail is lost.
    ///
    /// - Parameter quality: 1 to 100, as libjpeg counts it.
    /// - Returns: The file's bytes.
    /// - Throws: ``ImageError`` with the code `outOfMemory`, or `tooLarge` for an image with more
    ///   than 65,500 pixels a side.
    package func jpegData(quality: Int = 85) throws -> Data {
        try encoded("JPEG encoder") { pixels, output, count, message in
            cc_jpeg_encode(
                pixels,
                UInt32(width),
                UInt32(height),
                UInt32(channels),
                Int32(quality),
                output,
                count,
                message
            )
        }
    }

    /// What an encoder makes of the pixels.
    private func encoded(
        _ name: String,
        by encode: (
            UnsafePointer<UInt8>?,
            UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>,
            UnsafeMutablePointer<Int>,
            cc_message
        ) -> cc_status
    ) throws -> Data {
        var output: UnsafeMutablePointer<UInt8>?
        var count = 0
        try bytes.withUnsafeBufferPointer { pixels in
            try Codec.call(name, on: .picture) { encode(pixels.baseAddress, &output, &count, $0) }
        }
        guard let output else { return Data() }
        return Data(bytesNoCopy: output, count: count, deallocator: .free)
    }
}
