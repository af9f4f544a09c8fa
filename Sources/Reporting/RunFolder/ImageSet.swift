import Foundation

/// The images of one method, `<class>/<k>.png`, by class; chosen real images may be JPEG files.
package struct ImageSet: Sendable {
    /// The command's name of the method, such as "random" or "minimax".
    package var method: String
    /// The files of each class in the order of their numbers.
    package var classes: [String: [URL]]

    /// Reads the names in a folder; nothing if it holds no class folders with images.
    init?(method: String, folder: URL) {
        self.method = method
        classes = [:]
        for folder in Self.folders(in: folder) {
            let files = Self.entries(in: folder)
                .filter { ["png", "jpg", "jpeg"].contains($0.pathExtension.lowercased()) }
                .sorted { Self.precedes($0.lastPathComponent, $1.lastPathComponent) }
            if !files.isEmpty { classes[folder.lastPathComponent] = files }
        }
        guard !classes.isEmpty else { return nil }
    }

    /// The folders in a folder, in order of their names.
    static func folders(in folder: URL) -> [URL] {
        entries(in: folder)
            .filter { (try? $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) == true }
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
