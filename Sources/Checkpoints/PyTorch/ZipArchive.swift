import Foundation

/// The directory of a zip archive: where the bytes of each entry lie in the file.
///
/// Nothing is read but the directory and the head of each entry. Format: PKWARE's APPNOTE 6.3.10,
/// sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to 4.3.16 (zip64, end of directory)
/// and 4.5.3 (zip64 sizes).
package struct ZipArchive {
    /// One file of the archive.
    package struct Entry: Sendable {
        /// Path inside the archive.
        package let name: String
        /// Where its bytes lie in the archive, as they are stored.
        package let range: Range<Int>
        /// How they are stored: 0 as they are, 8 deflated.
        package let method: Int
        /// Whether a password is needed.
        package let isEncrypted: Bool
    }

    /// The files in the order of the directory.
    package let entries: [Entry]
    private let places: [String: Int]

    private enum Signature {
        static let localHeader: UInt32 = 0x0403_4B50
        static let directoryEntry: UInt32 = 0x0201_4B50
        static let end: UInt32 = 0x0605_4B50
        static let end64: UInt32 = 0x0606_4B50
        static let locator64: UInt32 = 0x0706_4B50
    }

    /// Reads the directory.
    ///
    /// - Parameters:
    ///   - bytes: The whole file.
    ///   - file: Its path, for messages.
    /// - Throws: `CheckpointError` that names the first fault.
    package init(_ bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
        let end = try ZipArchive.endOfDirectory(bytes, file)
        var entries = [Entry]()
        var places = [String: Int]()
        var place = end.directory.lowerBound
        for number in 0..<end.count {
            guard let (entry, next) = try ZipArchive.entry(bytes, at: place, file),
                next <= end.directory.upperBound
            else {
                throw .malformed(
                    file,
                    "The directory of the zip archive should name \(end.count) entries, but "
                        + "entry \(number) at byte \(place) is none."
                )
            }
            guard places.updateValue(entries.count, forKey: entry.name) == nil else {
                throw .malformed(file, "The zip archive has two entries named \"\(entry.name)\".")
            }
            entries.append(entry)
            place = next
        }
        self.entries = entries
        self.places = places
    }

    /// The entry with a name.
    package subscript(name: String) -> Entry? { places[name].map { entries[$0] } }

    /// Finds the directory from the end of the file.
    private static func endOfDirectory(
        _ bytes: UnsafeRawBufferPointer,
        _ file: String
    ) throws(CheckpointError) -> (directory: Range<Int>, count: Int) {
        // The record of 22 bytes is followed by a comment of at most 65,535.
        let first = max(0, bytes.count - 22 - 0xFFFF)
        let end = stride(from: bytes.count - 22, through: first, by: -1).first { place in
            bytes.integer(UInt32.self, at: place) == Signature.end
                && bytes.integer(UInt16.self, at: place + 20).map { place + 22 + Int($0) }
                    == bytes.count
        }
        guard let end, let count = bytes.integer(UInt16.self, at: end + 10),
            let size = bytes.integer(UInt32.self, at: end + 12),
            let offset = bytes.integer(UInt32.self, at: end + 16)
        else {
            throw .malformed(
                file,
                "The file begins as a zip archive, but the directory at its end is missing: "
                    + "\(bytes.count) bytes are not all of it."
            )
        }
        var (large, largeSize, largeOffset) = (UInt64(count), UInt64(size), UInt64(offset))
        if count == .max || size == .max || offset == .max {
            guard bytes.integer(UInt32.self, at: end - 20) == Signature.locator64,
                let place = bytes.integer(UInt64.self, at: end - 12).flatMap({ Int(exactly: $0) }),
                bytes.integer(UInt32.self, at: place) == Signature.end64,
                let count64 = bytes.integer(UInt64.self, at: place + 32),
                let size64 = bytes.integer(UInt64.self, at: place + 40),
                let offset64 = bytes.integer(UInt64.self, at: place + 48)
            else {
                throw .malformed(
                    file,
                    "The zip archive is a large one (zip64), but the record that tells where its "
                        + "directory lies is missing."
                )
            }
            (large, largeSize, largeOffset) = (count64, size64, offset64)
        }
        let limit = UInt64(end)
        guard largeOffset <= limit, largeSize <= limit - largeOffset, large <= largeSize / 46
        else {
            throw .malformed(
                file,
                "The directory of the zip archive should have \(large) entries in \(largeSize) "
                    + "bytes from byte \(largeOffset) on, but the file has \(bytes.count) bytes."
            )
        }
        let start = Int(largeOffset)
        return (start..<start + Int(largeSize), Int(large))
    }

    /// Reads one entry of the directory; nil where there is none.
    private static func entry(
        _ bytes: UnsafeRawBufferPointer,
        at place: Int,
        _ file: String
    ) throws(CheckpointError) -> (entry: Entry, next: Int)? {
        guard bytes.integer(UInt32.self, at: place) == Signature.directoryEntry,
            let flags = bytes.integer(UInt16.self, at: place + 8),
            let method = bytes.integer(UInt16.self, at: place + 10),
            let smallStored = bytes.integer(UInt32.self, at: place + 20),
            let smallSize = bytes.integer(UInt32.self, at: place + 24),
            let nameLength = bytes.integer(UInt16.self, at: place + 28),
            let extraLength = bytes.integer(UInt16.self, at: place + 30),
            let commentLength = bytes.integer(UInt16.self, at: place + 32),
            let smallOffset = bytes.integer(UInt32.self, at: place + 42)
        else { return nil }
        let nameEnd = place + 46 + Int(nameLength)
        let extraEnd = nameEnd + Int(extraLength)
        guard extraEnd <= bytes.count else { return nil }
        let name = String(decoding: bytes[place + 46..<nameEnd], as: UTF8.self)

        // Sizes that do not fit into 32 bits follow in this order, only those that do not.
        var (stored, offset) = (UInt64(smallStored), UInt64(smallOffset))
        var wide = wideSizes(bytes, in: nameEnd..<extraEnd)[...]
        if smallSize == .max { wide = wide.dropFirst() }
        if smallStored == .max { stored = wide.popFirst() ?? .max }
        if smallOffset == .max { offset = wide.popFirst() ?? .max }

        guard let header = Int(exactly: offset), let size = Int(exactly: stored),
            header < bytes.count, size <= bytes.count,
            bytes.integer(UInt32.self, at: header) == Signature.localHeader,
            let localName = bytes.integer(UInt16.self, at: header + 26),
            let localExtra = bytes.integer(UInt16.self, at: header + 28)
        else {
            throw .malformed(
                file,
                "The entry \"\(name)\" of the zip archive should lie at byte \(offset), but "
                    + "there is none."
            )
        }
        let start = header + 30 + Int(localName) + Int(localExtra)
        guard size <= bytes.count - start else {
            throw .malformed(
                file,
                "The entry \"\(name)\" of the zip archive should have \(size) bytes from byte "
                    + "\(start) on, but the file has \(bytes.count) bytes."
            )
        }
        let entry = Entry(
            name: name,
            range: start..<start + size,
            method: Int(method),
            isEncrypted: flags & 1 != 0
        )
        return (entry, extraEnd + Int(commentLength))
    }

    /// The numbers of the extra field 1 (zip64).
    private static func wideSizes(
        _ bytes: UnsafeRawBufferPointer,
        in range: Range<Int>
    ) -> [UInt64] {
        var place = range.lowerBound
        while let kind = bytes.integer(UInt16.self, at: place),
            let length = bytes.integer(UInt16.self, at: place + 2),
            place + 4 + Int(length) <= range.upperBound
        {
            if kind == 1 {
                return stride(from: place + 4, through: place + Int(length) - 4, by: 8)
                    .compactMap { bytes.integer(UInt64.self, at: $0) }
            }
            place += 4 + Int(length)
        }
        return []
    }
}

extension UnsafeRawBufferPointer {
    /// A little-endian number at any place; nil if it does not lie inside as a whole.
    func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type,
        at place: Int
    ) -> Value? {
        guard place >= 0, place <= count - MemoryLayout<Value>.size else { return nil }
        return Value(littleEndian: loadUnaligned(fromByteOffset: place, as: type))
    }
}
