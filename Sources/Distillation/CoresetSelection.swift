import Torch

/// Choosing real images as a surrogate.
public enum CoresetSelection {
    /// The image that K-Center begins with.
    public enum Start: String, Codable, Sendable, CaseIterable {
        /// The first of the class.
        case first
        /// The one nearest to the mean of the class.
        case mean
    }

    /// Images of every class, chosen by a seed: those for a smaller number are part of those for a
    /// larger one.
    ///
    /// - Parameters:
    ///   - members: Positions of the images of each class.
    ///   - count: Images of each class.
    ///   - seed: Of the choice.
    /// - Returns: Positions of the chosen images of each class; fewer where a class has no more.
    public static func random(_ members: [[Int]], count: Int, seed: UInt64) -> [[Int]] {
        members.enumerated().map { label, members in
            var generator = RandomGenerator(
                seed: seed,
                purpose: .selection,
                index: UInt64(label)
            )
            return generator.permutation(members.count).prefix(count).map { members[$0] }
        }
    }

    /// Greedy K-Center (Sener & Savarese, ICLR 2018), class by class: the image that is farthest
    /// from its nearest chosen one comes next.
    ///
    /// The choice for a smaller number is the beginning of that for a larger one.
    ///
    /// - Parameters:
    ///   - features: [N, F].
    ///   - members: Positions of the images of each class.
    ///   - count: Images of each class.
    ///   - start: The first image.
    /// - Returns: Positions of the chosen images of each class in the order of their choice; fewer
    ///   where a class has no more.
    public static func kCenter(
        _ features: Tensor,
        members: [[Int]],
        count: Int,
        start: Start
    ) -> [[Int]] {
        members.map { members in
            guard !members.isEmpty else { return [] }
            let x = features.gathered(members).converted(to: .float64)  // [n, F]
            let distances = Tensor.full([members.count], .infinity, dtype: .float64)
            var next =
                switch start {
                case .first: 0
                case .mean: Int(squaredDistances(x, to: x.mean(along: 0)).argmin(along: 0).item)
                }
            var chosen = [Int]()
            while chosen.count < min(count, members.count) {
                chosen.append(next)
                distances.copy(from: distances.minimum(squaredDistances(x, to: x[next])))
                // Copies of a chosen image are at distance 0, and the chosen ones must not return.
                distances[next].fill(with: -1)
                next = Int(distances.argmax(along: 0).item)
            }
            return chosen.map { members[$0] }
        }
    }

    /// Herding (Welling, ICML 2009), class by class: the image that brings the mean of the chosen
    /// ones nearest to the mean of the class comes next.
    ///
    /// Step k takes the image nearest to (k + 1)·mean − Σ chosen. The choice for a smaller number
    /// is the beginning of that for a larger one.
    ///
    /// - Parameters:
    ///   - features: [N, F].
    ///   - members: Positions of the images of each class.
    ///   - count: Images of each class.
    /// - Returns: Positions of the chosen images of each class in the order of their choice; fewer
    ///   where a class has no more.
    public static func herding(_ features: Tensor, members: [[Int]], count: Int) -> [[Int]] {
        members.map { members in
            guard !members.isEmpty else { return [] }
            let x = features.gathered(members).converted(to: .float64)  // [n, F]
            let mean = x.mean(along: 0)
            var target = mean
            let penalties = Tensor.zeros([members.count], dtype: .float64)
            var chosen = [Int]()
            while chosen.count < min(count, members.count) {
                let distances = squaredDistances(x, to: target) + penalties
                let next = Int(distances.argmin(along: 0).item)
                chosen.append(next)
                penalties[next].fill(with: .infinity)
                target = target + mean - x[next]
            }
            return chosen.map { members[$0] }
        }
    }

    /// [n, F] and [F] → [n].
    private static func squaredDistances(_ x: Tensor, to y: Tensor) -> Tensor {
        (x - y).squared().sum(along: 1)
    }
}
