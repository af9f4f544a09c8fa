import Torch

/// What the head of a safetensors file says, checked against the rules of the format:
/// github.com/huggingface/safetensors, "Format".
struct SafetensorsHeader {
    /// Largest header that is read, as in the reference library.
    private static let largest = 100_000_000

    let metadata: [String: String]
    let entries: [SafetensorsFile.Entry]

    /// Reads and checks a whole file's head.
    ///
    /// - Parameters:
    ///   - bytes: The file.
    ///   - file: Its path, for messages.
    /// - Throws: `CheckpointError` that names the first fault.
    init(_ bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
        guard bytes.count >= 8 else {
            throw .malformed(
                file,
                "A safetensors file begins with 8 bytes for the length of its header, but the "
                    + "file has \(bytes.count) bytes."
            )
        }
        let announced = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard let length = Int(exactly: announced), length <= bytes.count - 8 else {
            throw .malformed(
                file,
                "The header should have \(announced) bytes, but only \(bytes.count - 8) follow."
                    + SafetensorsHeader.guess(bytes)
            )
        }
        guard length <= SafetensorsHeader.largest else {
            throw .malformed(
                file,
                "The header has \(length) bytes; at most \(SafetensorsHeader.largest) are allowed."
            )
        }
        let text = bytes[8..<8 + length]
        guard text.first == UInt8(ascii: "{") else {
            throw .malformed(
                file,
                "The header must be a JSON object and begin with \"{\"."
                    + SafetensorsHeader.guess(bytes)
            )
        }
        let json: OrderedJSON
        do {
            json = try OrderedJSON(text)
        } catch {
            throw .malformed(
                file,
                "The header is no valid JSON at byte \(8 + error.offset): \(error.reason)."
            )
        }
        guard case .object(let members) = json else {
            throw .malformed(file, "The header must be a JSON object.")
        }
        var metadata = [String: String]()
        var entries = [SafetensorsFile.Entry]()
        for member in members {
            if member.name == "__metadata__" {
                metadata = try SafetensorsHeader.metadata(member.value, file)
            } else {
                entries.append(try SafetensorsHeader.entry(member, start: 8 + length, file))
            }
        }
        try SafetensorsHeader.checkLayout(entries, start: 8 + length, end: bytes.count, file)
        self.metadata = metadata
        self.entries = entries
    }

