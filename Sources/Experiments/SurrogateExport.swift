import Checkpoints
import Datasets
import Foundation
import Torch

/// A surrogate dataset in the layout of another program.
public struct SurrogateExport {
    /// The layouts.
    public enum Format: String, Sendable, CaseIterable {
        /// One folder a class, as torchvision and Hugging Face read it: a copy of what is there.
        case imagefolder
        /// Shards of WebDataset.
        case tarShards = "tar-shards"
        /// One safetensors file: `images` [N, C, H, W] and `labels` [N], class names as metadata.
        case safetensors
        /// The same as a file of `torch.save`, for `torch.load(path, weights_only=True)`.
        case pt
    }

    private let source: URL
    private let images: ImageFolder

    /// Finds the images of a run.
    ///
    /// - Parameters:
    ///   - folder: A run folder, or a folder of class folders.
    ///   - method: Whose images of the run; nil for the surrogate itself.
    /// - Throws: `RunError` if there are none, `DatasetError` if they cannot be read.
    public init(_ folder: URL, method: String? = nil) throws {
        let files = FileManager.default
        guard files.fileExists(atPath: folder.path) else {
            throw RunError(.missingFile, "There is no folder \(folder.path).")
        }
        let isRun = ["recipe.resolved.yaml", "surrogate", "baselines"].contains {
            files.fileExists(atPath: folder.appendingPathComponent($0).path)
        }
        guard isRun || !ComparisonFacts.isComparison(folder) else {
            let advice =
                SurrogateExport.firstSet(of: folder).map { "export one of its sets, such as \($0)" }
                ?? "its sets are not in it any more, only results"
            throw RunError(.invalidSettings, "\(folder.path) is a comparison: \(advice).")
        }
        guard isRun || RunCollectionFacts(folder) == nil else {
            throw RunError(
                .invalidSettings,
                "\(folder.path) is a folder of runs: name one of them."
            )
        }
        if let method, method != Grid.ownMethod {
            source = folder.appendingPathComponent("baselines/\(method)")
        } else {
            source = isRun ? folder.appendingPathComponent("surrogate") : folder
        }
        guard files.fileExists(atPath: source.path) else {
            let place = folder.appendingPathComponent("baselines").path
            let others = ((try? files.contentsOfDirectory(atPath: place)) ?? [])
                .filter { !$0.hasPrefix(".") }.sorted()
            throw RunError(
                .missingFile,
                "There is no \(source.path). "
                    + (others.isEmpty
                        ? "`distill sample` makes the images."
                        : "Images of other methods in this run: --method "
                            + others.joined(separator: ", ") + ".")
            )
        }
        let isLink = (try? files.destinationOfSymbolicLink(atPath: source.path)) != nil
        if isRun, isLink {
            throw RunError(
                .unusable,
                "\(folder.path) is a cell of a comparison, which trains on some of the images of "
                    + "\(source.resolvingSymlinksInPath().path). Export that folder, or make the "
                    + "number of images that you want with `distill run`."
            )
        }
        let isFinished = files.fileExists(
            atPath: source.appendingPathComponent("metadata.jsonl").path
        )
        guard !isRun || isFinished else {
            throw RunError(
                .unusable,
                "The images in \(source.path) are not all made yet: run the command that makes them "
                    + "again to go on."
            )
        }
        images = try ImageFolder(source)
    }

    /// Where the export goes unless another place is named: beside the images, with their name.
    ///
    /// - Parameter format: The layout.
    /// - Returns: A folder or a file.
    public func defaultOutput(_ format: Format) -> URL {
        let name = source.standardizedFileURL.lastPathComponent
        let parent = source.standardizedFileURL.deletingLastPathComponent()
        return switch format {
        case .imagefolder, .tarShards: parent.appendingPathComponent("\(name)-\(format.rawValue)")
        case .safetensors, .pt: parent.appendingPathComponent("\(name).\(format.rawValue)")
        }
    }

