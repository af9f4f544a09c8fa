import Foundation
import Torch

/// The fixed table of positions of a Diffusion Transformer.
package enum PositionTable {
    /// Sines and cosines of the column in the first half of the channels, of the row in the
    /// second, computed in Float64; facebookresearch/DiT, `get_2d_sincos_pos_embed`.
    ///
    /// - Parameters:
    ///   - side: Tokens a side.
    ///   - width: Channels of a token, a multiple of 4.
    /// - Returns: [1, side², width].
    package static func sineCosine(side: Int, width: Int) -> Tensor {
        let quarter = width / 4
        let frequencies = (0..<quarter).map { pow(10_000, -Double($0) / Double(quarter)) }
        var values = [Float]()
        values.reserveCapacity(side * side * width)
        for row in 0..<side {
            for column in 0..<side {
                for coordinate in [column, row] {
                    let angles = frequencies.map { Double(coordinate) * $0 }
                    values += angles.map { Float(sin($0)) }
                    values += angles.map { Float(cos($0)) }
                }
            }
        }
        return Tensor(values, shape: [1, side * side, width])
    }
}
