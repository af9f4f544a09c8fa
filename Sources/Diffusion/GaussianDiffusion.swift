import Foundation
import NeuralNetworks
import Torch

/// The arithmetic of a diffusion process on batches: noising, predictions, posteriors.
///
/// Follows `GaussianDiffusion` of facebookresearch/DiT (ε-prediction, learned-range variance).
/// Tables are Float64 and rounded to float32 once, when they meet a tensor.
///
/// Shape letters: B images, C channels, H×W pixels; step indices are int64 [B].
public struct GaussianDiffusion {
    /// The noise levels.
    public let schedule: NoiseSchedule
    private let tables: [Table: Tensor]
    private let timestepMap: Tensor

    private enum Table: CaseIterable {
        case signalScale, noiseScale, reciprocalSignalScale, noiseToSignalRatio, logBeta
        case logPosteriorVariance, logFixedVariance, meanX0Factor, meanXtFactor
    }

    /// Prepares the tables of a process.
    ///
    /// - Parameters:
    ///   - schedule: The noise levels, respaced or not.
    ///   - device: Where the batches live.
    public init(_ schedule: NoiseSchedule = NoiseSchedule(), device: Device = .cpu) {
        self.schedule = schedule
        timestepMap = Tensor(schedule.timestepMap).moved(to: device)
        let values: [Table: [Double]] = [
            .signalScale: schedule.signalScales,
            .noiseScale: schedule.noiseScales,
            .reciprocalSignalScale: schedule.reciprocalSignalScales,
            .noiseToSignalRatio: schedule.noiseToSignalRatios,
            .logBeta: schedule.betas.map { log($0) },
            // A process of one step has no β̃ to take the logarithm of; it adds no noise either.
            .logPosteriorVariance: schedule.stepCount > 1
                ? schedule.clippedLogPosteriorVariances : schedule.betas.map { log($0) },
            .logFixedVariance: schedule.fixedLogVariances,
            .meanX0Factor: schedule.posteriorMeanX0Factors,
            .meanXtFactor: schedule.posteriorMeanXtFactors,
        ]
        tables = values.mapValues { Tensor($0.map { Float($0) }).moved(to: device) }
    }

    /// The entries of a table for a batch: [B] → [B, 1, 1, 1].
    private func entries(_ table: Table, at steps: Tensor) -> Tensor {
        guard let values = tables[table] else { trap("GaussianDiffusion: no table") }
        return values.gathered(steps).reshaped(-1, 1, 1, 1)
    }

    /// The timestep that the network is told at each step: [B] → [B].
    public func timesteps(at steps: Tensor) -> Tensor { timestepMap.gathered(steps) }

    /// x_t = √ᾱ·x₀ + √(1−ᾱ)·ε, a draw of q(x_t | x₀).
    public func noised(_ x0: Tensor, noise: Tensor, at steps: Tensor) -> Tensor {
        entries(.signalScale, at: steps) * x0 + entries(.noiseScale, at: steps) * noise
    }

    /// x̂₀ = √(1/ᾱ)·x_t − √(1/ᾱ−1)·ε, neither a mean nor clipped.
    public func predictedX0(_ xt: Tensor, noise: Tensor, at steps: Tensor) -> Tensor {
        entries(.reciprocalSignalScale, at: steps) * xt
            - entries(.noiseToSignalRatio, at: steps) * noise
    }

    /// The ε that leads from x̂₀ to x_t, the inverse of `predictedX0`.
    public func predictedNoise(_ xt: Tensor, x0: Tensor, at steps: Tensor) -> Tensor {
        (entries(.reciprocalSignalScale, at: steps) * xt - x0)
            / entries(.noiseToSignalRatio, at: steps)
    }

    /// The mean of q(x_{t−1} | x_t, x₀).
    public func posteriorMean(_ xt: Tensor, x0: Tensor, at steps: Tensor) -> Tensor {
        entries(.meanX0Factor, at: steps) * x0 + entries(.meanXtFactor, at: steps) * xt
    }

    /// The logarithm of the variance of q(x_{t−1} | x_t, x₀): [B, 1, 1, 1].
    func logPosteriorVariance(at steps: Tensor) -> Tensor {
        entries(.logPosteriorVariance, at: steps)
    }

    /// The logarithm of the learned variance: v = −1 means β̃ and v = 1 means β.
    ///
    /// - Parameters:
    ///   - interpolation: v, the second half of a network's output, [B, C, H, W].
    ///   - steps: [B].
    /// - Returns: [B, C, H, W].
    public func logVariance(interpolation: Tensor, at steps: Tensor) -> Tensor {
        let fraction = (interpolation + 1) / 2
        return fraction * entries(.logBeta, at: steps)
            + (1 - fraction) * entries(.logPosteriorVariance, at: steps)
    }
    /// The logarithm of the variance for a network that does not learn it: [B, 1, 1, 1].
    func fixedLogVariance(at steps: Tensor) -> Tensor { entries(.logFixedVariance, at: steps) }
}
