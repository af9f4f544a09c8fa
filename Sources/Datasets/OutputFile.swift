import Checkpoints
import Foundation
import Torch

/// Writing of a dataset's files and folders, with this module's errors.
enum OutputFile {
    /// Writes a file as a whole or not at all.
    static func write(_ data: Data, to url: URL) throws(DatasetError) {
        do {
            try AtomicFile.write(data, to: url)
        } catch {
            throw DatasetError(writing: error)
        }
    }

    /// Writes tensors as a safetensors file, as a whole or not at all.
    static func write(
        _ state: StateDictionary,
        metadata: [String: String],
        to url: URL
    ) throws(DatasetError) {
        do {
            try Safetensors.save(state, metadata: metadata, to: url)
        } catch {
            throw DatasetError(writing: error)
        }
    }

    /// Creates a folder and those above it, where they are missing.
    static func createFolder(_ url: URL) throws(DatasetError) {
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            let isFull = (error as? CocoaError)?.code == .fileWriteOutOfSpace
            throw DatasetError(
                isFull ? .diskFull : .notWritable,
                "\(url.path): the folder cannot be created (\(error.localizedDescription)). "
                    + "Check the path and the permissions of the folders above it.",
                cause: error
            )
        }
    }
}

extension DatasetError {
    /// What a file of a dataset could not be written for.
    init(writing error: CheckpointError) {
        self.init(
            error.code == .diskFull ? .diskFull : .notWritable,
            error.message,
            cause: error
        )
    }
}
