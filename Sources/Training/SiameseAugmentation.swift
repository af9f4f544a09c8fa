import Foundation
import Torch

/// Differentiable Siamese augmentation (Zhao & Bilen, "Dataset Condensation with Differentiable
/// Siamese Augmentation", ICML 2021).
///
/// Real and synthetic images are changed by one and the same draw, so that what a network tells of
/// both can be compared, and gradients reach the synthetic images through the change. In training
/// networks for tests the same operations serve as usual augmentation, with a draw for each image.
///
/// ```swift
/// let augmentation = try SiameseAugmentation("color_crop_cutout_flip_scale_rotate")
/// let draw = augmentation.draw(height: 28, width: 28, using: &generator)
/// let loss = distance(embedding(draw(real)), embedding(draw(synthetic)))
/// ```
public struct SiameseAugmentation: Codable, Sendable, Equatable {
    /// The operations, under the names of the reference's strategies.
    public enum Operation: String, Codable, Sendable, CaseIterable {
        /// Brightness, saturation and contrast, in this order.
        case color
        /// The image moved, zeros at the border.
        case crop
        /// A square of zeros.
        case cutout
        /// Left and right exchanged.
        case flip
        /// Stretched along each axis.
        case scale
        /// Turned.
        case rotate
    }

    /// How many of the operations a batch sees.
    public enum Mode: String, Codable, Sendable, CaseIterable {
        /// One, each with equal probability: the published mode S.
        case one
        /// All, in the order of the strategy.
        case all
    }

    /// A draw: the changes of a batch in their order.
    public struct Draw: Sendable, Equatable {
        /// The changes, each with its parameters.
        public let changes: [ImageChange]

        /// Puts changes together.
        public init(_ changes: [ImageChange]) { self.changes = changes }

        /// Changes a batch: [B, C, H, W] → [B, C, H, W], differentiable.
        public func callAsFunction(_ x: Tensor) -> Tensor { changes.reduce(x) { $1($0) } }
    }

    /// The operations there are to choose from.
    public var operations: [Operation]
    /// How many of them a batch sees.
    public var mode: Mode
    /// The largest change of brightness is half of this.
    public var brightness = 1.0
    /// The largest factor of saturation; the smallest is 0.
    public var saturation = 2.0
    /// The smallest factor of contrast; the largest is larger by 1.
    public var contrast = 0.5
    /// The farthest move, as a share of a side.
    public var cropShare = 0.125
    /// Side of the square of zeros, as a share of the image's.
    public var cutoutShare = 0.5
    /// How often an image is mirrored, 0 to 1.
    public var flipProbability = 0.5
    /// The largest factor of a stretch; the smallest is its inverse.
    public var scale = 1.2
    /// The largest angle, in degrees, to both sides.
    public var rotationDegrees = 15.0

    /// The published strategy: all operations.
    public static let published = SiameseAugmentation(Operation.allCases)

    /// Nothing is changed.
    public static let none = SiameseAugmentation([])

    /// Chooses operations with the published strengths.
    ///
    /// - Parameters:
    ///   - operations: The operations; none changes nothing.
    ///   - mode: How many of them a batch sees.
    public init(_ operations: [Operation], mode: Mode = .one) {
        self.operations = operations
        self.mode = mode
    }

    /// Reads a strategy such as `color_crop_cutout_flip_scale_rotate`.
    ///
    /// - Parameters:
    ///   - strategy: Names of operations with `_` between them; `none` or nothing for none.
    ///   - mode: How many of them a batch sees.
    /// - Throws: `TrainingError` that names an unknown operation and those there are.
    public init(_ strategy: String, mode: Mode = .one) throws(TrainingError) {
        var operations = [Operation]()
        for name in strategy.split(separator: "_") where strategy != "none" {
            guard let operation = Operation(rawValue: String(name)) else {
                let names = Operation.allCases.map(\.rawValue).joined(separator: "_")
                throw TrainingError(
                    .invalidOption,
                    "The augmentation \"\(strategy)\" names \"\(name)\", which is no operation: "
                        + "expected some of \(names), or none."
                )
            }
            operations.append(operation)
        }
        self.init(operations, mode: mode)
    }

