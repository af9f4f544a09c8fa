import Foundation
import Torch

/// Random changes to training images: crop, flip, colours (Kim et al., ICML 2022, "Dataset
/// Condensation via Efficient Synthetic-Data Parameterization", and Minimax Diffusion).
///
/// A whole batch is changed by a few tensor operations, every image with numbers of its own.
public struct Augmentation: Codable, Sendable, Equatable {
    /// Number of strips an image is cut into along both axes and put together again in random
    /// order, before the crop (Sun et al., CVPR 2024, RDED); 1: the image stays whole.
    public var patchGrid: Int
    /// Smallest and largest share of the area that is kept; nil: no crop.
    public var cropScale: ClosedRange<Double>?
    /// Smallest and largest width over height of the crop.
    public var cropRatio: ClosedRange<Double>
    /// Pixels a side that the crop is resized to; nil: the size of the image.
    public var cropSize: Int?
    /// Whether the crop is resized with a filter that is widened when it shrinks, as torchvision's
    /// `antialias=True`.
    public var antialiasesCrop: Bool
    /// How often an image is mirrored, 0 to 1.
    public var flipProbability: Double
    /// Largest share α by which a pixel is moved towards (or away from) black.
    public var brightness: Double
    /// Largest share α by which a pixel is moved towards the image's mean grey.
    public var contrast: Double
    /// Largest share α by which a pixel is moved towards its own grey.
    public var saturation: Double
    /// Deviation of the change of light along the principal colours of ImageNet (Krizhevsky et
    /// al., 2012); only for three channels.
    public var lighting: Double

    /// Describes an augmentation; the defaults change nothing.
    public init(
        patchGrid: Int = 1,
        cropScale: ClosedRange<Double>? = nil,
        cropRatio: ClosedRange<Double> = 3.0 / 4...4.0 / 3,
        cropSize: Int? = nil,
        antialiasesCrop: Bool = false,
        flipProbability: Double = 0,
        brightness: Double = 0,
        contrast: Double = 0,
        saturation: Double = 0,
        lighting: Double = 0
    ) {
        self.patchGrid = patchGrid
        self.cropScale = cropScale
        self.cropRatio = cropRatio
        self.cropSize = cropSize
        self.antialiasesCrop = antialiasesCrop
        self.flipProbability = flipProbability
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.lighting = lighting
    }

    /// Nothing is changed.
    public static let none = Augmentation()

    /// That of the published evaluation on photographs.
    public static let published = Augmentation(
        cropScale: 0.5...1,
        flipProbability: 0.5,
        brightness: 0.4,
        contrast: 0.4,
        saturation: 0.4,
        lighting: 0.1
    )

    /// That of the published evaluation without what needs colours.
    public static let publishedGrey = Augmentation(
        cropScale: 0.5...1,
        flipProbability: 0.5,
        brightness: 0.4,
        contrast: 0.4
    )

    /// Changes a batch at random and normalises it.
    ///
    /// - Parameters:
    ///   - x: [B, C, H, W], from 0 to 1.
    ///   - statistics: Mean and deviation to normalise by.
    ///   - generator: Source of the random numbers; 28 an image, more with patches and lighting.
    /// - Returns: [B, C, H, W], or with the sides of `cropSize`.
    public func callAsFunction(
        _ x: Tensor,
        normalizedBy statistics: ChannelStatistics,
        using generator: inout RandomGenerator
    ) -> Tensor {
        let draws = (0..<x.size(along: 0)).map { _ in Draw(using: &generator) }
        var x = x
        if patchGrid > 1 {
            let orders = draws.map { _ in
                (generator.permutation(patchGrid), generator.permutation(patchGrid))
            }
            x = PatchShuffle.shuffled(x, columnsAndRows: orders)
        }
        if cropScale != nil {
            let (height, width) = (x.size(along: 2), x.size(along: 3))
            let boxes = draws.map { box($0, height: height, width: width) }
            let resized = antialiasesCrop ? CropBox.antialiased : CropBox.resized
            x = resized(x, boxes, cropSize ?? height, cropSize ?? width)
        }
        if flipProbability > 0 {
            x = Augmentation.flipped(x, where: draws.map { $0.flip < flipProbability })
        }
        let light =
            lighting > 0 && x.size(along: 1) == 3
            ? generator.normal([draws.count, 3]) * lighting : nil
        // Read back from the device, so only where they are needed.
        let means: [Float] = contrast > 0 ? x.mean(axes: [2, 3]).values() : []
        let maps = colorMaps(
            draws,
            channels: x.size(along: 1),
            means: means,
            light: light,
            statistics
        )
        return ColorMap.apply(maps, to: x)
    }

