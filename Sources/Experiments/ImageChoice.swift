import Datasets
import Torch

/// How images of a class are chosen from more.
public enum ImageChoice: String, Codable, Sendable, CaseIterable {
    /// At random, by a seed.
    case random
    /// The first ones in string order of their files (`0.png`, `1.png`, `10.png` …), which the
    /// published experiments call random.
    case first

    /// Chooses images of every class; those for a smaller number are part of those for a larger one.
    ///
    /// - Parameters:
    ///   - count: Images of each class.
    ///   - images: The source; folders list their files in string order.
    ///   - seed: Of a random choice.
    /// - Returns: The chosen images and what results say of the choice.
    /// - Throws: `DatasetError` naming the classes that have fewer images.
    public func choose(
        _ count: Int,
        of images: any LabelledImages,
        seed: UInt64
    ) throws -> (images: SubsetDataset, record: String) {
        let first = try images.firstPerClass(count)
        switch self {
        case .first: return (first, "first \(count) in string order")
        case .random:
            let chosen = images.chosenPerClass(count, seed: seed).flatMap(\.self)
            return (images.subset(chosen), "random \(count), seed \(seed)")
        }
    }
}
