import Torch
import Training

/// The nearest images of a surrogate image, within its class.
public struct ImageNeighbours: Codable, Sendable, Equatable {
    /// The surrogate image: its file, or its position in the set.
    public let image: String
    /// The name of its class.
    public let className: String
    /// The nearest real image of the class.
    public let nearestReal: String
    /// The distance of the two in feature space.
    public let realDistance: Double
    /// The nearest other surrogate image of the class; nil if there is no other one.
    public let nearestSibling: String?
    /// The distance to it.
    public let siblingDistance: Double?
    /// Whether the image is a near copy of a real one.
    public let isNearCopy: Bool

    private enum CodingKeys: String, CodingKey {
        case image
        case className = "class"
        case nearestReal, realDistance, nearestSibling, siblingDistance, isNearCopy
    }
}

/// Which surrogate images are near copies of training images.
///
/// Real images lie at some distance from each other, too. A surrogate image of class c is a near
/// copy if it is as near to a real image of its class as only one real image in a hundred is to
/// its nearest other one:
///
/// ```
/// min |s − r| ≤ t_c,  t_c = 1st percentile of { min |r − r'| : r' ≠ r, both of class c }
/// ```
///
/// So the criterion has no free constant and no unit: it adapts to features and classes, and a
/// surrogate of new images from the same source has near copies in about one case of a hundred
/// (one of n in a class of n < 100 real images, where t_c is the smallest distance).
/// Duplicates among the real images say nothing about how near different images are, and do not
/// count for t_c. A class that has no two different real images takes the percentile of all
/// classes; where that does not exist, only copies up to rounding are found.
struct NearCopies {
    /// What the nearest real image of another one is like in a class.
    struct RealSpacing {
        /// t_c.
        let threshold: Double
        /// The median distance; nil if the class has no two different images.
        let median: Double?
    }

    /// The share of real images that would be near copies of each other.
    static let percentile = 0.01

    /// One entry for every surrogate image, in their order.
    private(set) var neighbours: [ImageNeighbours] = []
    /// One entry for every class.
    let spacings: [RealSpacing]

    /// Compares two sets whose classes have the same names and order.
    ///
    /// - Parameters:
    ///   - surrogate: The surrogate; classes may be empty.
    ///   - points: Its features.
    ///   - real: The real set, with an image of every class.
    ///   - realPoints: Its features, with the same centre.
    init(
        surrogate: LabelledFeatures,
        points: FeaturePoints,
        real: LabelledFeatures,
        points realPoints: FeaturePoints
    ) {
        // The same image in another batch: float32 rounds differently.
        let rounding = 1e-5 * realPoints.squares.mean().item.squareRoot()
        let realPlaces = real.indicesByClass
        let realClasses = realPlaces.map(realPoints.selecting)
        let distances = realClasses.map { points -> [Double] in
            guard points.count > 1 else { return [] }
            let nearest: [Double] = points.nearestOthers(1).squares.sqrt().flattened().values()
            return nearest.filter { $0 > rounding }.sorted()
        }
        let pooled = NearCopies.threshold(distances.joined().sorted()) ?? 0
        spacings = distances.map { distances in
            RealSpacing(
                threshold: max(rounding, NearCopies.threshold(distances) ?? pooled),
                median: distances.isEmpty ? nil : distances[distances.count / 2]
            )
        }

        var found = [ImageNeighbours?](repeating: nil, count: surrogate.count)
        for (label, places) in surrogate.indicesByClass.enumerated() where !places.isEmpty {
            let own = points.selecting(places)
            let nearest = own.nearest(among: realClasses[label])
            let siblings = places.count > 1 ? own.nearestOther() : nil
            for (position, place) in places.enumerated() {
                let (square, realPosition) = nearest[position]
                let distance = square.squareRoot()
                found[place] = ImageNeighbours(
                    image: surrogate.name(of: place),
                    className: surrogate.classNames[label],
                    nearestReal: real.name(of: realPlaces[label][realPosition]),
                    realDistance: distance,
                    nearestSibling: siblings.map {
                        surrogate.name(of: places[$0[position].place])
                    },
                    siblingDistance: siblings?[position].square.squareRoot(),
                    isNearCopy: distance <= spacings[label].threshold
                )
            }
        }
        neighbours = found.compactMap { $0 }
    }

    /// The lower 1st percentile of sorted distances; nil without any.
    private static func threshold(_ sorted: [Double]) -> Double? {
        sorted.isEmpty ? nil : sorted[Int(percentile * Double(sorted.count - 1))]
    }
}

extension LabelledFeatures {
    /// What an image is called: its name, or its position in the set.
    fileprivate func name(of place: Int) -> String {
        identifiers.isEmpty ? "\(place)" : identifiers[place]
    }
}
