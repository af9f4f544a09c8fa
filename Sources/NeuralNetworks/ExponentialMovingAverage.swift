import Foundation
import Torch

/// The running average of a model's weights that sampling uses:  e ← d·e + (1−d)·p.
///
/// Only what is trained changes, so only that is kept; every other weight is the model's own.
public final class ExponentialMovingAverage {
    /// d, the share of the old average that stays in one step.
    public let decay: Double
    private let parameters: [(name: String, tensor: Tensor)]
    private let averages: [Tensor]

    /// Starts the average at the present values.
    ///
    /// - Parameters:
    ///   - parameters: The trained parameters, by name.
    ///   - decay: d, in [0, 1].
    public init(of parameters: [(name: String, tensor: Tensor)], decay: Double) {
        self.parameters = parameters
        self.decay = decay
        averages = withoutGradient { parameters.map { $0.tensor.detached().copied() } }
    }

    /// Takes the present values into the average.
    ///
    /// - Parameter decay: Another d for this step, for averages that are still young.
    public func update(decay: Double? = nil) {
        let decay = decay ?? self.decay
        withoutGradient {
            TensorLists.interpolate(averages, to: parameters.map(\.tensor), weight: 1 - decay)
        }
    }

    /// The averages, by name.
    public func state() -> StateDictionary {
        StateDictionary(zip(parameters, averages).map { ($0.name, $1) })
    }

    /// Restores what `state()` returned.
    ///
    /// - Parameter state: The averages, by name.
    /// - Throws: `StateMismatchError` for missing names and other shapes; then nothing is changed.
    public func load(_ state: StateDictionary) throws(StateMismatchError) {
        try OptimizerSlots(parameters: parameters).load(
            state.addingPrefix("ema."),
            into: [("ema", averages)],
            subject: "the average of the trained weights"
        )
    }

    /// Puts the averages in the model's place for the length of `body`.
    public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
        let tensors = parameters.map(\.tensor)
        let trained = withoutGradient { tensors.map { $0.detached().copied() } }
        withoutGradient { TensorLists.copy(tensors, from: averages) }
        defer { withoutGradient { TensorLists.copy(tensors, from: trained) } }
        return try body()
    }

    /// The share of the first weights that is left in the average after so many steps.
    public static func remainingShare(decay: Double, steps: Int) -> Double {
        pow(decay, Double(steps))
    }
}
