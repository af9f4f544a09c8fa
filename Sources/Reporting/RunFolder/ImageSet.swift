import Foundation

/// The images of one method, `<class>/<k>.png`, by class; chosen real images may be JPEG files.
package struct ImageSet: Sendable {
    /// The command's name of the method, such as "random" or "minimax".
    package var method: String
    /// The folder of the set inside of the run folder: `surrogate`.
    package var place: String
    /// The files of each class in the order of their numbers.
    package var classes: [String: [URL]]

    private let folder: URL

    /// Reads the names in a folder; nothing if it holds no class folders with images.
    init?(method: String, place: String, in run: URL) {
        self.method = method
        self.place = place
        // In a cell of a comparison it is a link.
        folder = run.appending(path: place).resolvingSymlinksInPath()
        classes = [:]
        for folder in Self.folders(in: folder) {
            let files = Self.entries(in: folder)
                .filter { ["png", "jpg", "jpeg"].contains($0.pathExtension.lowercased()) }
                .sorted { Self.precedes($0.lastPathComponent, $1.lastPathComponent) }
            if !files.isEmpty { classes[folder.lastPathComponent] = files }
        }
        guard !classes.isEmpty else { return nil }
    }

    /// The path of an image inside of the run folder.
    func path(of file: URL, inClass name: String) -> String {
        "\(place)/\(name)/\(file.lastPathComponent)"
    }

    /// The real images that images are, or began as, by the images' paths inside of the run
    /// folder; empty where `metadata.jsonl` does not say so.
    ///
    /// - Throws: ``ReportError`` naming a line that is malformed.
    func sources() throws -> [String: String] {
        struct Line: Decodable {
            var file_name: String
            var source: String?
        }
        let file = RunFile(url: folder.appending(path: "metadata.jsonl"))
        guard file.exists else { return [:] }
        var sources: [String: String] = [:]
        for (index, line) in try file.text().split(separator: "\n").enumerated() {
            do {
                let line = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
                sources["\(place)/\(line.file_name)"] = line.source
            } catch let error as DecodingError {
                throw ReportError.malformed(
                    file.path,
                    "line \(index + 1): \(error.plainDescription)"
                )
            }
        }
        return sources
    }

    /// The folders in a folder, in order of their names.
    static func folders(in folder: URL) -> [URL] {
        entries(in: folder)
            .filter { url in
                let values = try? url.resolvingSymlinksInPath()
                    .resourceValues(forKeys: [.isDirectoryKey])
                return values?.isDirectory == true
            }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
    }

    private static func entries(in folder: URL) -> [URL] {
        (try? FileManager.default.contentsOfDirectory(
            at: folder,
            includingPropertiesForKeys: [.isDirectoryKey],
            options: [.skipsHiddenFiles]
        )) ?? []
    }

    /// "2.png" comes before "10.png".
    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.compare(right, options: [.numeric], locale: nil) == .orderedAscending
    }
}
