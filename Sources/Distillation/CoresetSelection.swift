import Torch

/// Choosing real images as a surrogate.
public enum CoresetSelection {
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
}
