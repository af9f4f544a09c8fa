import Datasets
import Distillation
import Foundation
import Models
import Torch
import Training

/// The real images of a run, loaded and checked.
struct RunData {
    /// What is distilled, as files.
    let source: any LabelledImages
    /// What is distilled, in memory.
    let train: ImageSet
    /// What networks are tested on.
    let test: ImageSet
    /// The same as files.
    let testSource: any LabelledImages
    let trainFingerprint: String
    let testFingerprint: String
    let settings: DataSettings

    init(_ settings: DataSettings) throws {
        self.settings = settings
        let whole = try RunData.open(settings.train, role: "data.train")
        if settings.holdout > 0 {
            guard settings.holdout < 1 else {
                throw RunError(
                    .invalidSettings,
                    "data.holdout is \(settings.holdout): expected a share below 1."
                )
            }
            let parts = RunData.split(whole, share: settings.holdout)
            source = parts.kept
            train = try RunData.load(parts.kept, settings)
            testSource = parts.held
            test = try RunData.load(parts.held, settings)
            trainFingerprint = try parts.kept.fingerprint()
            testFingerprint = try parts.held.fingerprint()
        } else {
            source = whole
            train = try RunData.load(whole, settings)
            let other = try RunData.open(settings.test, role: "data.test")
            testSource = other
            test = try RunData.load(other, settings)
            trainFingerprint = try whole.fingerprint()
            testFingerprint = try other.fingerprint()
        }
        guard train.height == train.width else {
            throw RunError(
                .invalidSettings,
                "The images of \(settings.train.path) are \(train.width)×\(train.height) pixels; "
                    + "the diffusion model needs squares. Set data.size to crop them."
            )
        }
    }

    static func open(_ source: DataSource, role: String) throws -> any LabelledImages {
        guard !source.path.isEmpty else {
            throw RunError(
                .invalidSettings,
                "\(role).path is empty: name the folder of the images."
            )
        }
        let folder = URL(
            fileURLWithPath: (source.path as NSString).expandingTildeInPath,
            isDirectory: true
        )
        guard FileManager.default.fileExists(atPath: folder.path) else {
            throw RunError(
                .missingFile,
                "\(role).path: there is no \(folder.path). "
                    + RunData.remedy(folder.path, role: role)
            )
        }
        switch source.format {
        case .idx: return try IDXDataset(folder: folder, split: source.split)
        case .folder: return try ImageFolder(folder)
        }
    }

    private static func remedy(_ path: String, role: String) -> String {
        if let line = Manifest.remedy(for: path) { return "Get it with: \(line)" }
        let other = "name the folder of your copy: --set \(role).path=FOLDER."
        guard path.hasSuffix("fashion-mnist") else {
            return other.prefix(1).uppercased() + other.dropFirst()
        }
        return "Install Debian's package dataset-fashion-mnist, or get the files with: distill "
            + "fetch fashion-mnist, and \(other)"
    }

    static func load(_ images: any LabelledImages, _ settings: DataSettings) throws -> ImageSet {
        let packed = try PackedImages(
            loading: images,
            centerCrop: settings.size > 0 ? settings.size : nil,
            channels: settings.channels > 0 ? settings.channels : nil
        )
        return try ImageSet(
            images: packed.tensor(),
            labels: packed.labels,
            classNames: packed.classNames
        )
    }

    /// The last images of each class held back.
    private static func split(
        _ whole: any LabelledImages,
        share: Double
    ) -> (kept: SubsetDataset, held: SubsetDataset) {
        var kept = [Int]()
        var held = [Int]()
        for indices in whole.indicesByClass() {
            let count = Int((Double(indices.count) * share).rounded())
            kept += indices.dropLast(count)
            held += indices.suffix(count)
        }
        return (whole.subset(kept), whole.subset(held))
    }
}

extension LabelledImages {
    /// Opens the existential, so that the subset knows its type.
    fileprivate func subset(_ indices: [Int]) -> SubsetDataset {
        SubsetDataset(of: self, indices: indices)
    }
}
