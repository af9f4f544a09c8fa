import Evaluation
import Foundation
import Models
import TestSupport
import Testing
import Training

@Suite("Stored soft labels")
struct StoredLabelTests {
    @Test("are right for students of every seed and network: all see the same images")
    func laterStudents() throws {
        let teacher = try Teacher(.ofLines(), path: "lines", digest: "lines")
        let train = EvaluationSet.lines(7, size: 16, channels: 3, seed: 3)
        let test = EvaluationSet.lines(20, size: 16, channels: 3, seed: 2)
        let proto = try EvaluationProtocol.named("fkd-300+size=16+batch=3")
        try withTemporaryFolder { folder in
            func run(
                _ seed: Int,
                _ network: NetworkName = .small(),
                store: String
            ) throws -> [TrainingEvent] {
                var events = [TrainingEvent]()
                _ = try evaluate(
                    train: train,
                    test: test,
                    options: EvaluationOptions(
                        method: "lines",
                        network: network,
                        evaluationProtocol: proto,
                        epochs: 4,
                        evaluations: 4,
                        seeds: [seed],
                        precision: .float32
                    ),
                    teacher: teacher,
                    softLabels: folder.appendingPathComponent(store)
                ) { event in
                    if let event = event.event(ofSeed: seed) { events.append(event) }
                    return .continue
                }
                return events
            }
            func scores(_ store: String) throws -> [Data] {
                try (1...4).map { epoch in
                    let name = "\(store)/epoch-0000\(epoch).safetensors"
                    return try Data(contentsOf: folder.appendingPathComponent(name))
                }
            }

            let first = try run(0, store: "filled")
            let later = try run(1, store: "filled")
            let alone = try run(1, store: "empty")
            #expect(later == alone)
            #expect(later != first)
            let areEqual = try scores("filled") == scores("empty")
            #expect(areEqual)
            let other = NetworkName.small(depth: 2)
            #expect(try run(1, other, store: "filled") == run(1, other, store: "of the other"))
        }
    }
}
