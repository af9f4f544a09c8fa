import Torch

/// Puts the patches of an image into another order (Sun et al., CVPR 2024, RDED).
///
/// Its columns are cut into equal strips, then its rows; what makes no whole strip is dropped.
package enum PatchShuffle {
    /// Shuffles every image of a batch.
    ///
    /// - Parameters:
    ///   - x: [B, C, H, W].
    ///   - columnsAndRows: For each image, which strip comes first, second … along the width and
    ///     along the height; as many strips as numbers.
    /// - Returns: [B, C, H', W'], H' and W' whole numbers of strips.
    package static func shuffled(
        _ x: Tensor,
        columnsAndRows: [(columns: [Int], rows: [Int])]
    ) -> Tensor {
        .stacked(
            columnsAndRows.enumerated().map { place, order in
                var image = x.selected(place)  // [C, H, W]
                image = image.gathered(places(order.columns, of: image.size(along: 2)), along: 2)
                return image.gathered(places(order.rows, of: image.size(along: 1)), along: 1)
            }
        )
    }

    /// The old place of every pixel of an axis.
    private static func places(_ order: [Int], of size: Int) -> [Int] {
        let strip = size / order.count
        return order.flatMap { $0 * strip..<($0 + 1) * strip }
    }
}
