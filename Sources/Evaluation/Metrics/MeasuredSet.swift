import Datasets
import Training

/// A set of images that is measured, in memory or in files.
public struct MeasuredSet {
    /// Where it comes from, as it is written in results.
    public let source: EvaluationResult.Dataset
    /// The name of every class.
    public let classNames: [String]
    private let extract: (FeatureExtractor, (Int) throws -> Void) throws -> LabelledFeatures

    /// A set in memory; its features are an error if it stays in its files.
    public init(_ set: EvaluationSet) {
        source = set.identity
        classNames = set.images.classNames
        extract = {
            guard !set.images.isStreamed else {
                throw TrainingError(
                    .unfitImages,
                    "\(set.path) stays in its files: measure the files themselves."
                )
            }
            return try $0.labelledFeatures(of: set.images, progress: $1)
        }
    }

    /// Images that are read as they are needed, of any sizes.
    ///
    /// - Parameters:
    ///   - images: The source.
    ///   - path: Where they come from, as it is written in results.
    ///   - fingerprint: What tells them from every other set.
    public init(_ images: any LabelledImages, path: String, fingerprint: String) {
        source = EvaluationResult.Dataset(
            path: path,
            fingerprint: fingerprint,
            images: images.count
        )
        classNames = images.classNames
        extract = { try $0.labelledFeatures(of: images, progress: $1) }
    }

    /// The features of all images.
    ///
    /// - Parameters:
    ///   - extractor: What makes them.
    ///   - progress: Hears how many images are done; an error ends the work.
    /// - Returns: The features.
    /// - Throws: `DatasetError` and `TrainingError`, and what `progress` throws.
    public func features(
        by extractor: FeatureExtractor,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> LabelledFeatures {
        try extract(extractor, progress)
    }
}

/// How far a measurement of a surrogate has come.
public enum MetricsEvent: Sendable, Equatable {
    /// So many images of both sets have features.
    case features(Int, of: Int)
    /// So many rows of distances are done.
    case distances(Int, of: Int)
}

extension SurrogateMetrics {
    /// Measures a surrogate beside the real set that it stands for.
    ///
    /// - Parameters:
    ///   - surrogate: The surrogate.
    ///   - real: The real set; classes are matched by name.
    ///   - extractor: What turns images into features.
    ///   - neighbours: k of precision, recall, density and coverage.
    ///   - progress: Hears how far the work has come; an error ends it.
    /// - Returns: The numbers.
    /// - Throws: `TrainingError` if the sets have differing classes or too few images,
    ///   `DatasetError` for images that cannot be read, and what `progress` throws.
    public static func measure(
        surrogate: MeasuredSet,
        real: MeasuredSet,
        extractor: FeatureExtractor,
        neighbours: Int = 5,
        progress: (MetricsEvent) throws -> Void = { _ in }
    ) throws -> SurrogateMetrics {
        // Told before the work: the features of a large set take long.
        _ = try ClassMatching.translation(
            from: real.classNames,
            to: surrogate.classNames,
            subject: "the real set \(real.source.path)",
            other: "the surrogate \(surrogate.source.path)"
        )
        try PrecisionRecall.validate(
            neighbours: neighbours,
            generatedCount: surrogate.source.images,
            realCount: real.source.images
        )
        let total = surrogate.source.images + real.source.images
        let features = try surrogate.features(by: extractor) {
            try progress(.features($0, of: total))
        }
        let realFeatures = try real.features(by: extractor) {
            try progress(.features(features.count + $0, of: total))
        }
        return try SurrogateMetrics(
            surrogate: features,
            from: surrogate.source,
            real: realFeatures,
            from: real.source,
            extractor: extractor,
            neighbours: neighbours
        ) { try progress(.distances($0, of: $1)) }
    }
}
