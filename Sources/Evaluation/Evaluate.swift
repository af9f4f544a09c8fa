import Foundation
import Models
import NeuralNetworks
import Torch
import Training

/// Measures how good a training set is: networks are trained on it from scratch, one for each
/// seed, and tested on other images.
///
/// With a checkpoint an interrupted measurement is resumed: finished seeds are kept, and the result
/// is that of a measurement without interruption, bit for bit on the same device with the same
/// number of threads. A stop by `progress` loses nothing. A process that is killed loses one step,
/// or the work of a second (twenty times the time of saving, if that is longer).
///
/// - Parameters:
///   - train: What the networks are trained on.
///   - test: What they are tested on; its classes are matched with those of `train` by name.
///   - options: What is measured, and how.
///   - device: Where the networks are computed.
///   - teacher: What labels the images, for protocols with soft labels.
///   - softLabels: The folder in which its scores are kept, for protocols that store them; nil: they
///     are computed for every seed.
///   - network: The file in which the trained network of the first seed is kept; nil: none is.
///   - checkpoint: The file in which an unfinished measurement is kept; its folder must exist.
///     It is left there when the measurement is done.
///   - progress: Hears of every event and decides whether to go on.
/// - Returns: The result.
/// - Throws: `TrainingError` or `NetworkError` if sets, network and options do not fit each other,
///   `CheckpointError` if the checkpoint cannot be read or written, `EvaluationInterruption` if
///   `progress` stops the measurement.
public func evaluate(
    train: EvaluationSet,
    test: EvaluationSet,
    options: EvaluationOptions,
    on device: Device = .cpu,
    teacher: Teacher? = nil,
    softLabels: URL? = nil,
    savingNetworkTo network: URL? = nil,
    checkpoint: URL? = nil,
    progress: (EvaluationEvent) throws -> ProgressDisposition = { _ in .continue }
) throws -> EvaluationResult {
    let plan = try EvaluationPlan(
        train: train,
        test: test,
        options: options,
        device: device,
        teacher: teacher,
        softLabels: softLabels,
        network: network
    )
    var run = try EvaluationRun(plan, checkpoint: checkpoint, progress: progress)
    for position in options.seeds.indices.dropFirst(run.record.finished.count) {
        try run.train(position, progress: progress)
    }
    return run.result
}

/// Makes sure that sets, network, teacher and options fit each other, without training anything.
///
/// - Throws: What `evaluate` would throw before its first step.
package func requireEvaluable(
    train: EvaluationSet,
    test: EvaluationSet,
    options: EvaluationOptions,
    on device: Device,
    teacher: Teacher?
) throws {
    _ = try EvaluationPlan(
        train: train,
        test: test,
        options: options,
        device: device,
        teacher: teacher
    )
}
