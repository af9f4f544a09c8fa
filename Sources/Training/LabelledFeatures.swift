import Datasets
import Torch

/// The features of a set of images, with their classes.
public struct LabelledFeatures {
    /// [N, F], float32, on the CPU.
    public let features: Tensor
    /// The class of every image, a position in `classNames`.
    public let labels: [Int]
    /// The name of every class.
    public let classNames: [String]
    /// What people call an image, for example its path; empty if images have no names.
    public let identifiers: [String]

    /// Puts features and classes together.
    ///
    /// - Parameters:
    ///   - features: [N, F], all numbers finite.
    ///   - labels: The class of every image, an index into `classNames`.
    ///   - classNames: The name of every class.
    ///   - identifiers: The name of every image, or nothing.
    /// - Throws: `TrainingError` if they do not fit each other.
    public init(
        features: Tensor,
        labels: [Int],
        classNames: [String],
        identifiers: [String] = []
    ) throws(TrainingError) {
        guard features.rank == 2, features.size(along: 0) == labels.count, !labels.isEmpty,
            identifiers.isEmpty || identifiers.count == labels.count
        else {
            throw TrainingError(
                .malformedSet,
                "The features must be a tensor [N, F] with one label an image; they are "
                    + "\(features.shape), with \(labels.count) labels and \(identifiers.count) "
                    + "names."
            )
        }
        if let label = labels.first(where: { !classNames.indices.contains($0) }) {
            throw TrainingError(
                .malformedSet,
                "An image has the label \(label), but there are \(classNames.count) classes, "
                    + "numbered from 0."
            )
        }
        guard features.isFinite().converted(to: .uint8).min().item == 1 else {
            throw TrainingError(
                .unfitImages,
                "The features of some images are no finite numbers: the network that computes "
                    + "them is damaged, or overflows. Use float32, or another network."
            )
        }
        self.features = features
        self.labels = labels
        self.classNames = classNames
        self.identifiers = identifiers
    }

    /// The same features with the classes numbered as in another set, matched by name.
    ///
    /// - Parameters:
    ///   - names: The class names of the other set.
    ///   - subject: What this set is called in the message.
    ///   - other: What the other set is called in the message.
    /// - Returns: The features with their labels translated.
    /// - Throws: `TrainingError` that names the classes which only one of the sets has.
    public func relabelled(
        toMatch names: [String],
        subject: String,
        other: String
    ) throws(TrainingError) -> LabelledFeatures {
        let translation = try ClassMatching.translation(
            from: classNames,
            to: names,
            subject: subject,
            other: other
        )
        return try LabelledFeatures(
            features: features,
            labels: labels.map { translation[$0] },
            classNames: names,
            identifiers: identifiers
        )
    }

    /// Number of images.
    public var count: Int { labels.count }

    /// The positions of the images of every class, in order.
    public var indicesByClass: [[Int]] {
        labels.enumerated().reduce(into: [[Int]](repeating: [], count: classNames.count)) {
            $0[$1.element].append($1.offset)
        }
    }
}

extension FeatureExtractor {
    /// The features of a set, with its classes.
    ///
    /// - Parameters:
    ///   - set: The images.
    ///   - progress: Hears how many images are done; an error ends the work.
    /// - Returns: The features.
    /// - Throws: `TrainingError` if a feature is no finite number, and what `progress` throws.
    public func labelledFeatures(
        of set: ImageSet,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> LabelledFeatures {
        try LabelledFeatures(
            features: features(of: set, progress: progress),
            labels: set.labels,
            classNames: set.classNames
        )
    }

    /// The features of images that are read as they are needed, with their classes and names.
    ///
    /// - Parameters:
    ///   - images: The source.
    ///   - progress: Hears how many images are done; an error ends the work.
    /// - Returns: The features.
    /// - Throws: `DatasetError` for images that cannot be read, `TrainingError` if a feature is
    ///   no finite number, and what `progress` throws.
    public func labelledFeatures(
        of images: any LabelledImages,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> LabelledFeatures {
        try LabelledFeatures(
            features: features(of: images, progress: progress),
            labels: (0..<images.count).map(images.label(at:)),
            classNames: images.classNames,
            identifiers: (0..<images.count).map(images.identifier(at:))
        )
    }
}
