import Foundation
import Torch

/// DPM-Solver++ (2M) for sampling in few steps (Lu et al., 2022, arXiv:2211.01095, algorithm 2).
///
/// With λ = ln(√ᾱ/√(1−ᾱ)), h the rise of λ in this step and h₀ that in the step before:
///
/// ```
/// D = x̂₀ + h/(2h₀)·(x̂₀ − x̂₀ of the step before)
/// x ← σ_next/σ·x − α_next·(e^{−h} − 1)·D
/// ```
///
/// The first step has no predecessor, and the last one leads to x̂₀ itself. Matches diffusers'
/// `DPMSolverMultistepScheduler` (dpmsolver++, order 2, midpoint, lower order at the end) for a
/// schedule respaced by `Respacing.solver`. Yields x after the steps T−1, …, 0.
public struct DPMSolverPlusPlus: Sampler {
    private let task: SamplingTask
    private let x0Range: ClosedRange<Double>?
    private let coefficients: [(x: Double, x0: Double, slope: Double)]

    /// Describes a run.
    ///
    /// - Parameters:
    ///   - schedule: The noise levels, best respaced by `Respacing.solver`.
    ///   - network: Predicts ε; the variance is not used.
    ///   - start: Standard normal noise, [B, C, H, W].
    ///   - labels: The class of each image, int64 [B].
    ///   - x0Range: Where x̂₀ is clipped to, for example −1...1 for pixels; nil for latents.
    public init(
        _ schedule: NoiseSchedule,
        network: @escaping Denoiser,
        start: Tensor,
        labels: Tensor,
        x0Range: ClosedRange<Double>? = nil
    ) {
        task = SamplingTask(schedule, network: network, start: start, labels: labels)
        self.x0Range = x0Range
        let (alphas, sigmas) = (schedule.signalScales, schedule.noiseScales)
        let lambdas = zip(alphas, sigmas).map { log($0 / $1) }
        let last = schedule.stepCount - 1
        coefficients = alphas.indices.map { index in
            guard index > 0 else { return (x: 0, x0: 1, slope: 0) }
            let rise = lambdas[index - 1] - lambdas[index]
            let slope = index < last ? rise / (2 * (lambdas[index] - lambdas[index + 1])) : 0
            return (
                x: sigmas[index - 1] / sigmas[index],
                x0: -alphas[index - 1] * expm1(-rise),
                slope: slope
            )
        }
    }

    /// Number of states.
    public var stepCount: Int { task.schedule.stepCount }

    /// Starts a run.
    public func makeIterator() -> AnyIterator<SamplingState> {
        var previousX0: Tensor? = nil
        return task.states((0..<stepCount).reversed()) { x, index in
            let state = step(x, at: index, previousX0: previousX0)
            previousX0 = state.predictedX0
            return state
        }
    }

    private func step(_ x: Tensor, at index: Int, previousX0: Tensor?) -> SamplingState {
        let steps = task.steps(index)
        let epsilon = task.epsilon(x, at: steps)
        var x0 = task.process.predictedX0(x, noise: epsilon, at: steps)
        if let x0Range { x0 = x0.clamped(to: x0Range) }
        let factor = coefficients[index]
        var target = x0
        if let previousX0, factor.slope > 0 {
            target = target + (x0 - previousX0) * factor.slope
        }
        let next = x * factor.x + target * factor.x0
        return SamplingState(index: index, x: next, predictedX0: x0)
    }
}
