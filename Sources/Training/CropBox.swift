import Foundation
import Torch

/// A part of an image that is cut out and resized, as torchvision's `RandomResizedCrop` does.
public struct CropBox: Sendable, Equatable {
    /// First row.
    public let top: Int
    /// First column.
    public let left: Int
    /// Number of rows.
    public let height: Int
    /// Number of columns.
    public let width: Int

    /// Names a part of an image, in pixels.
    public init(top: Int, left: Int, height: Int, width: Int) {
        self.top = top
        self.left = left
        self.height = height
        self.width = width
    }

    /// Chooses a box as torchvision does: the first of ten attempts that fits into the image,
    /// else the largest box in the middle whose shape is allowed.
    ///
    /// - Parameters:
    ///   - height: Rows of the image.
    ///   - width: Columns of the image.
    ///   - attempts: Share of the image's area, and logarithm of width over height, of each box.
    ///   - ratio: Allowed width over height of the box in the middle.
    ///   - rowFraction: Place of the box between top and bottom, in [0, 1).
    ///   - columnFraction: Place of the box between left and right, in [0, 1).
    public init(
        inHeight height: Int,
        width: Int,
        attempts: [(area: Double, logRatio: Double)],
        ratio: ClosedRange<Double>,
        rowFraction: Double,
        columnFraction: Double
    ) {
        for (area, logRatio) in attempts {
            let target = Double(height * width) * area
            let w = Int((target * exp(logRatio)).squareRoot().rounded(.toNearestOrEven))
            let h = Int((target / exp(logRatio)).squareRoot().rounded(.toNearestOrEven))
            guard 0 < w, w <= width, 0 < h, h <= height else { continue }
            self.init(
                top: Int(rowFraction * Double(height - h + 1)),
                left: Int(columnFraction * Double(width - w + 1)),
                height: h,
                width: w
            )
            return
        }
        let shape = Double(width) / Double(height)
        var (h, w) = (height, width)
        if shape < ratio.lowerBound {
            h = Int((Double(width) / ratio.lowerBound).rounded(.toNearestOrEven))
        } else if shape > ratio.upperBound {
            w = Int((Double(height) * ratio.upperBound).rounded(.toNearestOrEven))
        }
        self.init(top: (height - h) / 2, left: (width - w) / 2, height: h, width: w)
    }

    /// Cuts a box out of every image and resizes it bilinearly, without antialiasing.
    ///
    /// Pixel k of the result lies at (k + ½)·size/newSize − ½ of the box, moved to the border of
    /// the box where it lies outside; all images are sampled at once.
    ///
    /// - Parameters:
    ///   - x: [B, C, H, W].
    ///   - boxes: One an image.
    ///   - height: Rows of the result.
    ///   - width: Columns of the result.
    /// - Returns: [B, C, height, width].
    package static func resized(
        _ x: Tensor,
        boxes: [CropBox],
        height: Int,
        width: Int
    ) -> Tensor {
        let (rowCount, columnCount) = (x.size(along: 2), x.size(along: 3))
        let rows = boxes.flatMap {
            positions(start: $0.top, size: $0.height, of: rowCount, count: height)
        }
        let columns = boxes.flatMap {
            positions(start: $0.left, size: $0.width, of: columnCount, count: width)
        }
        // Only the places are copied to the device; the grid is made of them there.
        let shape = [boxes.count, height, width]
        let grid = Tensor.stacked(
            [
                Tensor(columns, shape: [boxes.count, 1, width]).moved(to: x.device).expanded(shape),
                Tensor(rows, shape: [boxes.count, height, 1]).moved(to: x.device).expanded(shape),
            ],
            along: -1
        )
        return x.sampled(at: grid)
    }

    /// Cuts a box out of every image and resizes it bilinearly, with a filter that is widened where
    /// the box shrinks.
    ///
    /// - Parameters:
    ///   - x: [B, C, H, W].
    ///   - boxes: One an image.
    ///   - height: Rows of the result.
    ///   - width: Columns of the result.
    /// - Returns: [B, C, height, width].
    package static func antialiased(
        _ x: Tensor,
        boxes: [CropBox],
        height: Int,
        width: Int
    ) -> Tensor {
        .concatenated(
            boxes.enumerated().map { place, box in
                x.sliced(place..<place + 1)
                    .sliced(box.top..<box.top + box.height, along: 2)
                    .sliced(box.left..<box.left + box.width, along: 3)
                    .interpolated(height: height, width: width, antialias: true)
            }
        )
    }

    /// Where the pixels of one axis are sampled, −1 and 1 being the borders of the image.
    private static func positions(start: Int, size: Int, of whole: Int, count: Int) -> [Float] {
        let step = Double(size) / Double(count)
        return (0..<count).map { pixel in
            let inside = ((Double(pixel) + 0.5) * step - 0.5).clamped(to: 0...Double(size - 1))
            return Float((2 * (Double(start) + inside) + 1) / Double(whole) - 1)
        }
    }
}

extension Double {
    /// The nearest number in a range.
    func clamped(to range: ClosedRange<Double>) -> Double {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
