import Torch

/// Classifier-free guidance (Ho & Salimans, 2022): the step from "no class" to a class, longer.
///
/// ```
/// ε = ε_none + scale·(ε_class − ε_none)
/// ```
///
/// Both predictions are made in one batch of twice the size.
public struct ClassifierFreeGuidance: Sendable, Equatable, Codable {
    /// Which channels of ε are guided; those of the variance never are.
    public enum Channels: String, Sendable, Codable {
        /// The first three, the others as predicted for the class: the rule of the published DiT,
        /// kept there for its numbers.
        case firstThree
        /// All of them.
        case all
    }

    /// How far to go: 1 is the prediction for the class itself.
    public var scale: Double
    /// The label that means "no class".
    public var nullLabel: Int
    /// Which channels are guided; nil for the first three of four-channel latents, which
    /// reproduces the published models, and all of any other number.
    public var channels: Channels?

    /// Describes a guidance.
    public init(scale: Double, nullLabel: Int, channels: Channels? = nil) {
        self.scale = scale
        self.nullLabel = nullLabel
        self.channels = channels
    }

    /// How many of so many channels of ε are guided: the first ones.
    public func guidedChannelCount(of channelCount: Int) -> Int {
        switch channels ?? (channelCount == 4 ? .firstThree : .all) {
        case .firstThree: min(3, channelCount)
        case .all: channelCount
        }
    }

    /// The network with guidance, for any sampler.
    ///
    /// - Parameter network: A network that knows `nullLabel`.
    /// - Returns: A network for batches of B images that calls `network` with 2B; at scale 1 it is
    ///   `network` itself.
    public func guiding(_ network: @escaping Denoiser) -> Denoiser {
        guard scale != 1 else { return network }
        return { x, timesteps, labels in
            let none = Tensor.full(labels.shape, Double(nullLabel), dtype: .int64, device: x.device)
            let output = network(
                .concatenated([x, x]),
                .concatenated([timesteps, timesteps]),
                .concatenated([labels, none])
            )
            return guided(output.converted(to: .float32), channelCount: x.size(along: 1))
        }
    }

    /// Predictions for the class and below them those for none, [2B, …], to guided ones, [B, …].
    private func guided(_ output: Tensor, channelCount: Int) -> Tensor {
        let halves = output.chunked(2, along: 0)
        let count = guidedChannelCount(of: channelCount)
        let forClass = halves[0].sliced(0..<count, along: 1)
        let forNone = halves[1].sliced(0..<count, along: 1)
        let rest = halves[0].sliced(count..<output.size(along: 1), along: 1)
        return .concatenated([forNone + (forClass - forNone) * scale, rest], along: 1)
    }
}
