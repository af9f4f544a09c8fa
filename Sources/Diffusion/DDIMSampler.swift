import Torch

/// DDIM (Song et al., ICLR 2021, eq. 12), from the deterministic process (η = 0) to one with the
/// noise of ancestral sampling (η = 1):
///
/// ```
/// x_{t−1} = √ᾱ_{t−1}·x̂₀ + √(1 − ᾱ_{t−1} − σ²)·ε + [t > 0]·σ·z
/// σ = η·√((1 − ᾱ_{t−1})/(1 − ᾱ_t))·√(1 − ᾱ_t/ᾱ_{t−1})
/// ```
///
/// Matches `ddim_sample_loop` of facebookresearch/DiT. Yields x after the steps T−1, …, 0.
public struct DDIMSampler: Sampler {
    private let task: SamplingTask
    private let noise: NoiseSource
    private let x0Range: ClosedRange<Double>?
    private let steering: Steering?
    private let coefficients: [(x0: Double, epsilon: Double, noise: Double)]
    private let noiseScales: [Double]

    /// Describes a run.
    ///
    /// - Parameters:
    ///   - schedule: The noise levels, usually respaced.
    ///   - eta: η ≥ 0, the share of fresh noise.
    ///   - network: Predicts ε; the variance is not used.
    ///   - start: Standard normal noise, [B, C, H, W]; usually the first of `noise`.
    ///   - labels: The class of each image, int64 [B].
    ///   - noise: The noise of the steps; none is needed if η is 0.
    ///   - x0Range: Where x̂₀ is clipped to, for example −1...1 for pixels; nil for latents.
    ///   - steering: Moves ε by −√(1−ᾱ) times its result ("classifier guidance").
    public init(
        _ schedule: NoiseSchedule,
        eta: Double = 0,
        network: @escaping Denoiser,
        start: Tensor,
        labels: Tensor,
        noise: NoiseSource = NoiseSource([]),
        x0Range: ClosedRange<Double>? = nil,
        steering: Steering? = nil
    ) {
        task = SamplingTask(schedule, network: network, start: start, labels: labels)
        self.noise = noise
        self.x0Range = x0Range
        self.steering = steering
        noiseScales = schedule.noiseScales
        coefficients = zip(schedule.alphaBars, schedule.previousAlphaBars).map { now, next in
            let sigma = eta * ((1 - next) / (1 - now)).squareRoot() * (1 - now / next).squareRoot()
            // Rounding, or η > 1, must not lead to the root of a negative number.
            let rest = Swift.max(1 - next - sigma * sigma, 0)
            return (x0: next.squareRoot(), epsilon: rest.squareRoot(), noise: sigma)
        }
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
        let process = task.process
        var epsilon = task.epsilon(x, at: steps)
        var x0 = process.predictedX0(x, noise: epsilon, at: steps)
        if let x0Range {
            x0 = x0.clamped(to: x0Range)
            epsilon = process.predictedNoise(x, x0: x0, at: steps)
        }
        if let steering {
            let direction = steering(x, process.timesteps(at: steps), task.labels)
            epsilon = epsilon - direction * noiseScales[index]
            x0 = process.predictedX0(x, noise: epsilon, at: steps)
        }
        let factor = coefficients[index]
        var next = x0 * factor.x0 + epsilon * factor.epsilon
        if index > 0, factor.noise > 0 { next = next + noise.next(like: x) * factor.noise }
        return SamplingState(index: index, x: next, predictedX0: x0)
    }
}

/// The deterministic DDIM process run backwards, from images to the noise they come from.
///
/// ```
/// x_{t+1} = √ᾱ_{t+1}·x̂₀ + √(1 − ᾱ_{t+1})·ε
/// ```
///
/// Matches `ddim_reverse_sample` of facebookresearch/DiT. Yields x after the steps 0, …, T−1; the
/// last one is ε alone (ᾱ_T = 0).
public struct DDIMInversion: Sampler {
    private let task: SamplingTask

    /// Describes a run.
    ///
    /// - Parameters:
    ///   - schedule: The noise levels, usually respaced.
    ///   - network: Predicts ε; usually without guidance, which is hard to invert.
    ///   - start: Clean images or latents, [B, C, H, W].
    ///   - labels: The class of each image, int64 [B].
    public init(
        _ schedule: NoiseSchedule,
        network: @escaping Denoiser,
        start: Tensor,
        labels: Tensor
    ) {
        task = SamplingTask(schedule, network: network, start: start, labels: labels)
    }

    /// Number of states.
    public var stepCount: Int { task.schedule.stepCount }

    /// Starts a run.
    public func makeIterator() -> AnyIterator<SamplingState> {
        task.states(0..<stepCount) { step($0, at: $1) }
    }

    /// x_t → x_{t+1}.
    package func step(_ x: Tensor, at index: Int) -> SamplingState {
        let steps = task.steps(index)
        let epsilon = task.epsilon(x, at: steps)
        let x0 = task.process.predictedX0(x, noise: epsilon, at: steps)
        let alphaBar = task.schedule.nextAlphaBars[index]
        let next = x0 * alphaBar.squareRoot() + epsilon * (1 - alphaBar).squareRoot()
        return SamplingState(index: index, x: next, predictedX0: x0)
    }
}
