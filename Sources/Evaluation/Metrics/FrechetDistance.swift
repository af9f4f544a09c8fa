import Torch
import Training

/// How far two sets of features are from each other, each taken as a normal distribution (Heusel
/// et al., NeurIPS 2017; with features of InceptionV3 it is the FID).
///
/// ```
/// d = |μ₁ − μ₂|² + tr Σ₁ + tr Σ₂ − 2·tr (Σ₁Σ₂)^½
/// ```
///
/// In float64, covariances divided by n − 1. Sets with fewer images than features, whose
/// covariances are singular, are no special case.
///
/// NB: it depends on the number of images: few images seem farther away than they are. Compare
/// only distances of sets with equally many images, by the same features.
public struct FrechetDistance: Sendable, Equatable {
    /// |μ₁ − μ₂|².
    public let meanTerm: Double
    /// tr Σ₁ + tr Σ₂.
    public let traceOfCovariances: Double
    /// tr (Σ₁Σ₂)^½.
    public let traceOfRoot: Double

    /// d, at least 0.
    public var value: Double { max(0, meanTerm + traceOfCovariances - 2 * traceOfRoot) }

    /// Measures the distance between two sets.
    ///
    /// - Parameters:
    ///   - first: [N, F], at least two rows.
    ///   - second: [M, F], at least two rows.
    /// - Throws: `TrainingError` for sets of one image.
    public init(_ first: Tensor, _ second: Tensor) throws(TrainingError) {
        let sizes = (first.size(along: 0), second.size(along: 0))
        guard min(sizes.0, sizes.1) >= 2 else {
            throw TrainingError(
                .malformedSet,
                "The Fréchet distance needs at least two images on either side; there are "
                    + "\(sizes.0) and \(sizes.1)."
            )
        }
        let means = (Moments.mean(of: first), Moments.mean(of: second))
        meanTerm = (means.0 - means.1).squared().sum().item

        // Σ = RᵀR for one set. The trace is the sum of the roots of the eigenvalues of Σ₁Σ₂,
        // which are those of RΣ₂Rᵀ and some zeros; so one symmetric problem is enough, of the
        // size min(n, m, F).
        let isSecondSmaller = sizes.1 < sizes.0
        let (small, large) = isSecondSmaller ? (second, first) : (first, second)
        let (smallMean, largeMean) = isSecondSmaller ? (means.1, means.0) : means
        let smallCount = small.size(along: 0)
        let product: Tensor
        if smallCount < small.size(along: 1) {
            let root =
                (small.converted(to: .float64) - smallMean)
                / Double(smallCount - 1).squareRoot()
            product = Moments.rootProduct(root, large, mean: largeMean)
            traceOfCovariances =
                root.squared().sum().item + Moments.totalVariance(of: large, mean: largeMean)
        } else {
            let covariances = (
                Moments.covariance(of: small, mean: smallMean),
                Moments.covariance(of: large, mean: largeMean)
            )
            let (values, vectors) = covariances.0.symmetricEigendecomposition()
            let root = (vectors * values.clamped(to: 0...Double.infinity).sqrt()).transposed(0, 1)
            product = root.matmul(covariances.1).matmul(root.transposed(0, 1))
            traceOfCovariances = Moments.trace(covariances.0) + Moments.trace(covariances.1)
        }
        // Rounding makes some of the zeros negative.
        traceOfRoot =
            product.symmetricEigenvalues().clamped(to: 0...Double.infinity).sqrt().sum().item
    }
}

/// Mean and covariance of features in float64, a block of rows at a time.
package enum Moments {
    /// Rows that are converted at a time.
    private static let blockSize = 4096

    private static func blocks(of x: Tensor) -> [Range<Int>] {
        stride(from: 0, to: x.size(along: 0), by: blockSize).map {
            $0..<min($0 + blockSize, x.size(along: 0))
        }
    }

    /// The mean of the rows: [N, F] → [F].
    static func mean(of x: Tensor) -> Tensor {
        let sum = Tensor.zeros([x.size(along: 1)], dtype: .float64)
        for block in blocks(of: x) { sum.add(x[block].converted(to: .float64).sum(along: 0)) }
        return sum / Double(x.size(along: 0))
    }

    /// The covariance of the columns, divided by N − 1: [N, F] → [F, F].
    package static func covariance(of x: Tensor, mean: Tensor) -> Tensor {
        let width = x.size(along: 1)
        let sum = Tensor.zeros([width, width], dtype: .float64)
        for block in blocks(of: x) {
            let centred = x[block].converted(to: .float64) - mean
            sum.add(centred.transposed(0, 1).matmul(centred))
        }
        return sum / Double(x.size(along: 0) - 1)
    }

    /// The sum of the variances, divided by N − 1.
    static func totalVariance(of x: Tensor, mean: Tensor) -> Double {
        let sum = blocks(of: x).reduce(0) {
            $0 + (x[$1].converted(to: .float64) - mean).squared().sum().item
        }
        return sum / Double(x.size(along: 0) - 1)
    }

    /// RΣRᵀ with the covariance Σ of x, without making Σ: [R, F] and [N, F] → [R, R].
    static func rootProduct(_ root: Tensor, _ x: Tensor, mean: Tensor) -> Tensor {
        let rows = root.size(along: 0)
        let sum = Tensor.zeros([rows, rows], dtype: .float64)
        for block in blocks(of: x) {
            let part = root.matmul((x[block].converted(to: .float64) - mean).transposed(0, 1))
            sum.add(part.matmul(part.transposed(0, 1)))
        }
        return sum / Double(x.size(along: 0) - 1)
    }

    /// The sum of the diagonal.
    static func trace(_ x: Tensor) -> Double {
        let size = x.size(along: 0)
        return x.reshaped(size * size).sliced(0..<size * size, by: size + 1).sum().item
    }
}
