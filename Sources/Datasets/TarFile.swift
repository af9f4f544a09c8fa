import Foundation

/// The files inside of a tar archive, found by its headers and read where they lie.
///
/// Formats: ustar (POSIX.1-1988), pax (POSIX.1-2001) and GNU with its long names.
final class TarFile: Sendable {
    /// A regular file in the archive.
    struct Entry: Sendable {
        let name: String
        let offset: Int
        let size: Int
    }

    private static let blockSize = 512

    let path: String
    let entries: [Entry]
    private let descriptor: Int32

    /// Lists an archive; the content of its files is skipped.
    init(path: String) throws {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let missing = errno == ENOENT
            throw DatasetError(
                missing ? .missingFile : .unreadableFile,
                "\(path) \(missing ? "does not exist" : "cannot be opened"). Check the path and "
                    + "its permissions."
            )
        }
        do {
            entries = try TarFile.list(descriptor, path)
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    /// The content of an entry.
    func bytes(of entry: Entry) throws -> [UInt8] {
        guard let bytes = TarFile.read(descriptor, entry.offset, entry.size) else {
            throw DatasetError(
                .truncated,
                "\(path): \(entry.name) ends too early. Fetch the archive again."
            )
        }
        return bytes
    }

    /// So many bytes from an offset, or nil if there are fewer.
    private static func read(_ descriptor: Int32, _ offset: Int, _ count: Int) -> [UInt8]? {
        var isWhole = true
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = 0
            while initialized < count, let base = buffer.baseAddress {
                let got = pread(
                    descriptor,
                    base + initialized,
                    count - initialized,
                    off_t(offset + initialized)
                )
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { break }
                initialized += got
            }
            isWhole = initialized == count
        }
        return isWhole ? bytes : nil
    }

    private static func list(_ descriptor: Int32, _ path: String) throws -> [Entry] {
        var entries = [Entry]()
        var offset = 0
        // Set by a header of their own for the next file.
        var longName: String?
        var longSize: Int?
        let end = Int(lseek(descriptor, 0, SEEK_END))
        // An archive ends with a block of zeros; without one a part of it is missing.
        while true {
            guard let header = read(descriptor, offset, blockSize) else {
                throw DatasetError(
                    .truncated,
                    "\(path): the archive has no end mark, so a part of it is missing. Fetch it "
                        + "again, or write it again if its writer was interrupted."
                )
            }
            guard header.contains(where: { $0 != 0 }) else { break }
            guard isIntact(header), var size = number(header[124..<136]), size >= 0 else {
                throw damaged(path, offset)
            }
            let content = offset + blockSize
            switch header[156] {
            case UInt8(ascii: "L"):
                guard size < 1 << 20, let bytes = read(descriptor, content, size) else {
                    throw damaged(path, offset)
                }
                longName = text(bytes[...])
            case UInt8(ascii: "x"):
                guard size < 1 << 20, let bytes = read(descriptor, content, size) else {
                    throw damaged(path, offset)
                }
                let records = paxRecords(bytes)
                longName = records["path"] ?? longName
                longSize = records["size"].flatMap { Int($0) } ?? longSize
            case UInt8(ascii: "0"), 0:
                size = longSize ?? size
                guard size >= 0 else { throw damaged(path, offset) }
                guard size <= end - content else {
                    throw DatasetError(
                        .truncated,
                        "\(path): the archive ends inside of \(longName ?? name(header)). Fetch it "
                            + "again."
                    )
                }
                entries.append(
                    Entry(name: longName ?? name(header), offset: content, size: size)
                )
                (longName, longSize) = (nil, nil)
            default:
                // Folders, links, and what belongs to no file.
                (longName, longSize) = (nil, nil)
            }
            guard size <= end - content else {
                throw DatasetError(
                    .truncated,
                    "\(path): the archive ends inside of the entry at byte \(offset). Fetch it "
                        + "again."
                )
            }
            offset = content + (size + blockSize - 1) / blockSize * blockSize
        }
        return entries
    }

    private static func damaged(_ path: String, _ offset: Int) -> DatasetError {
        DatasetError(
            .malformed,
            "\(path): there is no header of a tar archive at byte \(offset). Compressed archives "
                + "(.tar.gz) have to be decompressed first; otherwise fetch it again."
        )
    }

    /// The sum of the header's bytes, its own field counted as spaces.
    private static func isIntact(_ header: [UInt8]) -> Bool {
        let sum = header.enumerated().reduce(0) {
            $0 + Int((148..<156).contains($1.offset) ? 32 : $1.element)
        }
        return number(header[148..<156]) == sum
    }

    /// Octal digits, or GNU's big-endian binary for what they cannot hold.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if let first = field.first, first & 0x80 != 0 {
            guard first == 0x80, field.dropFirst().dropLast(7).allSatisfy({ $0 == 0 }) else {
                return nil
            }
            return field.suffix(7).reduce(0) { $0 << 8 | Int($1) }
        }
        let digits = text(field).trimmingCharacters(in: .whitespaces)
        return digits.isEmpty ? 0 : Int(digits, radix: 8)
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func name(_ header: [UInt8]) -> String {
        let isPOSIX = header[257..<262].elementsEqual("ustar".utf8) && header[262] == 0
        let prefix = isPOSIX ? text(header[345..<500]) : ""
        return prefix.isEmpty ? text(header[0..<100]) : "\(prefix)/\(text(header[0..<100]))"
    }

    /// Lines of the form "LENGTH KEY=VALUE".
    private static func paxRecords(_ bytes: [UInt8]) -> [String: String] {
        var result = [String: String]()
        var rest = bytes[...]
        while let space = rest.firstIndex(of: UInt8(ascii: " ")),
            let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
            length <= rest.count, rest.startIndex + length > space
        {
            let record = rest.prefix(length)
            let line = String(decoding: record[(space + 1)...].dropLast(), as: UTF8.self)
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { result[String(parts[0])] = String(parts[1]) }
            rest = rest.dropFirst(length)
        }
        return result
    }
}
