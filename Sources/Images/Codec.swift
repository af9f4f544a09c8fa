import CCodecs

/// Calls into the C codecs: turns a status and a message into an error.
enum Codec {
    /// What a codec works on, and so what its user can do about a fault.
    enum Subject {
        /// The bytes of a file.
        case file
        /// A picture that is to be written.
        case picture
    }

    /// Runs one codec function and throws what it reports, with `name` (usually the file) in
    /// front.
    static func call(
        _ name: String,
        on subject: Subject = .file,
        file: String = #fileID,
        line: Int = #line,
        _ body: (cc_message) -> cc_status
    ) throws(ImageError) {
        var status = CC_OK
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            buffer.initialize(repeating: 0)
            status = body(cc_message(bytes: buffer.baseAddress, capacity: buffer.count))
            return buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
        guard status != CC_OK else { return }
        let (code, remedy) = subject == .file ? reading(status) : writing(status)
        throw ImageError(code, "\(name): \(text). \(remedy)", file: file, line: line)
    }

    private static func reading(_ status: cc_status) -> (ImageError.Code, remedy: String) {
        switch status {
        case CC_TRUNCATED: (.truncated, "Fetch or copy the file again, or remove it.")
        case CC_TOO_LARGE: (.tooLarge, "Scale it down first, or remove it.")
        case CC_UNSUPPORTED: (.unsupportedFormat, "Convert it to PNG, or remove it.")
        case CC_OUT_OF_MEMORY: (.outOfMemory, "Free some memory, or scale the picture down.")
        default: (.malformed, "The file is damaged: fetch it again, or remove it.")
        }
    }

    /// Pixels cannot be damaged: but for memory, a format can only have no room for them.
    private static func writing(_ status: cc_status) -> (ImageError.Code, remedy: String) {
        switch status {
        case CC_OUT_OF_MEMORY: (.outOfMemory, "Free some memory, or scale the picture down.")
        default: (.tooLarge, "Scale the picture down, or write it in another format.")
        }
    }
}
