import Models
import Torch

/// Gradient matching: images are good if a network learns from them what it learns from real ones
/// (Zhao et al., ICLR 2021, "Dataset Condensation with Gradient Matching", and Kim et al., ICML
/// 2022, "Dataset Condensation via Efficient Synthetic-Data Parameterization").
///
/// ```
/// D( ∇_θ CE(real; θ), ∇_θ CE(synthetic; θ) )
/// ```
///
/// The first gradient is a constant, the second one is differentiated by the images.
public struct GradientMatching: Codable, Sendable, Equatable {
    /// D, how two gradients are compared; sums run over the tensors of the network.
    public enum Distance: String, Codable, Sendable, CaseIterable {
        /// Σ|a − b|: published for IDC.
        case l1
        /// Σ(a − b)².
        case mse
        /// Σ(1 − cos) over the rows of every tensor, one row an output; vectors (biases, norms)
        /// count nothing: published for DC.
        case cosine
        /// 1 − cos of all tensors joined into one vector.
        case globalCosine = "global-cosine"
    }

    /// Which weights of the network are compared.
    public enum Layers: String, Codable, Sendable, CaseIterable {
        /// The kernels of convolutions: published for IDC.
        case convolutions
        /// All: published for DC.
        case all
    }

    /// How two gradients are compared.
    public var distance: Distance
    /// Which weights are compared.
    public var layers: Layers

    /// Describes a comparison.
    public init(distance: Distance, layers: Layers) {
        self.distance = distance
        self.layers = layers
    }

    /// That of Dataset Condensation: cosines, layer by layer, over all weights.
    public static let dc = GradientMatching(distance: .cosine, layers: .all)

    /// That of IDC: absolute differences over the kernels of convolutions.
    public static let idc = GradientMatching(distance: .l1, layers: .convolutions)

    /// Images as the network sees them, [B, C, H, W], with their labels, int64 [B].
    package typealias Batch = (images: Tensor, labels: Tensor)

    /// How images are computed.
    package struct Options {
        /// Images whose intermediate results are in memory at the same time; 0 for no limit.
        package var imagesAtOnce = 0
        /// `bfloat16` for autocast, or nil.
        package var precision: DType?

        package init(imagesAtOnce: Int = 0, precision: DType? = nil) {
            self.imagesAtOnce = imagesAtOnce
            self.precision = precision
        }
    }

    /// The weights that are compared.
    package func compared(of classifier: any ImageClassifier) -> [Tensor] {
        classifier.parameters().map(\.tensor).filter { weight in
            switch layers {
            case .convolutions: weight.rank == 4
            case .all: distance != .cosine || weight.rank > 1
            }
        }
    }

    /// The distance of two lists of gradients, a scalar.
    ///
    /// - Parameters:
    ///   - a: One gradient a tensor.
    ///   - b: The same shapes.
    /// - Returns: D(a, b), which is symmetric.
    package func distance(_ a: [Tensor], _ b: [Tensor]) -> Tensor {
        func sum(_ term: (Tensor, Tensor) -> Tensor) -> Tensor {
            Tensor.stacked(zip(a, b).map(term)).sum()
        }
        switch distance {
        case .l1: return sum { ($0 - $1).magnitude().sum() }
        case .mse: return sum { ($0 - $1).squared().sum() }
        case .cosine:
            return sum { a, b in
                let (a, b) = (a.flattened(from: 1), b.flattened(from: 1))  // [outputs, rest]
                return (1 - GradientMatching.cosines(a, b)).sum()
            }
        case .globalCosine:
            func joined(_ tensors: [Tensor]) -> Tensor {
                .concatenated(tensors.map { $0.reshaped(-1) })
            }
            return 1 - GradientMatching.cosines(joined(a), joined(b))
        }
    }

    /// Cosines along the last axis; zero vectors have the cosine 0.
    private static func cosines(_ a: Tensor, _ b: Tensor) -> Tensor {
        let lengths = a.norm(axes: [-1]) * b.norm(axes: [-1]) + 1e-6
        return (a * b).sum(along: -1) / lengths
    }