    /// What a file that is no safetensors file may be.
    private static func guess(_ bytes: UnsafeRawBufferPointer) -> String {
        if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
            return " It is a zip archive, perhaps a PyTorch checkpoint (.pt)."
        }
        if bytes.prefix(8).allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x0A }) {
            return " It is a text, perhaps a Git-LFS pointer or a web page instead of the weights."
        }
        return ""
    }

    private static func metadata(
        _ value: OrderedJSON,
        _ file: String
    ) throws(CheckpointError) -> [String: String] {
        guard case .object(let members) = value else {
            throw .malformed(file, "\"__metadata__\" must be an object of strings.")
        }
        var metadata = [String: String]()
        for member in members {
            guard case .string(let text) = member.value else {
                throw .malformed(file, "\"__metadata__\": \"\(member.name)\" must be a string.")
            }
            metadata[member.name] = text
        }
        return metadata
    }

    /// Reads the description of one tensor; members that the format does not know are skipped.
    private static func entry(
        _ member: OrderedJSON.Member,
        start: Int,
        _ file: String
    ) throws(CheckpointError) -> SafetensorsFile.Entry {
        let subject = "The tensor \"\(member.name)\""
        guard case .object(let fields) = member.value else {
            throw .malformed(file, "\(subject) must be described by an object.")
        }
        var fieldsByName = [String: OrderedJSON]()
        for field in fields { fieldsByName[field.name] = field.value }

        guard case .string(let type) = fieldsByName["dtype"] else {
            throw .malformed(file, "\(subject) has no dtype.")
        }
        guard let dtype = DType(safetensorsName: type) else {
            throw unknownType(type, subject, file)
        }
        guard let shape = wholeNumbers(fieldsByName["shape"]) else {
            throw .malformed(
                file,
                "\(subject): the shape must be a list of whole numbers from 0 to 2^63 - 1, but "
                    + "\(found(fieldsByName["shape"])) was found."
            )
        }
        guard let offsets = wholeNumbers(fieldsByName["data_offsets"]), offsets.count == 2,
            offsets[0] <= offsets[1]
        else {
            throw .malformed(
                file,
                "\(subject): data_offsets must be two whole numbers below 2^63, the first not the "
                    + "larger, but \(found(fieldsByName["data_offsets"])) was found."
            )
        }
        // An axis of size 0 hides an overflow of the others from the product, so it counts as 1.
        let largest = shape.reduce(dtype.byteCount as Int?) { product, size -> Int? in
            guard let (value, overflow) = product?.multipliedReportingOverflow(by: max(size, 1)),
                !overflow
            else { return nil }
            return value
        }
        guard largest != nil else {
            throw .malformed(file, "\(subject): the shape \(shape) has more than 2^63 bytes.")
        }
        let size = shape.reduce(dtype.byteCount, *)
        guard offsets[1] - offsets[0] == size else {
            throw .malformed(
                file,
                "\(subject): \(dtype) of shape \(shape) needs \(size) bytes, but data_offsets "
                    + "\(offsets) hold \(offsets[1] - offsets[0])."
            )
        }
        guard offsets[1] <= Int.max - start else {
            throw .malformed(file, "\(subject): data_offsets \(offsets) lie beyond the file.")
        }
        return SafetensorsFile.Entry(
            name: member.name,
            dtype: dtype,
            shape: shape,
            range: start + offsets[0]..<start + offsets[1]
        )
    }

    private static func found(_ value: OrderedJSON?) -> String {
        let text = value?.description ?? "nothing"
        return text.count <= 80 ? text : text.prefix(80) + "…"
    }

    private static func unknownType(
        _ type: String,
        _ subject: String,
        _ file: String
    ) -> CheckpointError {
        let readable = DType.allCases.map(\.safetensorsName).joined(separator: ", ")
        let known = [
            "U16", "U32", "U64", "C64", "F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2",
            "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
        ]
        guard known.contains(type) else {
            return .malformed(
                file,
                "\(subject): there is no dtype \"\(type)\"; \(readable) can be read."
            )
        }
        return CheckpointError(
            .unsupported,
            file: file,
            "\(subject) has the dtype \(type); \(readable) can be read.",
            remedy: "Convert it to one of them first."
        )
    }

    private static func wholeNumbers(_ value: OrderedJSON?) -> [Int]? {
        guard case .array(let elements) = value else { return nil }
        var numbers = [Int]()
        for element in elements {
            guard case .number(let digits) = element, let number = Int(digits), number >= 0,
                digits.first != "-"
            else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    /// Every byte behind the header must belong to exactly one tensor.
    private static func checkLayout(
        _ entries: [SafetensorsFile.Entry],
        start: Int,
        end: Int,
        _ file: String
    ) throws(CheckpointError) {
        let inOrder = entries.sorted {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        var place = start
        for entry in inOrder {
            let (from, to) = (entry.range.lowerBound, entry.range.upperBound)
            guard to <= end else {
                throw .malformed(
                    file,
                    "The tensor \"\(entry.name)\" should end at byte \(to), but the file has "
                        + "\(end) bytes."
                )
            }
            guard from >= place else {
                throw .malformed(
                    file,
                    "The tensor \"\(entry.name)\" begins at byte \(from), inside of the one "
                        + "before it, which ends at byte \(place)."
                )
            }
            guard from == place else {
                throw .malformed(
                    file,
                    "The bytes \(place) to \(from) before the tensor \"\(entry.name)\" belong to "
                        + "no tensor."
                )
            }
            place = to
        }
        guard place == end else {
            throw .malformed(
                file,
                "\(end - place) bytes follow the last tensor, which ends at byte \(place)."
            )
        }
    }
}
