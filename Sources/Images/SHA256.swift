import CCodecs
import Foundation

/// The SHA-256 hash of a stream of bytes (FIPS 180-4).
package struct SHA256 {
    private var state = cc_sha256()

    /// Starts with no bytes.
    package init() {
        cc_sha256_start(&state)
    }

    /// Adds bytes.
    ///
    /// - Parameter data: The next bytes of the stream.
    package mutating func add(_ data: some ContiguousBytes) {
        data.withUnsafeBytes { bytes in
            cc_sha256_add(
                &state,
                bytes.assumingMemoryBound(to: UInt8.self).baseAddress,
                bytes.count
            )
        }
    }

    /// The hash of everything added so far; more may be added afterwards.
    package var digest: [UInt8] {
        var copy = state
        return [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            cc_sha256_finish(&copy, buffer.baseAddress)
            count = 32
        }
    }

    /// The hash in 64 hexadecimal digits.
    package var hexadecimalDigest: String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Hashes one block of bytes.
    ///
    /// - Parameter data: The bytes.
    /// - Returns: 32 bytes.
    package static func digest(of data: some ContiguousBytes) -> [UInt8] {
        var hash = SHA256()
        hash.add(data)
        return hash.digest
    }

    /// Hashes texts, for the name of a file that depends on all of them.
    ///
    /// - Parameter lines: The texts, none of which has a line break.
    /// - Returns: 64 hexadecimal digits.
    package static func hexadecimalDigest(of lines: [String]) -> String {
        var hash = SHA256()
        hash.add(Data(lines.joined(separator: "\n").utf8))
        return hash.hexadecimalDigest
    }
}
