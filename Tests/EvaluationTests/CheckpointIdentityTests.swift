import Checkpoints
import Evaluation
import Foundation
import Models
import TestSupport
import Testing
import Training

@Suite("The evaluation that a checkpoint belongs to")
struct CheckpointIdentityTests {
    /// What is changed after an interruption, with the names that are told.
    enum Change: String, CaseIterable {
        case method
        case network
        case batch = "protocol, batch size"
        case trainingSet = "training set"
        case testSet = "test set"
        case seeds
        case epochs = "protocol, epochs"
        case evaluations
        case selection
        case precision
    }

    private let train = EvaluationSet.lines(6)
    private let test = EvaluationSet.lines(20, seed: 2)
    private let options = EvaluationOptions.short(epochs: 2, seeds: [3, 4], network: .small())

    /// Runs to the end, or is stopped in the first step; returns what was told.
    private func run(
        _ train: EvaluationSet,
        _ test: EvaluationSet,
        _ options: EvaluationOptions,
        in folder: URL,
        teacher: Teacher? = nil,
        stopping: Bool = false
    ) throws -> [EvaluationEvent] {
        var events = [EvaluationEvent]()
        do {
            _ = try evaluate(
                train: train,
                test: test,
                options: options,
                teacher: teacher,
                checkpoint: folder.appendingPathComponent("evaluation.safetensors")
            ) { event in
                events.append(event)
                return stopping ? .stop : .continue
            }
        } catch is EvaluationInterruption {
            #expect(stopping)
        }
        return events
    }

    /// Expects that a checkpoint was left aside because of just these differences.
    private func expectNewBeginning(
        _ events: [EvaluationEvent],
        because names: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard case .ignoredCheckpoint(let reason) = events.first else {
            Issue.record(
                "the first event is \(String(describing: events.first))",
                sourceLocation: sourceLocation
            )
            return
        }
        #expect(
            reason.contains("another evaluation: \(names) differ"),
            "\(reason)",
            sourceLocation: sourceLocation
        )
        #expect(firstStep(events) == 1, sourceLocation: sourceLocation)
    }

    private func firstStep(_ events: [EvaluationEvent]) -> Int? {
        for case .training(let event, seed: _, position: _, count: _) in events {
            if case .step(let step, of: _, loss: _, learningRate: _) = event { return step }
        }
        return nil
    }

    @Test(
        "another one begins anew and is told what differs, nothing else",
        arguments: Change.allCases
    )
    func changed(_ change: Change) throws {
        try withTemporaryFolder { folder in
            _ = try run(train, test, options, in: folder, stopping: true)
            var (newTrain, newTest, newOptions) = (train, test, options)
            switch change {
            case .method: newOptions.method = "herding"
            case .network: newOptions.network = .small(depth: 2)
            case .batch: newOptions.evaluationProtocol = try .named("gu-hard-28+batch=2")
            case .trainingSet: newTrain = .lines(6, seed: 5)
            case .testSet: newTest = .lines(20, seed: 6)
            case .seeds: newOptions.seeds = [4, 3]
            case .epochs: newOptions.epochs = 3
            case .evaluations: newOptions.evaluations = 1
            case .selection: newOptions.selection = .holdout
            case .precision: newOptions.precision = .bfloat16
            }
            let events = try run(newTrain, newTest, newOptions, in: folder)
            expectNewBeginning(events, because: change.rawValue)
        }
    }

    @Test("the same one goes on, wherever its images lie now")
    func unchanged() throws {
        try withTemporaryFolder { folder in
            _ = try run(train, test, options, in: folder, stopping: true)
            func moved(_ set: EvaluationSet) -> EvaluationSet {
                EvaluationSet(
                    images: set.images,
                    path: "elsewhere/\(set.path)",
                    fingerprint: set.fingerprint
                )
            }
            let events = try run(moved(train), moved(test), options, in: folder)
            #expect(events.first == .resumed(finishedSeeds: 0, epoch: 1))
            #expect(firstStep(events) == 2)
        }
    }

    @Test("one of a version that noted less goes on")
    func older() throws {
        try withTemporaryFolder { folder in
            _ = try run(train, test, options, in: folder, stopping: true)
            let url = folder.appendingPathComponent("evaluation.safetensors")
            let file = try SafetensorsFile(contentsOf: url)
            let text = try #require(file.metadata["evaluation"])
            var record = try #require(
                try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            )
            var identity = try #require(record["identity"] as? [String: Any])
            for name in ["batchSize", "storesLabels"] {
                #expect(identity.removeValue(forKey: name) != nil)
            }
            record["identity"] = identity
            let older = try JSONSerialization.data(withJSONObject: record)
            try Safetensors.save(
                file.state(),
                metadata: ["evaluation": String(decoding: older, as: UTF8.self)],
                to: url
            )
            let events = try run(train, test, options, in: folder)
            #expect(events.first == .resumed(finishedSeeds: 0, epoch: 1))
        }
    }

    @Test("another share held back is another one")
    func heldBackShare() throws {
        try withTemporaryFolder { folder in
            var changed = options
            changed.selection = .holdout
            _ = try run(train, test, changed, in: folder, stopping: true)
            changed.heldBackShare = 0.4
            let events = try run(train, test, changed, in: folder)
            expectNewBeginning(events, because: "selection")
        }
    }

    @Test("another teacher is another one, the same teacher from another place is not")
    func teacher() throws {
        let network = try TrainedNetwork.ofLines()
        let colorTrain = EvaluationSet.lines(6, size: 16, channels: 3)
        let colorTest = EvaluationSet.lines(20, size: 16, channels: 3, seed: 2)
        var soft = options
        soft.evaluationProtocol = try .named("rded-soft-300+size=16")
        try withTemporaryFolder { folder in
            func run(
                _ path: String,
                digest: String,
                stopping: Bool = false
            ) throws -> [EvaluationEvent] {
                try self.run(
                    colorTrain,
                    colorTest,
                    soft,
                    in: folder,
                    teacher: try Teacher(network, path: path, digest: digest),
                    stopping: stopping
                )
            }
            _ = try run("here", digest: "a", stopping: true)
            let same = try run("there", digest: "a")
            #expect(same.first == .resumed(finishedSeeds: 0, epoch: 1))
            #expect(firstStep(same) == 2)
            expectNewBeginning(try run("here", digest: "b"), because: "teacher")
        }
    }
}
