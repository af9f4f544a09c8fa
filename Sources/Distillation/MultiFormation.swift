import Torch

/// Several training images in one stored image (Kim et al., ICML 2022, "Dataset Condensation via
/// Efficient Synthetic-Data Parameterization", section 4).
///
/// With factor f a stored image is cut into f×f tiles, and every tile is enlarged to the size of
/// the whole: f² images for the storage of one. Decoding is differentiable.
///
/// Shape letters: B stored images, C channels, H×W pixels.
public struct MultiFormation: Codable, Sendable, Equatable {
    /// How many images are made of a stored one.
    public enum Mode: String, Codable, Sendable, CaseIterable {
        /// f² of every one.
        case single
        /// f² of as many as fit below a bound, fewer of the others.
        case bound
        /// Those of all factors from 1 to f.
        case multi
    }

    /// f, tiles of a stored image, a side; 1 leaves images as they are (IDC-1).
    public var factor: Int
    /// How many images are made of a stored one.
    public var mode: Mode

    /// Describes a decoding.
    public init(factor: Int = 1, mode: Mode = .single) {
        self.factor = max(factor, 1)
        self.mode = mode
    }

    /// Stored images decoded.
    ///
    /// - Parameters:
    ///   - x: [B, C, H, W].
    ///   - labels: The class of every stored image.
    ///   - bound: With `bound`, the largest number of results; more than B.
    /// - Returns: [N, C, H, W], tile by tile, and N labels.
    public func decoded(
        _ x: Tensor,
        labels: [Int],
        bound: Int = 128
    ) -> (images: Tensor, labels: [Int]) {
        guard factor > 1 else { return (x, labels) }
        var images = [Tensor]()
        var decodedLabels = [Int]()
        for (range, factor) in plan(count: labels.count, bound: bound) {
            images.append(MultiFormation.tiles(x[range], factor: factor))
            let labels = labels[range]
            for _ in 0..<factor * factor { decodedLabels += labels }
        }
        return (.concatenated(images), decodedLabels)
    }

    /// Number of images made of `count` stored ones.
    public func decodedCount(_ count: Int, bound: Int = 128) -> Int {
        guard factor > 1 else { return count }
        return plan(count: count, bound: bound).reduce(0) { $0 + $1.0.count * $1.1 * $1.1 }
    }

    /// Which stored images are decoded with which factor.
    private func plan(count: Int, bound: Int) -> [(Range<Int>, Int)] {
        switch mode {
        case .single: return [(0..<count, factor)]
        case .multi: return (1...factor).map { (0..<count, $0) }
        case .bound:
            var plan = [(Range<Int>, Int)]()
            var (start, made) = (0, 0)
            for factor in stride(from: factor, through: 1, by: -1) where start < count {
                let left = count - start
                // Every image that is left needs room for itself at least.
                let room = max(bound - made - left, 0) / (factor * factor)
                let size = factor == 1 ? left : min(room, left)
                if size > 0 { plan.append((start..<start + size, factor)) }
                start += size
                made += size * factor * factor
            }
            return plan
        }
    }

    /// f² enlarged tiles of every image, row by row, all images of a tile together:
    /// [B, C, H, W] → [f²·B, C, H, W].
    private static func tiles(_ x: Tensor, factor: Int) -> Tensor {
        guard factor > 1 else { return x }
        let (height, width) = (x.size(along: 2), x.size(along: 3))
        let tileHeight = (height + factor - 1) / factor
        let tileWidth = (width + factor - 1) / factor
        // Grey where the last tiles reach beyond the border. As in the reference, a size that is no
        // multiple of the factor grows to the next one.
        let below = tileHeight * factor - height
        let right = tileWidth * factor - width
        let padded = below + right > 0 ? x.padded([0, right, 0, below], with: 0.5) : x
        let tiles = (0..<factor * factor).map { tile in
            let (top, left) = (tile / factor * tileHeight, tile % factor * tileWidth)
            return padded.sliced(top..<top + tileHeight, along: 2)
                .sliced(left..<left + tileWidth, along: 3)
        }
        return Tensor.concatenated(tiles).interpolated(height: height, width: width)
    }

    /// Stored images made of real ones, each in a tile of its own.
    ///
    /// - Parameters:
    ///   - x: [f²·B, C, H, W]; the images k·B to (k + 1)·B go to tile k, row by row.
    ///   - factor: f.
    /// - Returns: [B, C, H, W]; tiles are shrunk by choosing the nearest pixels.
    public static func mixed(_ x: Tensor, factor: Int) -> Tensor {
        guard factor > 1 else { return x }
        let (height, width) = (x.size(along: 2), x.size(along: 3))
        // The first tiles are one pixel larger where the size is no multiple of the factor.
        func size(_ place: Int, of whole: Int) -> Int {
            whole / factor + (place < whole % factor ? 1 : 0)
        }
        let parts = x.chunked(factor * factor, along: 0)  // f² × [B, C, H, W]
        let rows = (0..<factor).map { row in
            let tiles = (0..<factor).map { column in
                parts[row * factor + column].interpolated(
                    height: size(row, of: height),
                    width: size(column, of: width),
                    bilinear: false
                )
            }
            return Tensor.concatenated(tiles, along: 3)  // [B, C, H/f, W]
        }
        return .concatenated(rows, along: 2)
    }
}
