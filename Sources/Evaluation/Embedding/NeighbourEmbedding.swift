import Foundation
import Torch

/// Points in a plane that keep the neighbours they have among many numbers: t-SNE (van der Maaten
/// and Hinton, JMLR 2008), exact, without trees or sampling.
///
/// ```
/// p_j|i ∝ exp(−β_i ‖x_i − x_j‖²),  β_i by the perplexity;   P = (p_j|i + p_i|j) / 2N
/// q_ij  ∝ 1 / (1 + ‖y_i − y_j‖²);   minimise KL(P ‖ Q)
/// ```
///
/// Time and memory grow with N²: some thousand points. It begins with the principal components, so
/// nothing is drawn: the same points give the same plane.
public struct NeighbourEmbedding {
    /// Settings, with the usual values.
    public struct Parameters: Sendable, Equatable {
        /// The number of neighbours that count, roughly; at most a third of the points are.
        public var perplexity = 30.0
        /// Updates.
        public var steps = 750
        /// Updates during which neighbours attract each other more strongly, so that groups form.
        public var earlySteps = 250
        /// How much more.
        public var exaggeration = 12.0

        /// The usual values.
        public init() {}
    }

    /// The places: [N, 2], float64.
    public let places: Tensor
    /// KL(P ‖ Q) at the end, in nats.
    public let divergence: Double

    /// Embeds points.
    ///
    /// Traps for fewer than four points.
    ///
    /// - Parameters:
    ///   - points: [N, F].
    ///   - parameters: The settings.
    ///   - progress: Hears of every update; an error ends the work.
    /// - Throws: What `progress` throws.
    public init(
        of points: Tensor,
        parameters: Parameters = Parameters(),
        progress: (Int) throws -> Void = { _ in }
    ) rethrows {
        let count = points.size(along: 0)
        guard count > 3 else { trap("NeighbourEmbedding: \(count) points") }
        let p = NeighbourEmbedding.joint(
            points.converted(to: .float64, device: .cpu),
            perplexity: min(parameters.perplexity, Double(count - 1) / 3)
        )
        let components = PrincipalComponents(of: points, count: min(2, points.size(along: 1)))
        var y = components.projected(points)
        if y.size(along: 1) < 2 { y = .concatenated([y, .zeros(like: y)], along: 1) }
        // So small that attraction has the first word.
        y = y / max((components.variances.first ?? 0).squareRoot(), 1e-30) * 1e-4
        let rate = max(Double(count) / parameters.exaggeration / 4, 50)
        var velocity = Tensor.zeros(like: y)
        var gains = Tensor.ones(y.shape, dtype: .float64)
        for step in 0..<parameters.steps {
            let isEarly = step < parameters.earlySteps
            let gradient = NeighbourEmbedding.gradient(
                isEarly ? p * parameters.exaggeration : p,
                y
            )
            // Gains grow while a number keeps its direction (Jacobs, 1988).
            let turns = (gradient * velocity).compared(.less, to: 0)
            gains = Tensor.choose(turns, gains + 0.2, else: gains * 0.8)
                .clamped(to: 0.01...Double.infinity)
            velocity = velocity * (isEarly ? 0.5 : 0.8) - gains * gradient * rate
            y = y + velocity
            y = y - y.mean(along: 0, keepingAxis: true)
            try progress(step + 1)
        }
        let (kernel, total) = NeighbourEmbedding.kernel(y)
        let q = (kernel / total).clamped(to: 1e-12...1)
        divergence = (p * (p.log() - q.log())).sum().item
        places = y
    }

    /// ‖x_i − x_j‖²: [N, F] → [N, N].
    private static func squaredDistances(_ x: Tensor) -> Tensor {
        let squares = x.squared().sum(along: 1, keepingAxis: true)
        let products = x.matmul(x.transposed(0, 1)) * 2
        return (squares + squares.transposed(0, 1) - products).clamped(to: 0...Double.infinity)
    }

    /// P, symmetric, sum 1.
    private static func joint(_ x: Tensor, perplexity: Double) -> Tensor {
        let count = x.size(along: 0)
        let itself = Tensor.range(to: Double(count), dtype: .int64).oneHot(classCount: count)
            .converted(to: .float64)
        var d = squaredDistances(x)
        // In units of the mean, so that the first guess of β is near.
        d = d / max(d.mean().item, 1e-30)
        let target = log(perplexity)
        var low = Tensor.zeros([count, 1], dtype: .float64)
        var high = Tensor.full([count, 1], 1e12, dtype: .float64)
        var beta = Tensor.ones([count, 1], dtype: .float64)
        var p = Tensor.zeros([count, count], dtype: .float64)
        for _ in 0..<60 {
            p = (d * beta * -1 - itself * 1e30).softmax(along: 1)
            let entropy =
                (p * p.clamped(to: 1e-300...1).log()).sum(along: 1, keepingAxis: true) * -1
            // Too even: β must grow.
            let mustGrow = entropy.compared(.greater, to: target)
            low = Tensor.choose(mustGrow, beta, else: low)
            high = Tensor.choose(mustGrow, high, else: beta)
            // By factors while no upper end is known, then by halves.
            let isOpen = high.compared(.greater, to: 1e11)
            beta = Tensor.choose(isOpen, beta * 2, else: (low + high) / 2)
        }
        p = (p + p.transposed(0, 1)) / Double(2 * count)
        return p.clamped(to: 1e-12...1)
    }

    /// 1 / (1 + ‖y_i − y_j‖²) without the points themselves, and its sum.
    private static func kernel(_ y: Tensor) -> (kernel: Tensor, total: Double) {
        let count = y.size(along: 0)
        let others =
            1
            - Tensor.range(to: Double(count), dtype: .int64).oneHot(classCount: count).converted(
                to: .float64
            )
        let kernel = (squaredDistances(y) + 1).reciprocal() * others
        return (kernel, max(kernel.sum().item, 1e-300))
    }

    /// 4 Σ_j (p_ij − q_ij) (y_i − y_j) / (1 + ‖y_i − y_j‖²).
    private static func gradient(_ p: Tensor, _ y: Tensor) -> Tensor {
        let (kernel, total) = kernel(y)
        let forces = (p - kernel / total) * kernel
        return (forces.sum(along: 1, keepingAxis: true) * y - forces.matmul(y)) * 4
    }
}
