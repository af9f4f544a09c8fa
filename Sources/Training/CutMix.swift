import Foundation
import Torch

/// CutMix (Yun et al., ICCV 2019): a box of every image is replaced by the same box of another
/// image of the batch, and the loss is shared out by area.
public struct CutMix: Sendable, Equatable {
    /// First and one past the last row of the box.
    public let rows: Range<Int>
    /// First and one past the last column of the box.
    public let columns: Range<Int>
    /// Share of the image that stays: the weight of its own label.
    public let ratio: Double
    /// Which image fills the box of each image.
    public let permutation: [Int]

    /// Makes a box around a centre, cut off at the border.
    ///
    /// - Parameters:
    ///   - lambda: Share of the area that is meant to stay, 0 to 1.
    ///   - row: Row of the centre.
    ///   - column: Column of the centre.
    ///   - height: Rows of the images.
    ///   - width: Columns of the images.
    ///   - permutation: Which image fills the box of each image.
    public init(
        lambda: Double,
        row: Int,
        column: Int,
        height: Int,
        width: Int,
        permutation: [Int]
    ) {
        func span(around centre: Int, size: Int) -> Range<Int> {
            let cut = Int(Double(size) * (1 - lambda).squareRoot())
            return max(centre - cut / 2, 0)..<min(centre + cut / 2, size)
        }
        rows = span(around: row, size: height)
        columns = span(around: column, size: width)
        ratio = 1 - Double(rows.count * columns.count) / Double(height * width)
        self.permutation = permutation
    }

    /// Draws λ ~ U(0, 1), a centre and a permutation.
    ///
    /// - Parameters:
    ///   - batch: Number of images.
    ///   - height: Rows of the images.
    ///   - width: Columns of the images.
    ///   - generator: Source of the random numbers.
    public init(batch: Int, height: Int, width: Int, using generator: inout RandomGenerator) {
        // Beta(1, 1) is the uniform distribution.
        let lambda = generator.uniform()
        self.init(
            lambda: lambda,
            row: generator.integers(1, below: height)[0],
            column: generator.integers(1, below: width)[0],
            height: height,
            width: width,
            permutation: generator.permutation(batch)
        )
    }

    /// The batch with its boxes filled: [B, C, H, W] → the same shape.
    public func mixed(_ x: Tensor) -> Tensor {
        func box(_ x: Tensor) -> Tensor { x.sliced(rows, along: 2).sliced(columns, along: 3) }
        guard !rows.isEmpty, !columns.isEmpty else { return x }
        let result = x.copied()
        box(result).copy(from: box(x).gathered(permutation))
        return result
    }

    /// ratio·CE(own label) + (1 − ratio)·CE(label of the box): [B, K] and [B] → a scalar.
    public func loss(_ logits: Tensor, labels: Tensor) -> Tensor {
        let own = logits.crossEntropy(to: labels)
        let other = logits.crossEntropy(to: labels.gathered(permutation))
        return own * ratio + other * (1 - ratio)
    }
}
