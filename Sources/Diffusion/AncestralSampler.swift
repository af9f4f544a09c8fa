import Torch

/// Ancestral sampling (DDPM; Ho et al., NeurIPS 2020), with the learned variance of Nichol &
/// Dhariwal (ICML 2021).
///
/// ```
/// x_{t−1} = μ(x_t, x̂₀) + [t > 0]·exp(½ log σ²)·z
/// ```
///
/// Matches `p_sample_loop` of facebookresearch/DiT; a network without variance is given β, as
/// there. Yields x after the steps T−1, …, 0.
public struct AncestralSampler: Sampler {
    private let task: SamplingTask
    private let noise: NoiseSource
    private let x0Range: ClosedRange<Double>?
    private let steering: Steering?

    /// Describes a run.
    ///
    /// - Parameters:
    ///   - schedule: The noise levels, usually respaced.
    ///   - network: Predicts ε and variance; see `ClassifierFreeGuidance` for a guided one.
    ///   - start: Standard normal noise, [B, C, H, W]; usually the first of `noise`.
    ///   - labels: The class of each image, int64 [B].
    ///   - noise: The noise of the steps.
    ///   - x0Range: Where x̂₀ is clipped to, for example −1...1 for pixels; nil for latents.
    ///   - steering: Moves the mean by σ² times its result ("classifier guidance").
    public init(
        _ schedule: NoiseSchedule,
        network: @escaping Denoiser,
        start: Tensor,
        labels: Tensor,
        noise: NoiseSource,
        x0Range: ClosedRange<Double>? = nil,
        steering: Steering? = nil
    ) {
        task = SamplingTask(schedule, network: network, start: start, labels: labels)
        self.noise = noise
        self.x0Range = x0Range
        self.steering = steering
    }

    /// Number of states.
    public var stepCount: Int { task.schedule.stepCount }

    /// Starts a run.
    public func makeIterator() -> AnyIterator<SamplingState> {
        var noise = noise
        return task.states((0..<stepCount).reversed()) { step($0, at: $1, noise: &noise) }
    }

    /// x_t → x_{t−1}.
    package func step(_ x: Tensor, at index: Int, noise: inout NoiseSource) -> SamplingState {
        let steps = task.steps(index)
        let prediction = task.process.reversePrediction(
            output: task.output(x, at: steps),
            xt: x,
            at: steps,
            x0Range: x0Range
        )
        var next = prediction.mean
        if let steering {
            let direction = steering(x, task.process.timesteps(at: steps), task.labels)
            next = next + prediction.logVariance.exp() * direction
        }
        if index > 0 { next = next + (prediction.logVariance * 0.5).exp() * noise.next(like: x) }
        return SamplingState(index: index, x: next, predictedX0: prediction.x0)
    }
}

/// p(x_{t−1} | x_t), a normal distribution, as a network predicts it.
package struct ReversePrediction {
    /// x̂₀, [B, C, H, W].
    package let x0: Tensor
    /// Its mean, [B, C, H, W].
    package let mean: Tensor
    /// The logarithm of its variance, [B, C, H, W], or [B, 1, 1, 1] if it is not learned.
    package let logVariance: Tensor
}

extension GaussianDiffusion {
    /// What a network's output says about the step before.
    ///
    /// - Parameters:
    ///   - output: ε and the variance's interpolation, [B, 2C, H, W], or ε alone.
    ///   - xt: [B, C, H, W].
    ///   - steps: [B].
    ///   - x0Range: Where x̂₀ is clipped to, if at all.
    /// - Returns: The distribution of x_{t−1}.
    package func reversePrediction(
        output: Tensor,
        xt: Tensor,
        at steps: Tensor,
        x0Range: ClosedRange<Double>? = nil
    ) -> ReversePrediction {
        let channels = xt.size(along: 1)
        let epsilon = output.sliced(0..<channels, along: 1)
        var x0 = predictedX0(xt, noise: epsilon, at: steps)
        if let x0Range { x0 = x0.clamped(to: x0Range) }
        let learnsVariance = output.size(along: 1) == 2 * channels
        return ReversePrediction(
            x0: x0,
            mean: posteriorMean(xt, x0: x0, at: steps),
            logVariance: learnsVariance
                ? logVariance(
                    interpolation: output.sliced(channels..<2 * channels, along: 1),
                    at: steps
                )
                : fixedLogVariance(at: steps)
        )
    }
}
