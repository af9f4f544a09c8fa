import Foundation
import Torch

/// One differentiable change of a batch of images, with its parameters given.
///
/// Every list has one number for all images, or one for each. The formulas are those of
/// VICO-UoE/DatasetCondensation (`utils.py`); values need not lie between 0 and 1, so normalised
/// images are changed as they are.
public enum ImageChange: Sendable, Equatable {
    /// x + shift.
    case brightness(shifts: [Double])
    /// (x − m)·factor + m, where m is the mean over the channels of each pixel.
    case saturation(factors: [Double])
    /// (x − m)·factor + m, where m is the mean over the whole image.
    case contrast(factors: [Double])
    /// The image moved up and left by so many pixels, zeros where nothing is left.
    case crop(rows: [Int], columns: [Int])
    /// A square of zeros around a centre; what lies outside of the image is cut off.
    case cutout(rows: [Int], columns: [Int], size: Int)
    /// Left and right exchanged.
    case flip([Bool])
    /// Sampled bilinearly at positions that are stretched by a factor along each axis; zeros
    /// outside.
    case scale(x: [Double], y: [Double])
    /// Sampled bilinearly at positions that are turned by an angle; zeros outside.
    case rotation(radians: [Double])

    /// Changes a batch.
    ///
    /// Traps if there are neither one nor B numbers.
    ///
    /// - Parameter x: [B, C, H, W].
    /// - Returns: [B, C, H, W], differentiable by `x`.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        let shape = x.shape
        guard shape.count == 4, counts.allSatisfy({ $0 == 1 || $0 == shape[0] }) else {
            trap("ImageChange: \(counts) numbers for images \(shape): expected 1 or one an image")
        }
        switch self {
        case .brightness(let shifts):
            return x + ImageChange.column(shifts, on: x.device)
        case .saturation(let factors):
            return ImageChange.spread(x, around: [1], by: factors)
        case .contrast(let factors):
            return ImageChange.spread(x, around: [1, 2, 3], by: factors)
        case .crop(let rows, let columns):
            return ImageChange.cropped(x, rows: rows, columns: columns)
        case .cutout(let rows, let columns, let size):
            return x * ImageChange.mask(rows, columns, size: size, shape: shape).moved(to: x.device)
        case .flip(let flags):
            return flags.count == 1
                ? (flags[0] ? x.flipped(along: 3) : x) : Augmentation.flipped(x, where: flags)
        case .scale(let sx, let sy):
            return ImageChange.mapped(x, zip(sx, sy).map { [$0, 0, 0, 0, $1, 0] })
        case .rotation(let radians):
            return ImageChange.mapped(
                x,
                radians.map { [cos($0), sin(-$0), 0, sin($0), cos($0), 0] }
            )
        }
    }

    /// Length of every list.
    private var counts: [Int] {
        switch self {
        case .brightness(let list), .saturation(let list), .contrast(let list),
            .rotation(let list):
            [list.count]
        case .crop(let rows, let columns), .cutout(let rows, let columns, _):
            [rows.count, columns.count]
        case .flip(let flags): [flags.count]
        case .scale(let x, let y): [x.count, y.count]
        }
    }

    /// A number an image: [1 or B, 1, 1, 1].
    private static func column(_ values: [Double], on device: Device) -> Tensor {
        Tensor(values.map { Float($0) }, shape: [values.count, 1, 1, 1]).moved(to: device)
    }

    private static func spread(_ x: Tensor, around axes: [Int], by factors: [Double]) -> Tensor {
        let mean = x.mean(axes: axes, keepingAxes: true)
        return (x - mean) * column(factors, on: x.device) + mean
    }

    private static func cropped(_ x: Tensor, rows: [Int], columns: [Int]) -> Tensor {
        let (height, width) = (x.size(along: 2), x.size(along: 3))
        let margin = (rows + columns).map(abs).max() ?? 0
        guard margin > 0 else { return x }
        var x = x.padded([margin, margin, margin, margin])  // [B, C, H + 2m, W + 2m]
        if rows.count == 1, columns.count == 1 {
            let (top, left) = (margin + rows[0], margin + columns[0])
            x = x.sliced(top..<top + height, along: 2)
            return x.sliced(left..<left + width, along: 3)  // [B, C, H, W]
        }
        let (batch, channels) = (x.size(along: 0), x.size(along: 1))
        func places(_ shifts: [Int], _ count: Int, _ shape: [Int]) -> Tensor {
            Tensor(
                shifts.flatMap { shift in (0..<count).map { margin + shift + $0 } },
                shape: shape
            )
            .moved(to: x.device)
        }
        let row = places(rows, height, [rows.count, 1, height, 1])
        x = x.elements(at: row.expanded([batch, channels, height, x.size(along: 3)]), along: 2)
        let column = places(columns, width, [columns.count, 1, 1, width])
        return x.elements(at: column.expanded([batch, channels, height, width]), along: 3)
    }

    /// 0 inside of the squares and 1 elsewhere: [1 or B, 1, H, W].
    private static func mask(_ rows: [Int], _ columns: [Int], size: Int, shape: [Int]) -> Tensor {
        func span(_ centre: Int, of count: Int) -> ClosedRange<Int> {
            let first = centre - size / 2
            return min(max(first, 0), count - 1)...min(max(first + size - 1, 0), count - 1)
        }
        let (height, width) = (shape[2], shape[3])
        var values = [Float](repeating: 1, count: rows.count * height * width)
        for (place, (row, column)) in zip(rows, columns).enumerated() {
            for y in span(row, of: height) {
                for x in span(column, of: width) { values[(place * height + y) * width + x] = 0 }
            }
        }
        return Tensor(values, shape: [rows.count, 1, height, width])
    }

    /// Sampled at the positions that affine maps, row-major 2×3, make of the pixels' own.
    private static func mapped(_ x: Tensor, _ maps: [[Double]]) -> Tensor {
        let shape = x.shape
        let theta = Tensor(maps.flatMap { $0.map { Float($0) } }, shape: [maps.count, 2, 3])
        let grid = Tensor.affineGrid(theta, shape: [maps.count] + shape.dropFirst())
        // Moved before it is expanded: a copy would write out one map for every image.
        return x.sampled(
            at: grid.moved(to: x.device).expanded([shape[0], shape[2], shape[3], 2])
        )
    }
}
