import Checkpoints
import Foundation
import Torch
import Training

/// Soft labels in files, one for each epoch: what the teacher says of the images as they are
/// changed in that epoch (Shen & Xing, "A Fast Knowledge Distillation Framework", ECCV 2022).
///
/// Changes and order of the images must not depend on the student's seed. The first student's
/// training asks the teacher and writes; all others read. Scores are stored, and used, in float16.
final class SoftLabelStore: SoftLabelling {
    private static let key = "distill.soft-labels"

    private let folder: URL
    /// What the labels depend on.
    private let identity: String
    private let teacher: any SoftLabelling
    private let stepsPerEpoch: Int
    private let imageCount: Int
    /// The epoch of `batches` and `stored`.
    private var epoch = -1
    /// Batches of this epoch that the teacher has labelled, in order.
    private var batches: [Tensor] = []
    /// All scores of this epoch, [N, K]; nil if there is no file.
    private var stored: Tensor?

    /// Opens a store, or begins one.
    ///
    /// - Parameters:
    ///   - folder: The folder of the files; it is made if it does not exist.
    ///   - identity: What the labels depend on.
    ///   - teacher: Gives the labels that are not stored yet.
    ///   - stepsPerEpoch: Number of batches of an epoch.
    ///   - imageCount: Number of images of an epoch.
    /// - Throws: The error of a folder that cannot be made.
    init(
        _ folder: URL,
        identity: String,
        teacher: any SoftLabelling,
        stepsPerEpoch: Int,
        imageCount: Int
    ) throws {
        self.folder = folder
        self.identity = identity
        self.teacher = teacher
        self.stepsPerEpoch = stepsPerEpoch
        self.imageCount = imageCount
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func logits(for images: Tensor, step: Int) throws -> Tensor {
        let (wanted, batch) = step.quotientAndRemainder(dividingBy: stepsPerEpoch)
        if wanted != epoch { try begin(wanted) }
        if let stored {
            // All batches but the last have the same size.
            let size = images.size(along: 0)
            let start = batch == stepsPerEpoch - 1 ? imageCount - size : batch * size
            return stored[start..<start + size].moved(to: images.device).converted(to: .float32)
        }
        let scores = try teacher.logits(for: images, step: step).converted(to: .float16)
        if batches.count == batch { batches.append(scores.moved(to: .cpu)) }
        if batches.count == stepsPerEpoch { try write() }
        return scores.converted(to: .float32)
    }

    private func url(_ epoch: Int) -> URL {
        folder.appendingPathComponent(String(format: "epoch-%05d.safetensors", epoch + 1))
    }

    private func begin(_ epoch: Int) throws {
        self.epoch = epoch
        batches = []
        stored = nil
        let url = url(epoch)
        guard FileManager.default.fileExists(atPath: url.path) else { return }
        let file = try SafetensorsFile(contentsOf: url)
        guard file.metadata[Self.key] == identity, let scores = file.state()["scores"],
            scores.size(along: 0) == imageCount
        else {
            throw TrainingError(
                .invalidOption,
                "\(url.path) holds soft labels of other images, another teacher or other "
                    + "settings. Choose another folder, or remove this one."
            )
        }
        stored = scores
    }

    private func write() throws {
        try Safetensors.save(
            StateDictionary([("scores", Tensor.concatenated(batches))]),
            metadata: [Self.key: identity],
            to: url(epoch)
        )
    }
}
