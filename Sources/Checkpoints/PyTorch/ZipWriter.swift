/// Writes a zip archive of stored entries, each entry's bytes at a multiple of 64 in the file as
/// PyTorch does, so that they can be mapped.
///
/// Sizes beyond 32 bits are written as zip64 (PKWARE's APPNOTE 6.3.10, section 4.5.3).
struct ZipWriter {
    private struct Record {
        let name: [UInt8]
        let checksum: UInt32
        let size: Int
        let offset: Int
    }

    /// Sizes and places from here on are written as zip64.
    private let limit: Int
    private let file: AtomicFile
    private var records = [Record]()
    private var position = 0

    /// Begins an archive.
    ///
    /// - Parameters:
    ///   - file: The file, empty yet.
    ///   - limit: Sizes and places from here on are written as zip64; at most 2³² − 1, smaller
    ///     only to test that.
    init(_ file: AtomicFile, zip64Limit limit: Int = 0xFFFF_FFFF) {
        self.file = file
        self.limit = limit
    }

    /// Adds an entry.
    mutating func add(
        _ name: String,
        _ content: UnsafeRawBufferPointer
    ) throws(CheckpointError) {
        let record = Record(
            name: Array(name.utf8),
            checksum: CRC32.of(content),
            size: content.count,
            offset: position
        )
        var extra = [UInt8]()
        if record.size >= limit {
            extra = joined(two(1), two(16), eight(record.size), eight(record.size))
        }
        // PyTorch's padding: the extra field "FB" up to the next multiple of 64.
        let start = position + 30 + record.name.count + extra.count + 4
        let padding = (64 - start % 64) % 64
        extra += joined(two(0x4246), two(padding))
        extra += [UInt8](repeating: UInt8(ascii: "Z"), count: padding)

        try append(four(0x0403_4B50), common(record), two(extra.count), record.name, extra)
        try file.append(content)
        position += content.count
        records.append(record)
    }

    /// Adds an entry.
    mutating func add(_ name: String, _ content: [UInt8]) throws(CheckpointError) {
        try content.withUnsafeBufferPointer { (buffer) throws(CheckpointError) in
            try add(name, UnsafeRawBufferPointer(buffer))
        }
    }

    /// Writes the directory; nothing may be added afterwards.
    mutating func finish() throws(CheckpointError) {
        let start = position
        for record in records {
            var wide = [UInt8]()
            if record.size >= limit { wide += joined(eight(record.size), eight(record.size)) }
            if record.offset >= limit { wide += eight(record.offset) }
            if !wide.isEmpty { wide = joined(two(1), two(wide.count), wide) }
            // No comment, first disk, no attributes.
            let rest = [UInt8](repeating: 0, count: 10)
            try append(four(0x0201_4B50), two(45), common(record), two(wide.count), rest)
            try append(four(narrow(record.offset)), record.name, wide)
        }
        let size = position - start
        if start >= limit || size >= limit || records.count >= 0xFFFF {
            let end = position
            let firstDisk = [UInt8](repeating: 0, count: 8)
            let count = eight(records.count)
            try append(four(0x0606_4B50), eight(44), two(45), two(45), firstDisk)
            try append(count, count, eight(size), eight(start))
            try append(four(0x0706_4B50), four(0), eight(end), four(1))
        }
        let count = two(min(records.count, 0xFFFF))
        try append(four(0x0605_4B50), four(0), count, count)
        try append(four(narrow(size)), four(narrow(start)), two(0))
    }

    /// The part that local header and directory share: version, flags, method, time, sizes, and
    /// the length of the name.
    private func common(_ record: Record) -> [UInt8] {
        let size = four(narrow(record.size))
        // Names in UTF-8; stored; 1 January 1980, the beginning of the format's calendar.
        let head = joined(two(45), two(0x0800), two(0), two(0), two(0x21))
        return joined(head, four(Int(record.checksum)), size, size, two(record.name.count))
    }

    private func narrow(_ value: Int) -> Int { value >= limit ? 0xFFFF_FFFF : value }

    private mutating func append(_ parts: [UInt8]...) throws(CheckpointError) {
        let bytes = parts.flatMap { $0 }
        try file.append(bytes)
        position += bytes.count
    }

    private func joined(_ parts: [UInt8]...) -> [UInt8] { parts.flatMap { $0 } }

    private func two(_ value: Int) -> [UInt8] { bytes(UInt16(truncatingIfNeeded: value)) }

    private func four(_ value: Int) -> [UInt8] { bytes(UInt32(truncatingIfNeeded: value)) }

    private func eight(_ value: Int) -> [UInt8] { bytes(UInt64(value)) }

    private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
