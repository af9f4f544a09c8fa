import Foundation
import Images

/// A folder that disappears with the test.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("datasets-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Writes a file and the folders above it.
    @discardableResult
    func write(_ bytes: some Sequence<UInt8>, to path: String) throws -> URL {
        let file = url.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(bytes).write(to: file)
        return file
    }

    /// Writes a small image of one brightness as PNG.
    @discardableResult
    func writeImage(
        _ level: UInt8,
        to path: String,
        width: Int = 4,
        height: Int = 3,
        channels: Int = 3
    ) throws -> URL {
        let image = Image(width: width, height: height, channels: channels, filledWith: level)
        return try write(image.pngData(), to: path)
    }

    /// The names in a folder, hidden ones included, sorted.
    func names(in path: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(
            atPath: url.appendingPathComponent(path).path
        ).sorted()
    }
}

/// The bytes of IDX files.
enum IDX {
    static func file(shape: [Int], values: [UInt8], magic: Int? = nil) -> [UInt8] {
        ([magic ?? 0x0800 + shape.count] + shape).flatMap(bigEndian) + values
    }

    private static func bigEndian(_ number: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    /// A gzip file that stores its content without compressing it.
    static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        precondition(bytes.count < 65536)
        func littleEndian(_ number: UInt32, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * $0)) }
        }
        let size = UInt32(bytes.count)
        return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1] + littleEndian(size, 2)
            + littleEndian(~size, 2) + bytes + littleEndian(crc32(bytes), 4) + littleEndian(size, 4)
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
