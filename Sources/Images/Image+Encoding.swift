import CCodecs
import Foundation

extension Image {
    /// The image as a PNG file: 8 bits, grey or RGB, no other chunks than the necessary ones.
    ///
    /// The same image gives the same bytes with the same versions of libpng and zlib.
    ///
    /// - Returns: The file's bytes.
    /// - Throws: ``ImageError`` when there is not enough memory.
    public func pngData() throws -> Data {
        var output: UnsafeMutablePointer<UInt8>?
        var count = 0
        try bytes.withUnsafeBufferPointer { pixels in
            try Codec.call("PNG encoder") { message in
                cc_png_encode(
                    pixels.baseAddress,
                    UInt32(width),
                    UInt32(height),
                    UInt32(channels),
                    &output,
                    &count,
                    message
                )
            }
        }
        guard let output else { return Data() }
        return Data(bytesNoCopy: output, count: count, deallocator: .free)
    }
}
