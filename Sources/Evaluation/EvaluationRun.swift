import Foundation
import NeuralNetworks
import Torch
import Training

/// A measurement in progress.
struct EvaluationRun {
    private let plan: EvaluationPlan
    private let checkpoint: URL?
    private(set) var record: EvaluationCheckpoint.Record
    /// Weights and momentum of an interrupted seed.
    private var pending: StateDictionary?

    /// Begins, or goes on where the checkpoint ends.
    init(
        _ plan: EvaluationPlan,
        checkpoint: URL?,
        progress: (EvaluationEvent) throws -> ProgressDisposition
    ) throws {
        self.plan = plan
        self.checkpoint = checkpoint
        record = EvaluationCheckpoint.Record(identity: plan.identity)
        Memory.resetPeak(on: plan.device)
        guard let checkpoint, FileManager.default.fileExists(atPath: checkpoint.path) else {
            return
        }
        let saved = try EvaluationCheckpoint.load(checkpoint)
        let differences = saved.record.identity.differences(from: plan.identity)
        guard differences.isEmpty else {
            let reason =
                "\(checkpoint.path) is of another evaluation: \(differences.joined(separator: ", "))"
                + " differ\(differences.count == 1 ? "s" : "")."
            _ = try progress(.ignoredCheckpoint(reason))
            return
        }
        record = saved.record
        pending = record.current == nil ? nil : saved.tensors
        let stepsPerEpoch = plan.trainingOptions(seed: 0)
            .stepsPerEpoch(imageCount: plan.train.count)
        _ = try progress(
            .resumed(
                finishedSeeds: record.finished.count,
                epoch: (record.current?.step ?? 0) / stepsPerEpoch
            )
        )
    }

    /// Trains and tests the network of one seed.
    mutating func train(
        _ position: Int,
        progress: (EvaluationEvent) throws -> ProgressDisposition
    ) throws {
        let seed = plan.options.seeds[position]
        let options = plan.trainingOptions(seed: seed)
        let state = TrainingState(training: try plan.makeClassifier(seed: seed), options: options)
        if let pending, let current = record.current {
            try state.restore(pending, record: current)
        }
        pending = nil

        let clock = ContinuousClock()
        var sinceSaving = clock.now
        // Saving takes at most a twentieth of the time.
        var interval = Duration.seconds(1)
        var isStopped = false
        let count = plan.options.seeds.count
        let isDone = try SupervisedTraining.train(
            state,
            on: plan.train,
            testing: plan.test,
            normalizedBy: plan.statistics,
            options: options
        ) { event in
            if checkpoint != nil, clock.now - sinceSaving > interval {
                note(clock.now - sinceSaving)
                sinceSaving = clock.now
                try save(state)
                interval = max(.seconds(1), (clock.now - sinceSaving) * 20)
            }
            let answer = try progress(
                .training(event, seed: seed, position: position, count: count)
            )
            isStopped = isStopped || answer == .stop
            return answer
        }
        note(clock.now - sinceSaving)
        guard isDone, let last = state.record.last, let best = state.record.best else {
            try save(state)
            throw EvaluationInterruption(isSaved: checkpoint != nil)
        }
        record.finished.append(state.record)
        record.current = nil
        try save(nil)
        let answer = try progress(
            .finished(seed: seed, position: position, count: count, last: last, best: best)
        )
        if isStopped || answer == .stop, position < count - 1 {
            throw EvaluationInterruption(isSaved: checkpoint != nil)
        }
    }

    /// Adds time, and the memory used up to now.
    private mutating func note(_ time: Duration) {
        record.seconds += time / .seconds(1)
        record.peakMemoryBytes = max(record.peakMemoryBytes, Memory.peakBytes(on: plan.device))
    }

    private mutating func save(_ state: TrainingState?) throws {
        guard let checkpoint else { return }
        record.current = state?.record
        let tensors = state?.tensors() ?? StateDictionary()
        try EvaluationCheckpoint(record: record, tensors: tensors).save(to: checkpoint)
    }

    /// What was measured, when all seeds are done.
    var result: EvaluationResult {
        let identity = plan.identity
        return EvaluationResult(
            method: identity.method,
            imagesPerClass: plan.imagesPerClass,
            network: identity.network,
            evaluationProtocol: identity.evaluationProtocol,
            classes: plan.train.classCount,
            train: identity.train,
            test: identity.test,
            seeds: identity.seeds,
            epochs: identity.epochs,
            evaluations: identity.evaluations,
            precision: identity.precision.rawValue,
            device: identity.device,
            last: .init(record.finished.compactMap(\.last)),
            best: .init(record.finished.compactMap(\.best)),
            seconds: record.seconds,
            peakMemoryBytes: record.peakMemoryBytes
        )
    }
}
