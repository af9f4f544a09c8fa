import Foundation
import Torch

/// How the squared error counts at each timestep.
public enum LossWeighting: Sendable, Equatable, Codable {
    /// The same everywhere, as published for DiT.
    case uniform
    /// min(SNR, γ)/SNR (Hang et al., ICCV 2023, eq. 9 for ε-prediction).
    case minSNR(gamma: Double)

    /// The weight of each step of a process.
    func weights(_ schedule: NoiseSchedule) -> [Double] {
        schedule.alphaBars.map { alphaBar in
            guard case .minSNR(let gamma) = self else { return 1 }
            let ratio = alphaBar / (1 - alphaBar)
            return min(ratio, gamma) / ratio
        }
    }
}

/// The training loss of DiT, image by image: squared error of ε, plus the variational bound for
/// the learned variance.
public struct DiffusionLoss {
    /// Mean over channels and pixels of (noise − ε)²: [B].
    public let squaredError: Tensor
    /// The variational bound in bits a dimension, with ε detached: [B]; nil without variance.
    public let variationalBound: Tensor?
    /// x̂₀ from a single step, [B, C, H, W], with its gradient.
    public let predictedX0: Tensor

    /// The sum of both terms, [B].
    public var total: Tensor { variationalBound.map { squaredError + $0 } ?? squaredError }
}

extension GaussianDiffusion {
    /// The terms of the training loss for a network's output.
    ///
    /// - Parameters:
    ///   - output: ε and the variance's interpolation, [B, 2C, H, W], or ε alone.
    ///   - x0: The clean batch, [B, C, H, W].
    ///   - xt: The noised batch.
    ///   - noise: The noise in it.
    ///   - steps: [B].
    /// - Returns: The terms, image by image; `squaredError` unweighted.
    public func loss(
        output: Tensor,
        x0: Tensor,
        xt: Tensor,
        noise: Tensor,
        at steps: Tensor
    ) -> DiffusionLoss {
        let channels = x0.size(along: 1)
        let output = output.converted(to: .float32)
        let learnsVariance = output.size(along: 1) == 2 * channels
        let epsilon = learnsVariance ? output.sliced(0..<channels, along: 1) : output
        var bound: Tensor? = nil
        if learnsVariance {
            // ε only learns from the squared error, the variance only from the bound.
            let interpolation = output.sliced(channels..<2 * channels, along: 1)
            bound = variationalBound(
                epsilon: epsilon.detached(),
                interpolation: interpolation,
                x0: x0,
                xt: xt,
                at: steps
            )
        }
        return DiffusionLoss(
            squaredError: (noise - epsilon).squared().mean(axes: [1, 2, 3]),
            variationalBound: bound,
            predictedX0: predictedX0(xt, noise: epsilon, at: steps)
        )
    }

    /// KL(q(x_{t−1} | x_t, x₀) ‖ p) in bits a dimension; at t = 0 the negative log-likelihood of
    /// the 8-bit value: [B].
    func variationalBound(
        epsilon: Tensor,
        interpolation: Tensor,
        x0: Tensor,
        xt: Tensor,
        at steps: Tensor
    ) -> Tensor {
        let prediction = predictedX0(xt, noise: epsilon, at: steps)
        let mean = posteriorMean(xt, x0: prediction, at: steps)
        let logVariance = logVariance(interpolation: interpolation, at: steps)
        let divergence = normalDivergence(
            posteriorMean(xt, x0: x0, at: steps),
            logPosteriorVariance(at: steps),
            mean,
            logVariance
        )
        let likelihood = discretizedLogLikelihood(x0, mean: mean, logScale: logVariance * 0.5)
        let bits = 1 / log(2.0)
        return .choose(
            steps.compared(.equal, to: 0),
            likelihood.mean(axes: [1, 2, 3]) * -bits,
            else: divergence.mean(axes: [1, 2, 3]) * bits
        )
    }

    /// KL between normal distributions given by means and logarithms of variances.
    private func normalDivergence(
        _ mean1: Tensor,
        _ logVariance1: Tensor,
        _ mean2: Tensor,
        _ logVariance2: Tensor
    ) -> Tensor {
        // NB: close numbers are subtracted: this is the reference's order, to round as it does.
        var sum = logVariance2 - 1 - logVariance1
        sum = sum + (logVariance1 - logVariance2).exp()
        sum = sum + (mean1 - mean2).squared() * (-logVariance2).exp()
        return sum * 0.5
    }

    /// The logarithm of the probability that a normal distribution gives to the bin of ±1/255
    /// around each value; the bins at −1 and 1 are open.
    private func discretizedLogLikelihood(
        _ x: Tensor,
        mean: Tensor,
        logScale: Tensor
    ) -> Tensor {
        let centered = x - mean
        let inverseScale = (-logScale).exp()
        let upper = approximateNormalCDF(inverseScale * (centered + 1 / 255))
        let lower = approximateNormalCDF(inverseScale * (centered - 1 / 255))
        let limit = 1e-12...Double.infinity
        let middle = (upper - lower).clamped(to: limit).log()
        let last = (1 - lower).clamped(to: limit).log()
        let first = upper.clamped(to: limit).log()
        let inner = Tensor.choose(x.compared(.greater, to: 0.999), last, else: middle)
        return .choose(x.compared(.less, to: -0.999), first, else: inner)
    }

    /// ½(1 + tanh(√(2/π)(x + 0.044715x³))).
    private func approximateNormalCDF(_ x: Tensor) -> Tensor {
        ((x + x.power(3) * 0.044715) * (2 / Double.pi).squareRoot()).tanh() * 0.5 + 0.5
    }

    /// The weights of the squared error for a batch: [B].
    public func weights(_ weighting: LossWeighting, at steps: Tensor) -> Tensor {
        Tensor(weighting.weights(schedule).map { Float($0) }).moved(to: steps.device)
            .gathered(steps)
    }
}