    /// What to export of a comparison: a set that is there, as one would write it in a command.
    private static func firstSet(of comparison: URL) -> String? {
        func names(_ folder: URL) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
                .filter { !$0.hasPrefix(".") }.sorted()
        }
        let shared = comparison.appendingPathComponent("shared")
        for unit in names(shared) {
            let folder = shared.appendingPathComponent(unit)
            if names(folder).contains("surrogate") { return folder.path }
            if let method = names(folder.appendingPathComponent("baselines")).first {
                return "\(folder.path) --method \(method)"
            }
        }
        return nil
    }

    /// Writes the images.
    ///
    /// - Parameters:
    ///   - format: The layout.
    ///   - output: A folder or a file that does not exist yet; its folder is created.
    /// - Returns: Number of images.
    /// - Throws: `RunError` if something is there already, `ImageError`, `DatasetError` and
    ///   `CheckpointError` for images that cannot be read or files that cannot be written. Then
    ///   nothing is left behind.
    public func write(_ format: Format, to output: URL) throws -> Int {
        guard !FileManager.default.fileExists(atPath: output.path) else {
            throw RunError(
                .invalidSettings,
                "\(output.path) is there already. Remove it, or name another place with --output."
            )
        }
        try OutputFolder.make(output.deletingLastPathComponent())
        AtomicFile.removeLeftovers(of: output)
        switch format {
        case .imagefolder: try makeFolder(output) { try copy(to: $0) }
        case .tarShards: try makeFolder(output) { _ = try TarShards.write(images, to: $0) }
        case .safetensors:
            let names = try JSONEncoder().encode(images.classNames)
            try Safetensors.save(
                try tensors(),
                metadata: ["classes": String(decoding: names, as: UTF8.self)],
                to: output
            )
        case .pt:
            try PyTorchCheckpoint.save(
                try tensors(),
                texts: ["classes": images.classNames.joined(separator: "\n")],
                to: output
            )
        }
        return images.count
    }

    /// Makes a folder that appears with all that is in it, or not at all.
    ///
    /// It is filled under another name beside its place. Only a killed process can leave that behind;
    /// the next export to the same place removes it.
    private func makeFolder(_ output: URL, _ fill: (URL) throws -> Void) throws {
        let parent = output.deletingLastPathComponent()
        let mark = ".\(output.lastPathComponent).partial-"
        removeLeftovers(mark, in: parent)
        let suffix = String(UInt64.random(in: 0 ... .max), radix: 36)
        let partial = parent.appendingPathComponent(mark + suffix, isDirectory: true)
        try OutputFolder.make(partial)
        do {
            // It tells other processes that somebody is at work, where the file system knows locks.
            let lock = try? FolderLock(partial)
            defer { withExtendedLifetime(lock) {} }
            try fill(partial)
            unlink(partial.appendingPathComponent(".lock").path)
            guard rename(partial.path, output.path) == 0 else {
                let reason = String(cString: strerror(errno))
                throw RunError(.unusable, "\(output.path) cannot be written: \(reason).")
            }
        } catch {
            try? FileManager.default.removeItem(at: partial)
            throw error
        }
    }

    /// Removes what killed exports to the same place have left; their locks are free.
    private func removeLeftovers(_ mark: String, in folder: URL) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        for name in names where name.hasPrefix(mark) {
            let partial = folder.appendingPathComponent(name)
            guard let lock = try? FolderLock(partial) else { continue }
            defer { withExtendedLifetime(lock) {} }
            try? FileManager.default.removeItem(at: partial)
        }
    }

    /// The image files under their own names, and what tells of them: a run may hold more.
    private func copy(to output: URL) throws {
        let manager = FileManager.default
        for name in images.classNames {
            try OutputFolder.make(output.appendingPathComponent(name))
        }
        let names = (0..<images.count).map(images.identifier(at:))
        for name in names + ["README.md", "metadata.jsonl"] {
            let file = source.appendingPathComponent(name)
            guard manager.fileExists(atPath: file.path) else { continue }
            do {
                // A link is copied as what it points to.
                try manager.copyItem(
                    at: file.resolvingSymlinksInPath(),
                    to: output.appendingPathComponent(name)
                )
            } catch {
                throw RunError(
                    .unusable,
                    "\(file.path) cannot be copied into \(output.deletingLastPathComponent().path): "
                        + "\(error.systemReason). Check the permissions and the room there."
                )
            }
        }
    }

    private func tensors() throws -> StateDictionary {
        let packed = try PackedImages(loading: images)
        return StateDictionary([
            ("images", packed.tensor()),
            ("labels", Tensor(packed.labels.map(Int64.init), shape: [packed.labels.count])),
        ])
    }
}
