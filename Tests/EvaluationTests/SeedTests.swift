import Evaluation
import Models
import TestSupport
import Testing
import Training

@Suite("The seeds of an evaluation")
struct SeedTests {
    private func run(
        _ seeds: [Int],
        _ proto: String = "gu-hard-28"
    ) throws -> (result: EvaluationResult, events: [EvaluationEvent]) {
        var options = EvaluationOptions.short(epochs: 3, seeds: seeds, network: .small())
        options.evaluationProtocol = try .named(proto)
        var events = [EvaluationEvent]()
        let result = try evaluate(
            train: try .noise(6, seed: 1),
            test: try .noise(400, seed: 2),
            options: options
        ) { event in
            events.append(event)
            return .continue
        }
        return (result, events)
    }

    @Test("each has a run of its own, the same alone and among others")
    func runs() throws {
        let all = try run([3, 4, 5])
        let values = all.result.last.values
        try #require(values.count == 3)
        #expect(Set(values).count > 1)

        let alone = try run([4])
        #expect(alone.result.last.values == [values[1]])
        #expect(alone.result.best.values == [all.result.best.values[1]])
        let steps = alone.events.compactMap { $0.event(ofSeed: 4) }
        #expect(!steps.isEmpty)
        #expect(steps == all.events.compactMap { $0.event(ofSeed: 4) })

        let again = try run([3, 4, 5])
        #expect(again.result.last == all.result.last)
        #expect(again.result.best == all.result.best)
        #expect(again.events == all.events)
    }

    @Test("each begins with weights of its own")
    func firstWeights() throws {
        // Images stay as they are, so the first loss depends on the first weights alone; the order
        // of the images changes only its last bits.
        let events = try run([3, 4, 5], "gu-hard-28+augmentation=none").events
        let losses = [3, 4, 5].compactMap { seed -> Double? in
            let first = events.lazy.compactMap { $0.event(ofSeed: seed) }.first
            guard case .step(1, of: 3, loss: let loss, learningRate: _) = first else { return nil }
            return loss
        }
        #expect(losses.count == 3)
        for (loss, next) in zip(losses, losses.dropFirst()) { #expect(abs(loss - next) > 1e-5) }
    }
}