    /// The uniform numbers of one image.
    private struct Draw {
        let row: Double
        let column: Double
        /// Area and ratio of ten attempts.
        let attempts: [(Double, Double)]
        let flip: Double
        let order: Double
        /// Brightness, contrast, saturation.
        let strengths: [Double]

        init(using generator: inout RandomGenerator) {
            let values = generator.uniformValues(28).map { Double($0) }
            row = values[0]
            column = values[1]
            attempts = (0..<10).map { (values[2 + 2 * $0], values[3 + 2 * $0]) }
            flip = values[22]
            order = values[23]
            strengths = Array(values[24..<27])
        }
    }

    private func box(_ draw: Draw, height: Int, width: Int) -> CropBox {
        let scale = cropScale ?? 1...1
        let (low, high) = (log(cropRatio.lowerBound), log(cropRatio.upperBound))
        return CropBox(
            inHeight: height,
            width: width,
            attempts: draw.attempts.map { area, ratio in
                (
                    area: scale.lowerBound + area * (scale.upperBound - scale.lowerBound),
                    logRatio: low + ratio * (high - low)
                )
            },
            ratio: cropRatio,
            rowFraction: draw.row,
            columnFraction: draw.column
        )
    }

    /// Mirrors some images left to right: [B, C, H, W] → the same shape.
    package static func flipped(_ x: Tensor, where isFlipped: [Bool]) -> Tensor {
        let mask = Tensor(isFlipped, shape: [isFlipped.count, 1, 1, 1]).moved(to: x.device)
        return .choose(mask, x.flipped(along: -1), else: x)
    }

    /// The map of every image: the changes of colour in random order, light, normalisation.
    private func colorMaps(
        _ draws: [Draw],
        channels: Int,
        means: [Float],
        light: Tensor?,
        _ statistics: ChannelStatistics
    ) -> [ColorMap] {
        let light: [Float] = light?.values() ?? []
        return draws.enumerated().map { place, draw in
            let mean = means.dropFirst(place * channels).prefix(channels).map { Double($0) }
            var map = ColorMap.identity(channels: channels)
            let limits = [brightness, contrast, saturation]
            let alphas = zip(draw.strengths, limits).map { ($0 * 2 - 1) * $1 }
            for jitter in Augmentation.orders[Int(draw.order * 6)] where limits[jitter.rawValue] > 0
            {
                map.apply(jitter, alpha: alphas[jitter.rawValue], mean: mean)
            }
            if !light.isEmpty {
                let alphas = light[place * 3..<(place + 1) * 3].map { Double($0) }
                map.shift(by: Augmentation.light(alphas))
            }
            map.normalize(by: statistics)
            return map
        }
    }

    /// A change of colour.
    package enum Jitter: Int {
        case brightness, contrast, saturation
    }

    /// The six orders of the three changes.
    private static let orders: [[Jitter]] = [
        [.brightness, .contrast, .saturation], [.brightness, .saturation, .contrast],
        [.contrast, .brightness, .saturation], [.contrast, .saturation, .brightness],
        [.saturation, .brightness, .contrast], [.saturation, .contrast, .brightness],
    ]

    /// The change of light Σ αₖ·λₖ·eₖ along the principal colours of ImageNet.
    package static func light(_ alphas: [Double]) -> [Double] {
        let values = [0.2175, 0.0188, 0.0045]
        let vectors = [
            [-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203],
        ]
        return vectors.map { row in
            (0..<3).reduce(0) { $0 + row[$1] * alphas[$1] * values[$1] }
        }
    }
}

extension ColorMap {
    /// Appends one change of colour.
    package mutating func apply(_ jitter: Augmentation.Jitter, alpha: Double, mean: [Double]) {
        switch jitter {
        case .brightness: changeBrightness(by: alpha)
        case .contrast: changeContrast(by: alpha, mean: mean)
        case .saturation: changeSaturation(by: alpha)
        }
    }
}
