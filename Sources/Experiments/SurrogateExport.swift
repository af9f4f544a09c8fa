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
        if let method, method != Grid.ownMethod {
            source = folder.appendingPathComponent("baselines/\(method)")
        } else {
            source = isRun ? folder.appendingPathComponent("surrogate") : folder
        }
        guard files.fileExists(atPath: source.path) else {
            let place = folder.appendingPathComponent("baselines").path
            let others = ((try? files.contentsOfDirectory(atPath: place)) ?? []).sorted()
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

    /// Writes the images.
    ///
    /// - Parameters:
    ///   - format: The layout.
    ///   - output: A folder or a file that does not exist yet; its folder is created.
    /// - Returns: Number of images.
    /// - Throws: `RunError` if something is there already, `DatasetError` and `CheckpointError` for
    ///   images that cannot be read or files that cannot be written.
    public func write(_ format: Format, to output: URL) throws -> Int {
        guard !FileManager.default.fileExists(atPath: output.path) else {
            throw RunError(
                .invalidSettings,
                "\(output.path) is there already. Remove it, or name another place with --output."
            )
        }
        try FileManager.default.createDirectory(
            at: output.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        switch format {
        case .imagefolder: try copy(to: output)
        case .tarShards: try TarShards.write(images, to: output)
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

    /// The image files under their own names, and what tells of them: a run may hold more.
    private func copy(to output: URL) throws {
        let manager = FileManager.default
        for name in images.classNames {
            try manager.createDirectory(
                at: output.appendingPathComponent(name),
                withIntermediateDirectories: true
            )
        }
        let names = (0..<images.count).map(images.identifier(at:))
        for name in names + ["README.md", "metadata.jsonl"] {
            let file = source.appendingPathComponent(name)
            guard manager.fileExists(atPath: file.path) else { continue }
            try manager.copyItem(at: file, to: output.appendingPathComponent(name))
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
