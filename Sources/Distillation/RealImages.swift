import Torch
import Training

/// The training set as matching methods see it: images of one class at a time, normalised by the
/// mean and deviation of the set.
public struct RealImages {
    /// The images.
    public let set: ImageSet
    /// What images are normalised by.
    public let statistics: ChannelStatistics
    /// Positions of the images of each class, ascending.
    public let placesByClass: [[Int]]

    /// Measures and sorts a training set.
    ///
    /// - Parameters:
    ///   - set: The images, on the device where they are used; every class has one.
    ///   - statistics: What images are normalised by; nil: mean and deviation of the set.
    /// - Throws: `TrainingError` if a class has no image, or if the set stays in its files.
    public init(
        _ set: ImageSet,
        normalizedBy statistics: ChannelStatistics? = nil
    ) throws(TrainingError) {
        guard !set.isStreamed else {
            throw TrainingError(
                .unfitImages,
                "The training set stays in its files; methods that optimise images need it in memory."
            )
        }
        try set.requireImagesInEveryClass("The training set")
        self.set = set
        self.statistics = statistics ?? ChannelStatistics(of: set)
        var places = [[Int]](repeating: [], count: set.classCount)
        for (place, label) in set.labels.enumerated() { places[label].append(place) }
        placesByClass = places
    }

    /// Images of one class, drawn for a step without putting any back.
    ///
    /// - Parameters:
    ///   - count: How many; fewer where the class has no more.
    ///   - label: The class.
    ///   - step: The number of the step, below 2^24.
    ///   - seed: Of the run.
    /// - Returns: Positions in the training set.
    public func places(_ count: Int, ofClass label: Int, step: Int, seed: UInt64) -> [Int] {
        var generator = RandomGenerator(seed: seed, purpose: .matching, label: step, image: label)
        let members = placesByClass[label]
        return generator.permutation(members.count).prefix(count).map { members[$0] }
    }

    /// Some images, normalised: [B, C, H, W].
    public func normalized(_ places: [Int]) -> Tensor { statistics.normalized(set.batch(places)) }

    /// The images that a surrogate begins as: those of the baseline `random` with this seed.
    ///
    /// - Parameters:
    ///   - imagesPerClass: Images of each class.
    ///   - seed: Of the run.
    /// - Returns: Positions in the training set, class by class.
    /// - Throws: `TrainingError` if a class has fewer images.
    public func initialPlaces(_ imagesPerClass: Int, seed: UInt64) throws(TrainingError) -> [Int] {
        try RealImages.require(
            imagesPerClass,
            ofEach: set.classNames,
            counts: placesByClass.map(\.count)
        )
        return CoresetSelection.random(placesByClass, count: imagesPerClass, seed: seed)
            .flatMap(\.self)
    }

    /// Makes sure that every class has as many images as a surrogate begins with.
    ///
    /// - Parameters:
    ///   - imagesPerClass: How many are needed of each class.
    ///   - classNames: The names of the classes.
    ///   - counts: How many images each class has.
    /// - Throws: `TrainingError` that names the first class with too few.
    public static func require(
        _ imagesPerClass: Int,
        ofEach classNames: [String],
        counts: [Int]
    ) throws(TrainingError) {
        guard imagesPerClass > 0 else {
            throw TrainingError(.invalidOption, "There must be at least 1 image of each class.")
        }
        guard let label = counts.firstIndex(where: { $0 < imagesPerClass }) else { return }
        throw TrainingError(
            .malformedSet,
            "The class \(classNames[label]) has \(counts[label]) images, but \(imagesPerClass) are "
                + "needed to begin with. Ask for fewer images of each class; dm may begin with noise "
                + "(dm.initialization), and idc with a smaller idc.factor."
        )
    }
}