    /// The names of the operations with `_` between them, or `none`.
    public var strategy: String {
        operations.isEmpty ? "none" : operations.map(\.rawValue).joined(separator: "_")
    }

    /// Draws the changes of a batch.
    ///
    /// - Parameters:
    ///   - imageCount: nil for one draw that all images of any batch share; else a draw for each of
    ///     so many images, which share only the choice of the operation.
    ///   - height: Rows of the images.
    ///   - width: Columns of the images.
    ///   - generator: Source of the random numbers.
    /// - Returns: The changes with their parameters.
    public func draw(
        imageCount: Int? = nil,
        height: Int,
        width: Int,
        using generator: inout RandomGenerator
    ) -> Draw {
        guard !operations.isEmpty else { return Draw([]) }
        let chosen =
            switch mode {
            case .one: [operations[generator.integers(1, below: operations.count)[0]]]
            case .all: operations
            }
        return Draw(
            chosen.flatMap {
                changes($0, imageCount ?? 1, height: height, width: width, using: &generator)
            }
        )
    }

    /// Changes a batch, every image with numbers of its own.
    ///
    /// - Parameters:
    ///   - x: [B, C, H, W].
    ///   - generator: Source of the random numbers.
    /// - Returns: [B, C, H, W].
    public func callAsFunction(_ x: Tensor, using generator: inout RandomGenerator) -> Tensor {
        let shape = x.shape
        return draw(
            imageCount: shape[0],
            height: shape[2],
            width: shape[3],
            using: &generator
        )(x)
    }

    /// One operation with drawn parameters for so many images.
    ///
    /// - Parameters:
    ///   - operation: The operation.
    ///   - count: 1 for parameters that all images share.
    ///   - height: Rows of the images.
    ///   - width: Columns of the images.
    ///   - generator: Source of the random numbers.
    /// - Returns: The changes in their order: three for colour, else one.
    public func changes(
        _ operation: Operation,
        _ count: Int = 1,
        height: Int,
        width: Int,
        using generator: inout RandomGenerator
    ) -> [ImageChange] {
        func uniform() -> [Double] { generator.uniformValues(count).map { Double($0) } }
        func integers(_ range: Range<Int>) -> [Int] {
            generator.integers(count, below: range.count).map { $0 + range.lowerBound }
        }
        switch operation {
        case .color:
            return [
                .brightness(shifts: uniform().map { ($0 - 0.5) * brightness }),
                .saturation(factors: uniform().map { $0 * saturation }),
                .contrast(factors: uniform().map { $0 + contrast }),
            ]
        case .crop:
            func farthest(_ size: Int) -> Int { Int(Double(size) * cropShare + 0.5) }
            let (down, right) = (farthest(height), farthest(width))
            return [.crop(rows: integers(-down..<down + 1), columns: integers(-right..<right + 1))]
        case .cutout:
            let size = Int(Double(min(height, width)) * cutoutShare + 0.5)
            // A square of even size has its centre between two pixels, so one place more.
            let more = 1 - size % 2
            return [
                .cutout(
                    rows: integers(0..<height + more),
                    columns: integers(0..<width + more),
                    size: size
                )
            ]
        case .flip: return [.flip(uniform().map { $0 < flipProbability })]
        case .scale:
            func factors() -> [Double] { uniform().map { $0 * (scale - 1 / scale) + 1 / scale } }
            return [.scale(x: factors(), y: factors())]
        case .rotate:
            return [
                .rotation(radians: uniform().map { ($0 * 2 - 1) * rotationDegrees * .pi / 180 })
            ]
        }
    }
}
