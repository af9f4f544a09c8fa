/// `neighbours.json`: for images of a run the most similar real training image of their class.
package struct NeighbourFile: Decodable, Sendable {
    /// The real image beside one of the run's.
    package struct Neighbour: Decodable, Sendable {
        /// What the training set calls it.
        package var real: String
        /// Mean of the squared differences of all values, which lie between 0 and 1.
        package var meanSquaredDistance: Double
        /// The file in the run folder that shows it.
        package var picture: String
    }

    /// By the images' files in the run folder, such as `surrogate/00-t-shirt-top/0.png`.
    package var images: [String: Neighbour]
}

extension NeighbourFile.Neighbour {
    /// Which image it is and how far away, in words.
    var words: String {
        guard meanSquaredDistance > 0 else {
            return "A copy: its pixels are those of the training image \(real)."
        }
        let share = Words.significant(meanSquaredDistance.squareRoot() * 100, digits: 2)
        return """
            Nearest training image of the class: \(real). The pixels of the two differ by \
            \(share)\(Words.space)% of the range from black to white (root mean square).
            """
    }
}
