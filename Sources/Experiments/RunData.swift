import Datasets
import Distillation
import Evaluation
import Foundation
import Models
import Torch
import Training

/// The real images of a run, opened and checked.
///
/// Pixels are only loaded into memory where they are needed as a whole: for pixel models, and for
/// testing networks. What latents are made of is read file by file.
final class RunData {
    /// What is distilled, as files.
    let source: any LabelledImages
    let trainFingerprint: String
    /// Size of the prepared images.
    let height: Int
    let width: Int
    let channels: Int
    let settings: DataSettings
    /// The classes in the order of the list of classes, or of their labels without one.
    let classOrder: [Int]
    /// What networks are tested on, if that is known already.
    let testSource: (any LabelledImages)?
    let testFingerprint: String?
    private var loadedTrain: ImageSet?
    /// The test images as one protocol wants them.
    var loadedTest: (protocolID: String, set: EvaluationSet)?

    var classNames: [String] { source.classNames }
    var count: Int { source.count }

    init(_ settings: DataSettings) throws {
        self.settings = settings
        let list = settings.classes.isEmpty ? nil : try ClassList.named(settings.classes)
        let classes = list?.folders.sorted()
        let whole = try settings.train.open(role: "data.train", classes: classes)
        if settings.holdout > 0 {
            let parts = try RunData.split(whole, share: settings.holdout)
            source = parts.kept
            testSource = parts.held
        } else {
            source = whole
            testSource =
                settings.test.path.isEmpty
                ? nil : try settings.test.open(role: "data.test", classes: classes)
        }
        trainFingerprint = try source.fingerprint()
        testFingerprint = try testSource?.fingerprint()
        guard trainFingerprint != testFingerprint else {
            throw RunError(
                .invalidSettings,
                "data.train and data.test are the same images (\(settings.train.path)): a test on "
                    + "what a network was trained on says nothing. Set data.test.path, or "
                    + "data.test.split=test for IDX, CIFAR and fastai folders."
            )
        }
        (height, width, channels) = try RunData.size(source, settings)
        let names = source.classNames
        classOrder = list?.folders.compactMap(names.firstIndex(of:)) ?? Array(names.indices)
        guard height == width else {
            throw RunError(
                .invalidSettings,
                "The images of \(settings.train.path) are \(width)×\(height) pixels; "
                    + "the diffusion model needs squares. Set data.size to crop them."
            )
        }
    }

    /// What is distilled, in memory.
    func train() throws -> ImageSet {
        if let loadedTrain { return loadedTrain }
        let images = try RunData.load(source, settings)
        loadedTrain = images
        return images
    }

    /// The first images of what is distilled, for measuring; fewer if there are no more.
    func train(upTo count: Int) throws -> ImageSet {
        try RunData.load(source.subset(Array(0..<min(count, source.count))), settings)
    }

    /// Where the test images come from.
    var testPath: String { settings.holdout > 0 ? settings.train.path : settings.test.path }

    /// What the provenance tells of the data.
    var records: [Provenance.DatasetRecord] {
        var records = [
            Provenance.DatasetRecord(
                role: "train",
                path: settings.train.path,
                fingerprint: trainFingerprint,
                images: source.count
            )
        ]
        if let testSource, let testFingerprint {
            records.append(
                .init(
                    role: "test",
                    path: testPath,
                    fingerprint: testFingerprint,
                    images: testSource.count
                )
            )
        }
        return records
    }

    /// Loads and prepares images as the settings say.
    static func load(_ images: any LabelledImages, _ settings: DataSettings) throws -> ImageSet {
        try set(pack(images, settings))
    }

    /// The same images, still side by side as bytes.
    static func pack(_ images: some LabelledImages, _ settings: DataSettings) throws -> PackedImages
    {
        try PackedImages(
            loading: images,
            centerCrop: settings.size > 0 ? settings.size : nil,
            channels: settings.channels > 0 ? settings.channels : nil
        )
    }

    /// Packed images as a set.
    static func set(_ packed: PackedImages) throws -> ImageSet {
        try ImageSet(
            images: packed.tensor(),
            labels: packed.labels,
            classNames: packed.classNames
        )
    }

    /// The size of the prepared images, from the settings and the first image.
    private static func size(
        _ images: any LabelledImages,
        _ settings: DataSettings
    ) throws -> (height: Int, width: Int, channels: Int) {
        if settings.size > 0, settings.channels > 0 {
            return (settings.size, settings.size, settings.channels)
        }
        let first = try images.image(at: 0)
        return (
            settings.size > 0 ? settings.size : first.height,
            settings.size > 0 ? settings.size : first.width,
            settings.channels > 0 ? settings.channels : first.channels
        )
    }

    /// The last images of each class held back.
    private static func split(
        _ whole: any LabelledImages,
        share: Double
    ) throws -> (kept: SubsetDataset, held: SubsetDataset) {
        var kept = [Int]()
        var held = [Int]()
        for (label, indices) in whole.indicesByClass().enumerated() {
            let count = Int((Double(indices.count) * share).rounded())
            guard count > 0, count < indices.count else {
                throw RunError(
                    .invalidSettings,
                    "data.holdout is \(share), which leaves \(indices.count - count) of the "
                        + "\(indices.count) images of class \(whole.classNames[label]) for training "
                        + "and \(count) for testing: expected a share that leaves some for both."
                )
            }
            kept += indices.dropLast(count)
            held += indices.suffix(count)
        }
        return (whole.subset(kept), whole.subset(held))
    }
}

extension LabelledImages {
    /// Opens the existential, so that the subset knows its type.
    func subset(_ indices: [Int]) -> SubsetDataset { SubsetDataset(of: self, indices: indices) }

    /// Images of every class, chosen by a seed: those for a smaller number are part of those for a
    /// larger one.
    ///
    /// - Parameters:
    ///   - count: Images of each class.
    ///   - seed: Of the choice.
    /// - Returns: Positions of the chosen images of each class; fewer where a class has no more.
    func chosenPerClass(_ count: Int, seed: UInt64) -> [[Int]] {
        CoresetSelection.random(indicesByClass(), count: count, seed: seed)
    }
}
