import Foundation
import NeuralNetworks
import Torch
import Training

/// A measurement in progress.
struct EvaluationRun {
    let plan: EvaluationPlan
    private let checkpoint: URL?
    private let labelling: (any SoftLabelling)?
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
        labelling = try plan.labelling()
        record = EvaluationCheckpoint.Record(identity: plan.identity)
        Memory.resetPeak(on: plan.device)
        guard let checkpoint, FileManager.default.fileExists(atPath: checkpoint.path) else {
            return
        }
        let saved: EvaluationCheckpoint
        do {
            saved = try EvaluationCheckpoint.load(checkpoint)
        } catch is DecodingError {
            let reason = "\(checkpoint.path) was written by another version."
            _ = try progress(.ignoredCheckpoint(reason))
            return
        }
        guard let continued = saved.record.continued(as: plan.identity) else {
            let differences = saved.record.identity.differences(from: plan.identity)
            let reason =
                "\(checkpoint.path) is of another evaluation: \(differences.joined(separator: ", "))"
                + " differ."
            _ = try progress(.ignoredCheckpoint(reason))
            return
        }
        let needsNetwork = plan.networkFile.map {
            !FileManager.default.fileExists(atPath: $0.path) && !saved.record.finished.isEmpty
        }
        guard needsNetwork != true else {
            throw TrainingError(
                .invalidOption,
                "\(checkpoint.path) is past the first seed, whose network was not kept. Remove it to "
                    + "train that network again, or leave out --save."
            )
        }
        record = continued
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
            holdingBack: plan.heldBack,
            normalizedBy: plan.statistics,
            options: options,
            teacher: labelling
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
        if position == 0, let file = plan.networkFile { try keep(state, in: file) }
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

    /// Writes the trained network with all that is needed to use it.
    private func keep(_ state: TrainingState, in file: URL) throws {
        let identity = plan.identity
        var description = TrainedNetwork.Description(
            network: plan.options.network,
            imageSize: plan.options.evaluationProtocol.imageSize,
            channels: plan.train.channels,
            statistics: plan.statistics,
            classNames: plan.train.classNames,
            origin: "trained on \(identity.train.path) (\(identity.train.images) images), "
                + "protocol \(identity.evaluationProtocol), seed \(plan.options.seeds[0])"
        )
        description.testFingerprint = identity.test.fingerprint
        description.accuracy = state.record.last
        try TrainedNetwork(description: description, weights: state.classifier.state())
            .save(to: file)
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
}
