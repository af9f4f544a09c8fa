import Foundation
import Images

/// A file of unsigned bytes in the IDX format of MNIST.
///
/// A number tells type and dimensions, then come the sizes as big-endian 32-bit numbers, then the
/// values. The file may be compressed by gzip.
struct IDXFile {
    /// The largest number of bytes accepted, before and after inflating: 4 GiB.
    static let maximumByteCount = 1 << 32

    /// The file it was read from.
    let path: String
    /// The size along each dimension, all at least 1.
    let shape: [Int]
    /// The values.
    let values: ArraySlice<UInt8>

    /// Reads a file that must have `dimensionCount` dimensions.
    init(path: String, dimensionCount: Int) throws {
        self.path = path
        var bytes = try Self.readFile(path)
        if Gzip.isCompressed(bytes) {
            // Deflate cannot do better than 1 : 1032.
            let limit = min(Self.maximumByteCount, bytes.count * 1032 + 1024)
            do {
                bytes = try Gzip.inflated(bytes, limit: limit, named: path)
            } catch let error as ImageError {
                throw DatasetError(
                    error.code == .truncated ? .truncated : .malformed,
                    error.message,
                    cause: error
                )
            }
        }

        let headerCount = 4 + 4 * dimensionCount
        guard bytes.count >= headerCount else {
            throw DatasetError(
                .truncated,
                "\(path): an IDX file with \(dimensionCount) dimensions begins with "
                    + "\(headerCount) bytes of header, but it has only \(bytes.count) bytes. "
                    + "Fetch it again."
            )
        }
        func number(at offset: Int) -> Int {
            bytes[offset..<(offset + 4)].reduce(0) { $0 << 8 | Int($1) }
        }
        // Type 8 is unsigned bytes.
        let magic = 0x0800 + dimensionCount
        guard number(at: 0) == magic else {
            throw DatasetError(
                .malformed,
                "\(path): an IDX file of bytes with \(dimensionCount) dimensions begins with the "
                    + "number \(magic), but this one begins with \(number(at: 0)). "
                    + "Check that images and labels are not exchanged, or fetch it again."
            )
        }
        let shape = (0..<dimensionCount).map { number(at: 4 + 4 * $0) }
        let described = shape.map(String.init).joined(separator: " × ")
        guard shape.allSatisfy({ $0 > 0 }) else {
            throw DatasetError(
                .malformed,
                "\(path): its header says \(described) values: it is empty."
            )
        }
        // Three 32-bit sizes can overflow.
        let expected = shape.reduce(into: Int?.some(1)) { product, size in
            guard let value = product else { return }
            let (result, overflow) = value.multipliedReportingOverflow(by: size)
            product = overflow ? nil : result
        }
        let found = bytes.count - headerCount
        guard let expected, expected == found else {
            throw DatasetError(
                found < expected ?? Int.max ? .truncated : .malformed,
                "\(path): its header promises \(described) values, but it holds \(found). "
                    + "Fetch it again."
            )
        }
        self.shape = shape
        self.values = bytes[headerCount...]
    }

    private static func readFile(_ path: String) throws -> [UInt8] {
        do {
            return try FileBytes.read(path: path, limit: maximumByteCount)
        } catch {
            throw DatasetError(
                error == .missing ? .missingFile : .unreadableFile,
                "\(path) \(error). Check the path and its permissions.",
                cause: error
            )
        }
    }
}
