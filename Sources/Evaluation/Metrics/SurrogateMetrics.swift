import Training

/// What a surrogate dataset is like beside the real one, in numbers that need no training.
///
/// They say whether the surrogate looks like the data, covers them, and repeats them. Whether a
/// network learns from it, only `evaluate` says.
public struct SurrogateMetrics: Codable, Sendable, Equatable {
    /// The numbers of one class.
    public struct Class: Codable, Sendable, Equatable {
        /// The name of the class.
        public let name: String
        /// Surrogate images of the class.
        public let surrogateImages: Int
        /// Real images of the class.
        public let realImages: Int
        /// Share of its surrogate images that lie in the ball of a real image of any class; nil
        /// (null) without surrogate images.
        public let precision: Double?
        /// Share of its real images whose ball holds a surrogate image of any class.
        public let coverage: Double
        /// Surrogate images that are near copies of real ones.
        public let nearCopies: Int
        /// The distance up to which a surrogate image is a near copy.
        public let nearCopyDistance: Double
        /// Mean distance of a surrogate image to the nearest real one of the class.
        public let meanRealDistance: Double?
        /// Mean distance of a surrogate image to its nearest sibling; nil for less than two.
        public let meanSiblingDistance: Double?
        /// Median distance of a real image to the nearest other one of the class: what the other
        /// distances are to be compared with.
        public let realSpacing: Double?
    }

    /// The surrogate.
    public let surrogate: EvaluationResult.Dataset
    /// What it stands for.
    public let real: EvaluationResult.Dataset
    /// The name of the feature extractor.
    public let features: String
    /// F, width of the features.
    public let featureCount: Int
    /// Pixels a side to which the images of both sets were brought.
    public let imageSize: Int
    /// k of precision, recall, density and coverage.
    public let neighbours: Int
    /// Distance of the two sets, each taken as a normal distribution.
    public let frechetDistance: Double
    /// Share of the surrogate that lies within the real set.
    public let precision: Double
    /// Share of the real set that lies within the surrogate.
    public let recall: Double
    /// How crowded with real images the places of the surrogate images are.
    public let density: Double
    /// Share of the real images that have a surrogate image nearby.
    public let coverage: Double
    /// Surrogate images that are near copies of real ones.
    public let nearCopies: Int
    /// Their share of the surrogate, 0 to 1; about 0.01 for new images from the same source.
    public let nearCopyShare: Double
    /// The numbers of every class.
    public let classes: [Class]
    /// The nearest neighbours of every surrogate image.
    public let images: [ImageNeighbours]
}

extension SurrogateMetrics {
    /// Measures a surrogate by its features and those of the real set.
    ///
    /// - Parameters:
    ///   - surrogate: The features of the surrogate.
    ///   - surrogateSource: Where it comes from, as it is written in the result.
    ///   - real: The features of the real set; classes are matched by name.
    ///   - realSource: Where it comes from.
    ///   - extractor: What made the features.
    ///   - neighbours: k of precision, recall, density and coverage.
    /// - Throws: `TrainingError` if the sets have differing classes or too few images.
    public init(
        surrogate: LabelledFeatures,
        from surrogateSource: EvaluationResult.Dataset,
        real: LabelledFeatures,
        from realSource: EvaluationResult.Dataset,
        extractor: FeatureExtractor,
        neighbours: Int = 5
    ) throws(TrainingError) {
        let real = try real.relabelled(
            toMatch: surrogate.classNames,
            subject: "the real set \(realSource.path)",
            other: "the surrogate \(surrogateSource.path)"
        )
        let realPlaces = real.indicesByClass
        if let empty = realPlaces.firstIndex(where: \.isEmpty) {
            throw TrainingError(
                .emptyClass,
                "The real set \(realSource.path) has no image of "
                    + "\"\(real.classNames[empty])\". Add images, or remove the class from both "
                    + "sets."
            )
        }
        let (points, realPoints) = FeaturePoints.pair(surrogate.features, real.features)
        let prdc = try PrecisionRecall(
            generated: points,
            real: realPoints,
            neighbours: neighbours
        )
        let copies = NearCopies(
            surrogate: surrogate,
            points: points,
            real: real,
            points: realPoints
        )
        self.surrogate = surrogateSource
        self.real = realSource
        features = extractor.name
        featureCount = surrogate.features.size(along: 1)
        imageSize = extractor.imageSize
        self.neighbours = neighbours
        frechetDistance = try FrechetDistance(surrogate.features, real.features).value
        precision = prdc.precision
        recall = prdc.recall
        density = prdc.density
        coverage = prdc.coverage
        images = copies.neighbours
        nearCopies = images.count(where: \.isNearCopy)
        nearCopyShare = Double(nearCopies) / Double(images.count)
        classes = zip(surrogate.indicesByClass, realPlaces).enumerated().map { label, places in
            let own = places.0.map { copies.neighbours[$0] }
            let spacing = copies.spacings[label]
            return Class(
                name: surrogate.classNames[label],
                surrogateImages: places.0.count,
                realImages: places.1.count,
                precision: places.0.isEmpty
                    ? nil : PrecisionRecall.share(places.0.map { prdc.realBallCounts[$0] > 0 }),
                coverage: PrecisionRecall.share(places.1.map { prdc.isCovered[$0] }),
                nearCopies: own.count(where: \.isNearCopy),
                nearCopyDistance: spacing.threshold,
                meanRealDistance: mean(own.map(\.realDistance)),
                meanSiblingDistance: mean(own.compactMap(\.siblingDistance)),
                realSpacing: spacing.median
            )
        }
    }
}

/// The mean; nil without values.
private func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}
