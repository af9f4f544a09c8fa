import Torch

/// A network: x [B, C, H, W], timesteps [B] and labels [B] to ε and, if it predicts the variance
/// too, the interpolation after it: [B, C or 2C, H, W].
///
/// The timesteps are those of the unspaced process, int64. Precision is the closure's business:
/// it wraps the model in `withAutocast` where that is wanted.
public typealias Denoiser = (_ x: Tensor, _ timesteps: Tensor, _ labels: Tensor) -> Tensor

/// A direction to steer sampling in: the gradient by x of a log-probability, at x_t, timesteps
/// and labels: [B, C, H, W].
///
/// Samplers call it without recording gradients; it wraps what it differentiates in
/// `withGradient`.
public typealias Steering = (_ x: Tensor, _ timesteps: Tensor, _ labels: Tensor) -> Tensor

/// What a sampler has reached after a step.
public struct SamplingState {
    /// The step of the schedule that was taken, counted as the schedule counts.
    public let index: Int
    /// The batch after the step, [B, C, H, W].
    public let x: Tensor
    /// What the step expected the clean batch to be, for previews.
    public let predictedX0: Tensor
}

/// The states on the way from noise to images, or back, one a step.
///
/// A sampler is a value: iterating it again takes the same steps with the same noise. The caller
/// of the iterator decides about progress, stopping, memory and decoding.
public protocol Sampler: Sequence where Element == SamplingState {
    /// Number of states.
    var stepCount: Int { get }
}

extension Sampler {
    /// Number of states.
    public var underestimatedCount: Int { stepCount }

    /// Takes every step.
    ///
    /// - Returns: The last batch, [B, C, H, W].
    public func result() -> Tensor { result {} }

    /// Takes every step, unless something stops it.
    ///
    /// - Parameter check: Called after each step; what it throws ends the sampling.
    /// - Returns: The last batch, [B, C, H, W].
    public func result(_ check: () throws -> Void) rethrows -> Tensor {
        var x: Tensor? = nil
        for state in self {
            x = state.x
            try check()
        }
        guard let x else { trap("\(Self.self): a schedule without steps") }
        return x
    }
}

/// What every sampler is given, and the call of the network in each of its steps.
struct SamplingTask {
    let process: GaussianDiffusion
    let network: Denoiser
    let start: Tensor
    let labels: Tensor

    var schedule: NoiseSchedule { process.schedule }

    init(
        _ schedule: NoiseSchedule,
        network: @escaping Denoiser,
        start: Tensor,
        labels: Tensor
    ) {
        guard start.rank == 4, labels.shape == [start.size(along: 0)] else {
            trap(
                "Sampler: expected a start [B, C, H, W] and labels [B], found \(start.shape) and "
                    + "\(labels.shape)"
            )
        }
        process = GaussianDiffusion(schedule, device: start.device)
        self.network = network
        self.start = start
        self.labels = labels
    }

    /// One step index for every image: [B].
    func steps(_ index: Int) -> Tensor {
        .full([start.size(along: 0)], Double(index), dtype: .int64, device: start.device)
    }

    /// The network's output in float32.
    func output(_ x: Tensor, at steps: Tensor) -> Tensor {
        let output = network(x, process.timesteps(at: steps), labels).converted(to: .float32)
        let (found, given) = (output.shape, x.shape)
        let channels = given[1]
        guard found.count == 4, found[0] == given[0], [channels, 2 * channels].contains(found[1])
        else { trap("Sampler: for x of shape \(given) the network returned \(found)") }
        return output
    }

    /// The network's ε alone.
    func epsilon(_ x: Tensor, at steps: Tensor) -> Tensor {
        output(x, at: steps).sliced(0..<x.size(along: 1), along: 1)
    }

    /// An iterator over the states that `step` leads to, without recording gradients.
    func states(
        _ indices: some Sequence<Int>,
        step: @escaping (_ x: Tensor, _ index: Int) -> SamplingState
    ) -> AnyIterator<SamplingState> {
        var indices = indices.makeIterator()
        var x = start
        return AnyIterator {
            guard let index = indices.next() else { return nil }
            let state = withoutGradient { step(x, index) }
            x = state.x
            return state
        }
    }
}
