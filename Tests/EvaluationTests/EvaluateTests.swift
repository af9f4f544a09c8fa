import Evaluation
import Foundation
import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("Evaluating a training set")
struct EvaluateTests {
    @Test("a result has every key of the contract, and its numbers belong together")
    func result() throws {
        let result = try evaluate(train: .lines(4), test: .lines(9, seed: 2), options: .short())
        let data = try JSONEncoder().encode(result)
        let json = try JSONValue(text: String(decoding: data, as: UTF8.self))
        #expect(
            Set(try json.object.keys) == [
                "method", "imagesPerClass", "network", "protocol", "classes", "train", "test",
                "seeds", "epochs", "evaluations", "precision", "device", "last", "best",
                "selection", "classNames", "perClass", "confusion", "seconds", "peakMemoryBytes",
            ]
        )
        #expect(try json["method"].string == "random")
        #expect(try json["network"].string == "convnet-1")
        #expect(try json["protocol"].string == "gu-hard-28+epochs=2")
        #expect(try json["imagesPerClass"].int == 2)
        #expect(try json["classes"].int == 2)
        #expect(try json["train"]["images"].int == 4)
        #expect(try json["test"]["path"].string == "lines-2")
        #expect(try json["epochs"].int == 2)
        #expect(try json["evaluations"].int == 2)
        #expect(result.last.values.count == 2)
        #expect(zip(result.best.values, result.last.values).allSatisfy { $0 >= $1 })
        #expect(result.seconds > 0)
        #expect(result.peakMemoryBytes > 1 << 20)
        #expect(try JSONDecoder().decode(EvaluationResult.self, from: data) == result)
    }

    @Test("deviations: divided by n − 1 and by n, and null for one seed")
    func deviations() throws {
        let summary = EvaluationResult.Accuracy([0.5, 0.7, 0.9])
        #expect(abs(summary.mean - 0.7) < 1e-12)
        #expect(abs((summary.sampleDeviation ?? 0) - 0.2) < 1e-12)
        #expect(abs(summary.populationDeviation - (0.08 / 3).squareRoot()) < 1e-12)
        let one = EvaluationResult.Accuracy([0.5])
        #expect(one.sampleDeviation == nil)
        let text = String(decoding: try JSONEncoder().encode(one), as: UTF8.self)
        #expect(try JSONValue(text: text)["sampleDeviation"].isNull)
        #expect(text.contains("sampleDeviation"))
    }

    @Test("the published number of epochs is the default and keeps the protocol's name")
    func publishedEpochs() throws {
        var seen: Int?
        #expect(throws: EvaluationInterruption.self) {
            try evaluate(train: .lines(4), test: .lines(4), options: .short(epochs: nil)) { event in
                if case .training(.step(_, of: let steps, loss: _, learningRate: _), _, _, _) =
                    event
                {
                    seen = steps
                }
                return .stop
            }
        }
        // Two images per class: 2000 epochs, one batch each.
        #expect(seen == 2000)
        let result = try evaluate(
            train: .lines(1300),
            test: .lines(2),
            options: .short(epochs: 1, seeds: [0])
        )
        #expect(result.evaluationProtocol == "gu-hard-28+epochs=1")
    }

    @Test("classes are matched by name: shuffled names change nothing")
    func shuffledNames() throws {
        let test = EvaluationSet.lines(12, seed: 2)
        let shuffled = EvaluationSet(
            images: try ImageSet(
                images: test.images.images,
                labels: test.images.labels.map { 1 - $0 },
                classNames: test.images.classNames.reversed()
            ),
            path: test.path,
            fingerprint: test.fingerprint
        )
        let train = EvaluationSet.lines(12)
        let plain = try evaluate(train: train, test: test, options: .short(epochs: 12))
        let other = try evaluate(train: train, test: shuffled, options: .short(epochs: 12))
        #expect(plain.last == other.last)
        #expect(plain.last.mean > 0.9)
    }

    @Test("sets that do not fit are refused with the reason")
    func refusals() throws {
        let good = EvaluationSet.lines(4)
        func refused(
            _ train: EvaluationSet,
            _ test: EvaluationSet,
            _ options: EvaluationOptions = .short()
        ) -> TrainingError? {
            #expect(throws: TrainingError.self) {
                try evaluate(train: train, test: test, options: options)
            }
        }
        let otherNames = refused(good, .lines(4, names: ["across", "round"]))
        #expect(otherNames?.code == .differingClasses)
        #expect(otherNames?.message.contains("\"round\"") == true)
        let empty = refused(good, .lines(1, seed: 3))
        #expect(empty?.code == .emptyClass)
        #expect(empty?.message.contains("\"down\"") == true)
        #expect(empty?.message.contains("lines-3") == true)
        #expect(refused(.lines(4, size: 32), .lines(4, size: 32))?.code == .unfitImages)
        #expect(refused(good, .lines(4, size: 32))?.code == .unfitImages)
        #expect(refused(good, .lines(4, channels: 3))?.code == .unfitImages)
        #expect(refused(good, good, .short(seeds: []))?.code == .invalidOption)
        #expect(refused(good, good, .short(seeds: [1, 1]))?.code == .invalidOption)
        #expect(refused(good, good, .short(epochs: 0))?.code == .invalidOption)
        #expect(throws: NetworkError.self) {
            try evaluate(train: good, test: good, options: .short(network: .convNet(depth: 5)))
        }
    }
}

extension EvaluationSet {
    /// Pictures of lines across and lines down.
    static func lines(
        _ count: Int,
        size: Int = 28,
        channels: Int = 1,
        names: [String] = ["across", "down"],
        noise: Int = 60,
        seed: UInt64 = 1
    ) -> EvaluationSet {
        var generator = RandomGenerator(seed: seed)
        let labels = (0..<count).map { $0 % 2 }
        let values = labels.flatMap { label -> [UInt8] in
            let noise = generator.integers(channels * size * size, below: noise)
            return noise.enumerated().map { place, noise in
                let place = place % (size * size)
                let line = (label == 0 ? place / size : place % size) / 4 % 2
                return UInt8(min(line * 100 + noise, 255))
            }
        }
        do {
            return EvaluationSet(
                images: try ImageSet(
                    images: Tensor(values, shape: [count, channels, size, size]),
                    labels: labels,
                    classNames: names
                ),
                path: "lines-\(seed)",
                fingerprint: "\(count)-\(size)-\(channels)-\(names)-\(seed)"
            )
        } catch {
            fatalError("\(error)")
        }
    }
}

extension EvaluationOptions {
    /// A measurement of a second.
    static func short(
        epochs: Int? = 2,
        seeds: [Int] = [3, 4],
        network: NetworkName = .convNet(depth: 1)
    ) -> EvaluationOptions {
        EvaluationOptions(
            method: "random",
            network: network,
            epochs: epochs,
            evaluations: 2,
            seeds: seeds,
            precision: .float32
        )
    }
}
