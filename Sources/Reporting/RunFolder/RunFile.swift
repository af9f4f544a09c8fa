import Foundation

/// One file of a run folder, with its name as a person would say it.
struct RunFile {
    let url: URL
    /// The path as given, for messages.
    var path: String { url.path(percentEncoded: false) }

    var exists: Bool { FileManager.default.fileExists(atPath: path) }

    func data() throws -> Data {
        do {
            return try Data(contentsOf: url)
        } catch {
            throw ReportError.malformed(
                path,
                "the file cannot be read (\(error.localizedDescription))",
                remedy: "Check its permissions and the disk."
            )
        }
    }

    func text() throws -> String {
        guard let text = String(data: try data(), encoding: .utf8) else {
            throw ReportError.malformed(path, "the file is not UTF-8 text")
        }
        return text
    }

    func decoded<Value: Decodable>(_ type: Value.Type) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: data())
        } catch let error as DecodingError {
            throw ReportError.malformed(path, error.plainDescription)
        }
    }
}
