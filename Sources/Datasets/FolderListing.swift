import Foundation

/// Lists a folder of class folders and counts what is left out.
struct FolderListing {
    /// Endings of image files, in lower case.
    ///
    /// Formats that cannot be decoded here are among them, so that such files are reported and
    /// not passed over in silence.
    static let imageEndings: Set<String> = [
        "png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm",
        "heic", "avif",
    ]

    let root: String
    private(set) var ignored = ImageFolder.Ignored()

    init(root: String) {
        self.root = root
    }

    /// The names of the folders in the root, in string order.
    mutating func classFolders() throws -> [String] {
        switch Self.kind(root) {
        case .folder: break
        case nil:
            throw DatasetError(.missingFile, "\(root): there is no such folder. Check the path.")
        case .other:
            throw DatasetError(
                .noClasses,
                "\(root): it is a file. Name the folder that holds one folder per class."
            )
        }
        var classes: [String] = []
        var looseImages: [String] = []
        for name in try names(in: "") {
            if Self.kind("\(root)/\(name)") == .folder {
                classes.append(name)
            } else {
                if Self.isImage(name) { looseImages.append(name) }
                ignore(name)
            }
        }
        guard classes.isEmpty else { return classes }
        let found =
            looseImages.isEmpty
            ? "it has no folders at all"
            : "it holds \(looseImages.count) images (\(someOf(looseImages))) but no folders"
        throw DatasetError(
            .noClasses,
            "\(root): one folder per class is expected (root/class/image.png), but \(found). "
                + "Put the images of each class into a folder named like the class."
        )
    }

    /// The paths, from the root, of a class's images: folder by folder in string order, as
    /// torchvision walks them.
    mutating func images(inClass name: String) throws -> [String] {
        var result: [String] = []
        var visited: Set<FileIdentity> = []
        for folder in try folders(from: name, visited: &visited).sorted(by: Self.precedes) {
            for file in try names(in: folder) {
                let path = "\(folder)/\(file)"
                if Self.kind("\(root)/\(path)") == .folder { continue }
                if Self.isImage(file) { result.append(path) } else { ignore(path) }
            }
        }
        return result
    }

    /// A folder and all folders below it, each once even if links form a circle.
    private func folders(from path: String, visited: inout Set<FileIdentity>) throws -> [String] {
        guard let identity = FileIdentity("\(root)/\(path)"), visited.insert(identity).inserted
        else { return [] }
        var result = [path]
        for name in try visibleNames(in: path).visible
        where Self.kind("\(root)/\(path)/\(name)") == .folder {
            result += try folders(from: "\(path)/\(name)", visited: &visited)
        }
        return result
    }

    /// The names in a folder that do not start with a dot, in string order; counts the others.
    private mutating func names(in path: String) throws -> [String] {
        let (visible, hiddenCount) = try visibleNames(in: path)
        ignored.hiddenCount += hiddenCount
        return visible.sorted(by: Self.precedes)
    }

    private func visibleNames(in path: String) throws -> (visible: [String], hiddenCount: Int) {
        let folder = path.isEmpty ? root : "\(root)/\(path)"
        let all: [String]
        do {
            all = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw DatasetError(
                .unreadableFile,
                "\(folder): the folder cannot be listed (\(error.localizedDescription)). "
                    + "Check its permissions.",
                cause: error
            )
        }
        let visible = all.filter { !$0.hasPrefix(".") }
        return (visible, all.count - visible.count)
    }

    private mutating func ignore(_ path: String) {
        ignored.otherCount += 1
        if ignored.examples.count < 10 { ignored.examples.append(path) }
    }

    // MARK: Files

    private enum Kind {
        case folder
        case other
    }

    /// What a path leads to, links followed; `nil` if to nothing.
    private static func kind(_ path: String) -> Kind? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return status.st_mode & S_IFMT == S_IFDIR ? .folder : .other
    }

    private struct FileIdentity: Hashable {
        var device: UInt64
        var number: UInt64

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt64(truncatingIfNeeded: status.st_dev)
            number = UInt64(truncatingIfNeeded: status.st_ino)
        }
    }

    private static func isImage(_ name: String) -> Bool {
        guard let dot = name.lastIndex(of: ".") else { return false }
        return imageEndings.contains(name[name.index(after: dot)...].lowercased())
    }

    /// String order byte by byte.
    ///
    /// Swift's own order compares characters by Unicode equivalence.
    private static func precedes(_ a: String, _ b: String) -> Bool {
        a.utf8.lexicographicallyPrecedes(b.utf8)
    }
}
