/// The checksum of zip archives: CRC-32, polynomial 0xEDB88320 (ISO 3309), eight bytes a step.
struct CRC32 {
    private var register: UInt32 = 0xFFFF_FFFF

    /// The checksum of everything so far.
    var value: UInt32 { ~register }

    /// `tables[k][b]` is the effect of byte b with k zero bytes behind it.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            tables[byte] = (0..<8).reduce(UInt32(byte)) { value, _ in
                value & 1 == 0 ? value >> 1 : 0xEDB8_8320 ^ value >> 1
            }
        }
        for place in 256..<tables.count {
            let value = tables[place - 256]
            tables[place] = value >> 8 ^ tables[Int(value & 0xFF)]
        }
        return tables
    }()

    /// Takes bytes in.
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        CRC32.tables.withUnsafeBufferPointer { table in
            var crc = register
            var place = 0
            while place + 8 <= bytes.count {
                let word = UInt64(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                )
                let low = crc ^ UInt32(truncatingIfNeeded: word)
                let high = UInt32(truncatingIfNeeded: word >> 32)
                crc =
                    table[7 * 256 + Int(low & 0xFF)] ^ table[6 * 256 + Int(low >> 8 & 0xFF)]
                    ^ table[5 * 256 + Int(low >> 16 & 0xFF)] ^ table[4 * 256 + Int(low >> 24)]
                crc ^=
                    table[3 * 256 + Int(high & 0xFF)] ^ table[2 * 256 + Int(high >> 8 & 0xFF)]
                    ^ table[256 + Int(high >> 16 & 0xFF)] ^ table[Int(high >> 24)]
                place += 8
            }
            for byte in bytes[place...] {
                crc = crc >> 8 ^ table[Int(crc & 0xFF ^ UInt32(byte))]
            }
            register = crc
        }
    }

    /// The checksum of some bytes.
    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var checksum = CRC32()
        checksum.update(bytes)
        return checksum.value
    }
}
