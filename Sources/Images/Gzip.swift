import CCodecs
import Foundation

/// Reading of gzip data.
package enum Gzip {
    /// Whether data begin like a gzip file.
    ///
    /// - Parameter bytes: The data.
    /// - Returns: Whether they start with 1f 8b.
    package static func isCompressed(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [0x1F, 0x8B])
    }

    /// Inflates gzip data of one or more members; their checksums are verified.
    ///
    /// - Parameters:
    ///   - data: The compressed bytes.
    ///   - limit: The largest number of bytes that may come out. About twice as many are in memory
    ///     at most: the decoder's block, and the array that they are copied to.
    ///   - name: What error messages call the data, usually the file.
    /// - Returns: The inflated bytes.
    /// - Throws: ``ImageError`` with the code `malformed`, `truncated` or `tooLarge`.
    package static func inflated(_ data: [UInt8], limit: Int, named name: String) throws -> [UInt8]
    {
        var output: UnsafeMutablePointer<UInt8>?
        var count = 0
        defer { cc_free(output) }
        try data.withUnsafeBufferPointer { source in
            try Codec.call(name) { message in
                cc_gzip_inflate(
                    source.baseAddress,
                    source.count,
                    limit,
                    &output,
                    &count,
                    message
                )
            }
        }
        return Array(UnsafeBufferPointer(start: output, count: count))
    }
}
