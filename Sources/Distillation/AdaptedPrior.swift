import Models
import Torch
import Training

/// A generative prior for images of another form than its own: grey ones, and sizes that its
/// latents do not divide.
///
/// On the way in, images are continued at their edges up to the next size that fits, and a grey
/// value becomes three equal colours; on the way out, edges are cut off and colours averaged.
public struct AdaptedPrior: GenerativePrior {
    private let base: any GenerativePrior
    private let height: Int
    private let width: Int
    private let channels: Int
    private let baseChannels: Int
    private let rows: [Int]
    private let columns: [Int]

    /// Adapts a prior to images.
    ///
    /// - Parameters:
    ///   - base: The prior.
    ///   - downsampling: Pixels for one position of its latents, a side; above 0.
    ///   - baseChannels: Channels of its own images.
    ///   - height: Rows of the images, H.
    ///   - width: Columns of the images, W.
    ///   - channels: C: those of the prior, or 1.
    /// - Throws: `NetworkError` for images that cannot be adapted to it.
    public init(
        _ base: any GenerativePrior,
        downsampling: Int,
        baseChannels: Int,
        height: Int,
        width: Int,
        channels: Int
    ) throws {
        (self.base, self.baseChannels) = (base, baseChannels)
        (self.height, self.width, self.channels) = (height, width, channels)
        rows = AdaptedPrior.places(height, multipleOf: downsampling)
        columns = AdaptedPrior.places(width, multipleOf: downsampling)
        // Only grey images can take other channels; all others are for the prior to refuse.
        try base.requireImages(
            height: rows.count,
            width: columns.count,
            channels: channels == 1 ? baseChannels : channels
        )
    }

    /// The rows or columns of an image that stand in those of the larger one.
    private static func places(_ count: Int, multipleOf step: Int) -> [Int] {
        let target = max((count + step - 1) / step, 1) * step
        let before = (target - count) / 2
        return (0..<target).map { min(max($0 - before, 0), count - 1) }
    }

    /// That of the prior.
    public var layerCount: Int { base.layerCount }

    /// Makes sure that the images are those it was adapted to.
    public func requireImages(height: Int, width: Int, channels: Int) throws {
        guard (height, width, channels) != (self.height, self.width, self.channels) else { return }
        throw TrainingError(
            .invalidOption,
            "The prior was adapted to images of \(self.width)×\(self.height) pixels and "
                + "\(self.channels) channels, but these have \(width)×\(height) and \(channels). "
                + "Adapt it to them."
        )
    }

    /// The latents of the continued images.
    public func latents(of images: Tensor) -> Tensor {
        var x = images.gathered(rows, along: 2).gathered(columns, along: 3)
        if channels != baseChannels {
            x = .concatenated(Array(repeating: x, count: baseChannels), along: 1)
        }
        return base.latents(of: x)
    }

    /// F_n(z) of the prior.
    public func map(of latents: Tensor, before layer: Int) -> Tensor {
        base.map(of: latents, before: layer)
    }

    /// The prior's images without the edges that were added.
    public func images(of map: Tensor, latents: Tensor, from layer: Int) -> Tensor {
        let (top, left) = ((rows.count - height) / 2, (columns.count - width) / 2)
        var x = base.images(of: map, latents: latents, from: layer)
        x = x.sliced(top..<top + height, along: 2).sliced(left..<left + width, along: 3)
        return channels == baseChannels ? x : x.mean(axes: [1], keepingAxes: true)
    }
}
