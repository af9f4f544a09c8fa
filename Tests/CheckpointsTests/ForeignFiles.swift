import Foundation

/// Makes files as other programs write them, byte by byte.
enum ForeignFiles {
    /// A zip archive of stored entries without padding.
    static func zip(_ entries: [(String, [UInt8])]) -> [UInt8] {
        var (bytes, directory) = ([UInt8](), [UInt8]())
        for (name, content) in entries {
            let sizes = four(content.count) + four(content.count)
            let name = Array(name.utf8)
            let lengths = two(name.count) + two(0)
            directory += four(0x0201_4B50) + two(20) + two(20) + two(0) + two(0) + four(0)
            directory += four(0) + sizes + lengths + two(0) + two(0) + two(0) + four(0)
            directory += four(bytes.count) + name
            bytes += four(0x0403_4B50) + two(20) + two(0) + two(0) + four(0) + four(0)
            bytes += sizes + lengths + name + content
        }
        let count = two(entries.count)
        let end = four(0x0605_4B50) + four(0) + count + count
        return bytes + directory + end + four(directory.count) + four(bytes.count) + two(0)
    }

    /// A checkpoint with a pickle and the storage "0" of four float32.
    static func checkpoint(pickle: [UInt8]) -> [UInt8] {
        let four: [Float] = [1, 2, 3, 4]
        return zip([
            ("x/data.pkl", pickle), ("x/data/0", four.withUnsafeBytes { Array($0) }),
        ])
    }

    /// A pickle: text is taken as the opcodes it spells, one a character.
    static func pickle(_ parts: [String]) -> [UInt8] {
        [0x80, 2] + parts.joined().unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    }

    /// The instructions that push a text.
    static func text(_ text: String) -> String { "V\(text)\n" }

    /// The instructions that push a tensor of the storage "0" with four elements.
    static func tensor(
        offset: String = "I0\n",
        shape: String = "(I4\nt",
        strides: String = "(I1\nt",
        type: String = "FloatStorage",
        count: Int = 4
    ) -> String {
        "ctorch._utils\n_rebuild_tensor_v2\n((\(text("storage"))ctorch\n\(type)\n\(text("0"))"
            + "\(text("cpu"))I\(count)\ntQ\(offset)\(shape)\(strides)I00\n"
            + "ccollections\nOrderedDict\n)RtR"
    }

    private static func two(_ value: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt16(value).littleEndian) { Array($0) }
    }

    private static func four(_ value: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt32(value).littleEndian) { Array($0) }
    }
}
