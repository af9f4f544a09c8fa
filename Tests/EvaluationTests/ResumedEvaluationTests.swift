import Checkpoints
import Evaluation
import Foundation
import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("An interrupted evaluation")
struct ResumedEvaluationTests {
    // So noisy that the accuracy tells one set of weights from another.
    private let train = EvaluationSet.lines(6, noise: 120)
    private let test = EvaluationSet.lines(400, noise: 120, seed: 2)

    /// Runs until the `stop`-th event, and returns the events.
    private func run(
        _ checkpoint: URL,
        options: EvaluationOptions,
        stop: Int
    ) throws -> [EvaluationEvent] {
        var events = [EvaluationEvent]()
        #expect(throws: EvaluationInterruption.self) {
            try evaluate(
                train: train,
                test: test,
                options: options,
                checkpoint: checkpoint
            ) { event in
                events.append(event)
                return events.count == stop ? .stop : .continue
            }
        }
        return events
    }

    /// Runs to the end, and returns what was told on the way, too.
    private func measure(
        _ checkpoint: URL,
        options: EvaluationOptions
    ) throws -> (result: EvaluationResult, events: [EvaluationEvent]) {
        var events = [EvaluationEvent]()
        let result = try evaluate(
            train: train,
            test: test,
            options: options,
            checkpoint: checkpoint
        ) {
            events.append($0)
            return .continue
        }
        return (result, events)
    }

    @Test("that is past its first seed cannot keep that network any more, and says so")
    func networkOfFirstSeed() throws {
        try withTemporaryFolder { folder in
            let checkpoint = folder.appendingPathComponent("evaluation.safetensors")
            let file = folder.appendingPathComponent("network.safetensors")
            func measure() throws -> EvaluationResult {
                try evaluate(
                    train: train,
                    test: test,
                    options: .short(),
                    savingNetworkTo: file,
                    checkpoint: checkpoint
                )
            }
            _ = try evaluate(train: train, test: test, options: .short(), checkpoint: checkpoint)
            let error = #expect(throws: TrainingError.self) { try measure() }
            #expect(error?.message.contains("--save") == true)
            try FileManager.default.removeItem(at: checkpoint)
            let result = try measure()
            // Once it is there, the finished measurement is read again.
            #expect(try measure().last == result.last)
            #expect(try TrainedNetwork(contentsOf: file).description.network == .convNet(depth: 1))
        }
    }

    @Test("ends with the result of an uninterrupted one", arguments: [1, 7, 12, 15, 22])
    func resumes(_ stop: Int) throws {
        let options = EvaluationOptions.short(epochs: 6)
        let whole = try evaluate(train: train, test: test, options: options)
        try withTemporaryFolder { folder in
            let checkpoint = folder.appendingPathComponent("evaluation.safetensors")
            let before = try run(checkpoint, options: options, stop: stop)
            let (resumed, after) = try measure(checkpoint, options: options)
            #expect(whole.last.mean != 0.5)
            #expect(resumed.last == whole.last)
            #expect(resumed.best == whole.best)
            guard case .resumed = after.first else {
                Issue.record("the first event is \(String(describing: after.first))")
                return
            }
            // No step is made twice, none is left out.
            func steps(_ events: [EvaluationEvent]) -> Int {
                events.reduce(0) { count, event in
                    if case .training(.step, _, _, _) = event { count + 1 } else { count }
                }
            }
            #expect(steps(before) + steps(after) == 12)

            // A third time there is nothing left to do.
            let (again, third) = try measure(checkpoint, options: options)
            #expect(again.last == whole.last)
            #expect(third == [.resumed(finishedSeeds: 2, epoch: 0)])
        }
    }

    @Test("is not continued with other options, and says why")
    func otherOptions() throws {
        try withTemporaryFolder { folder in
            let checkpoint = folder.appendingPathComponent("evaluation.safetensors")
            _ = try run(checkpoint, options: .short(epochs: 3), stop: 4)
            let options = EvaluationOptions.short(epochs: 2)
            let (result, events) = try measure(checkpoint, options: options)
            guard case .ignoredCheckpoint(let reason) = events.first else {
                Issue.record("the first event is \(String(describing: events.first))")
                return
            }
            #expect(reason.contains("epochs"))
            #expect(!reason.contains("seeds"))
            let plain = try evaluate(train: train, test: test, options: options)
            #expect(result.last == plain.last)
        }
    }

    @Test("takes more seeds without repeating the finished ones", arguments: [nil, 10])
    func moreSeeds(stop: Int?) throws {
        try withTemporaryFolder { folder in
            let checkpoint = folder.appendingPathComponent("evaluation.safetensors")
            let few = EvaluationOptions.short(epochs: 2, seeds: [4, 5])
            if let stop {
                _ = try run(checkpoint, options: few, stop: stop)
            } else {
                _ = try evaluate(train: train, test: test, options: few, checkpoint: checkpoint)
            }
            let more = EvaluationOptions.short(epochs: 2, seeds: [4, 5, 6])
            let (result, events) = try measure(checkpoint, options: more)
            guard case .resumed(let finished, _) = events.first else {
                Issue.record("the first event is \(String(describing: events.first))")
                return
            }
            #expect(finished == (stop == nil ? 2 : 1))
            #expect(result.seeds == [4, 5, 6])
            #expect(result.last == (try evaluate(train: train, test: test, options: more).last))
        }
    }

    @Test("without a checkpoint says that nothing was saved")
    func noCheckpoint() {
        let error = #expect(throws: EvaluationInterruption.self) {
            try evaluate(train: train, test: test, options: .short()) { _ in .stop }
        }
        #expect(error?.isSaved == false)
    }

    @Test("a file that is no checkpoint of an evaluation is refused by name")
    func foreignFile() throws {
        try withTemporaryFolder { folder in
            let checkpoint = folder.appendingPathComponent("evaluation.safetensors")
            try Safetensors.save(StateDictionary([("a", Tensor(1))]), to: checkpoint)
            let error = #expect(throws: CheckpointError.self) {
                try evaluate(
                    train: train,
                    test: test,
                    options: .short(),
                    checkpoint: checkpoint
                )
            }
            #expect(error?.message.contains("evaluation.safetensors") == true)
        }
    }
}
