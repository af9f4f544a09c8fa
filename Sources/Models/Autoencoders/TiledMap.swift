import Torch

/// Applies a function to overlapping parts of a map and fades the results into each other.
///
/// The function enlarges a map by a whole factor: [B, c, h, w] → [B, C, s·h, s·w].
package struct TiledMap {
    private let size: Int
    private let overlap: Int
    private let scale: Int

    /// Describes the parts.
    ///
    /// - Parameters:
    ///   - size: Positions of a part, a side, at least 1.
    ///   - overlap: Positions that neighbours share, at least; limited to `size` − 1.
    ///   - scale: How much larger the function's result is, a side.
    package init(size: Int, overlap: Int, scale: Int) {
        self.size = max(size, 1)
        self.overlap = min(max(overlap, 0), max(size, 1) - 1)
        self.scale = scale
    }

    /// Where the parts of an axis begin: evenly, the last one ends where the axis does.
    package func starts(length: Int) -> [Int] {
        guard length > size else { return [0] }
        let step = size - overlap
        let count = (length - size + step - 1) / step + 1
        return (0..<count).map { $0 * (length - size) / (count - 1) }
    }

    /// How much of the result each part gives along an axis; the shares of a place add up to 1.
    ///
    /// - Parameter length: Positions of the axis.
    /// - Returns: One list of `scale`·`size` numbers for each part.
    private func shares(length: Int) -> [[Float]] {
        let starts = starts(length: length)
        let width = min(size, length)
        // Tents are highest in the middle of a part and nowhere zero.
        let tent = (0..<width * scale).map { Double(min($0, width * scale - 1 - $0)) + 0.5 }
        // Places that only one part covers need nothing else; others are shared in proportion.
        var sums = [Double](repeating: 0, count: length * scale)
        for start in starts {
            for (k, value) in tent.enumerated() { sums[start * scale + k] += value }
        }
        return starts.map { start in
            tent.enumerated().map { Float($1 / sums[start * scale + $0]) }
        }
    }

    /// Applies a function part by part.
    ///
    /// - Parameters:
    ///   - x: [B, c, h, w].
    ///   - body: The function for a part.
    /// - Returns: [B, C, s·h, s·w].
    package func applied(to x: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
        let (height, width) = (x.size(along: 2), x.size(along: 3))
        let (rows, columns) = (starts(length: height), starts(length: width))
        let (rowShares, columnShares) = (shares(length: height), shares(length: width))
        let (rowSize, columnSize) = (min(size, height), min(size, width))
        var sum: Tensor?
        for (row, top) in rows.enumerated() {
            for (column, left) in columns.enumerated() {
                var part = x.sliced(top..<top + rowSize, along: 2)
                part = part.sliced(left..<left + columnSize, along: 3)  // [B, c, size, size]
                part = body(part)  // [B, C, s·size, s·size]
                let (share, device) = (rowShares[row], part.device)
                part = part * Tensor(share, shape: [share.count, 1]).moved(to: device)
                part = part * Tensor(columnShares[column]).moved(to: device)
                let (below, right) = (height - top - rowSize, width - left - columnSize)
                part = part.padded([left, right, top, below].map { $0 * scale })
                sum = sum.map { $0 + part } ?? part
            }
        }
        return sum ?? x
    }
}