    /// The gradient of the mean cross entropy by the compared weights, a constant.
    ///
    /// - Parameters:
    ///   - classifier: The network.
    ///   - batch: Images and labels.
    ///   - options: How images are computed; parts add up to the whole, since no layer but a batch
    ///     norm looks at other images.
    /// - Returns: One tensor a weight.
    package func gradients(
        of classifier: any ImageClassifier,
        on batch: Batch,
        options: Options = Options()
    ) -> [Tensor] {
        let weights = compared(of: classifier)
        var sums = [Tensor]()
        for part in parts(of: batch, size(options, classifier)) {
            let loss = loss(classifier, part.batch, options) * part.share
            let gradients = required(Tensor.gradients(of: [loss], by: weights), weights)
            sums = sums.isEmpty ? gradients : zip(sums, gradients).map { $0 + $1 }
        }
        return sums
    }

    /// Compares the gradient of synthetic images with a constant one.
    ///
    /// With more images than are computed at once their gradients are added up first, and every
    /// part is computed once more for its share of the derivative: the same numbers up to rounding.
    /// A network with batch norms gets all images at once, since each is changed by the others.
    ///
    /// - Parameters:
    ///   - real: `gradients(of:on:options:)` of the real images.
    ///   - synthetic: Images and labels.
    ///   - classifier: The network.
    ///   - options: How images are computed.
    /// - Returns: D, and its gradient by the synthetic images, [B, C, H, W].
    package func match(
        _ real: [Tensor],
        with synthetic: Batch,
        on classifier: any ImageClassifier,
        options: Options = Options()
    ) -> (distance: Double, gradient: Tensor) {
        let weights = compared(of: classifier)
        let parts = parts(of: synthetic, size(options, classifier))
        guard parts.count > 1 else {
            let images = leaf(synthetic.images)
            let loss = loss(classifier, (images, synthetic.labels), options)
            let gradients = Tensor.gradients(of: [loss], by: weights, creatingGraph: true)
            let distance = distance(real, required(gradients, weights))
            let slope = Tensor.gradients(of: [distance], by: [images])
            return (distance.item, required(slope, [images])[0])
        }
        let sums = gradients(of: classifier, on: synthetic, options: options).map(leaf)
        let distance = distance(real, sums)
        let slopes = required(Tensor.gradients(of: [distance], by: sums), sums)
        let pieces = parts.map { part in
            let images = leaf(part.batch.images)
            let loss = loss(classifier, (images, part.batch.labels), options) * part.share
            let gradients = Tensor.gradients(of: [loss], by: weights, creatingGraph: true)
            let piece = Tensor.gradients(
                of: required(gradients, weights),
                by: [images],
                weights: slopes
            )
            return required(piece, [images])[0]
        }
        return (distance.item, .concatenated(pieces))
    }

    private func loss(
        _ classifier: any ImageClassifier,
        _ batch: Batch,
        _ options: Options
    ) -> Tensor {
        withAutocast(options.precision, on: batch.images.device) {
            classifier(classifier.inPreferredOrder(batch.images))
        }.converted(to: .float32).crossEntropy(to: batch.labels)
    }

    /// How many images are computed at once; 0 for all.
    private func size(_ options: Options, _ classifier: any ImageClassifier) -> Int {
        classifier.containsBatchNorm ? 0 : options.imagesAtOnce
    }

    /// Neighbouring images of a batch, and which share of all they are.
    private func parts(of batch: Batch, _ size: Int) -> [(batch: Batch, share: Double)] {
        let count = batch.images.size(along: 0)
        let size = size > 0 ? size : count
        return stride(from: 0, to: count, by: size).map { start in
            let range = start..<min(start + size, count)
            return (
                (batch.images[range], batch.labels[range]), Double(range.count) / Double(count)
            )
        }
    }

    private func leaf(_ x: Tensor) -> Tensor {
        let leaf = x.detached()
        leaf.requiresGradient = true
        return leaf
    }

    /// NB: a weight that the loss does not depend on has no gradient; it is zero.
    private func required(_ gradients: [Tensor?], _ inputs: [Tensor]) -> [Tensor] {
        zip(gradients, inputs).map { $0 ?? .zeros(like: $1) }
    }
}
