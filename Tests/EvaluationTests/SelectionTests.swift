import Evaluation
import Foundation
import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("The epoch that is reported")
struct SelectionTests {
    private let test = EvaluationSet.lines(60, noise: 200, seed: 2)

    private func result(
        _ selection: EvaluationOptions.Selection,
        train: EvaluationSet = .lines(20, noise: 200)
    ) throws -> (EvaluationResult, [TrainingEvent]) {
        var options = EvaluationOptions.short(epochs: 12, seeds: [0, 1, 2])
        options.evaluations = 12
        options.selection = selection
        var events = [TrainingEvent]()
        let result = try evaluate(train: train, test: test, options: options) { event in
            if case .training(let event, _, _, _) = event { events.append(event) }
            return .continue
        }
        return (result, events)
    }

    @Test("last and best come from one and the same training")
    func lastAndBest() throws {
        let (last, events) = try result(.last)
        let (best, _) = try result(.best)
        #expect(last.headline == last.last)
        #expect(best.headline == last.best)
        #expect(best.last == last.last)
        #expect(last.selected == nil)
        var perSeed = [[Double]]()
        for case .looked(let epoch, let accuracy) in events {
            if epoch == 1 { perSeed.append([]) }
            perSeed[perSeed.count - 1].append(accuracy)
        }
        #expect(last.best.values == perSeed.compactMap { $0.max() })
        #expect(last.last.values == perSeed.compactMap(\.last))
    }

    @Test("holdout reports one of the looks, the same every time")
    func holdout() throws {
        let (held, events) = try result(.holdout)
        #expect(held.heldBackImages == 4)
        #expect(held.train.images == 20)
        let selected = try #require(held.selected)
        #expect(held.headline == selected)
        // Each is the accuracy of one of the looks, not above the best.
        let looks = events.compactMap { event -> Double? in
            if case .looked(_, let accuracy) = event { accuracy } else { nil }
        }
        for (value, best) in zip(selected.values, held.best.values) {
            #expect(looks.contains(value))
            #expect(value <= best)
        }
        #expect(try result(.holdout).0.selected == selected)
    }

    @Test(
        "images that are held back are not trained on",
        arguments: [(.last, 0.2, 20), (.holdout, 0.2, 16), (.holdout, 0.5, 10)]
            as [(EvaluationOptions.Selection, Double, Int)]
    )
    func fewerImages(
        _ selection: EvaluationOptions.Selection,
        _ share: Double,
        _ imageCount: Int
    ) throws {
        var options = EvaluationOptions.short(epochs: 2, seeds: [0], network: .small())
        options.evaluationProtocol = try .named("gu-hard-28+batch=1")
        options.selection = selection
        options.heldBackShare = share
        var (steps, all) = (0, 0)
        let result = try evaluate(
            train: .lines(20),
            test: .lines(4, seed: 2),
            options: options
        ) { event in
            if case .step(_, of: let count, loss: _, learningRate: _) = event.event(ofSeed: 0) {
                steps += 1
                all = count
            }
            return .continue
        }
        #expect(steps == 2 * imageCount)
        #expect(all == 2 * imageCount)
        let heldBack: Int? = selection == .holdout ? 20 - imageCount : nil
        #expect(result.heldBackImages == heldBack)
    }

    @Test("images that are held back choose the epoch, not those of the test set")
    func chosenOnHeldBack() throws {
        let train = try EvaluationSet.noise(80, seed: 1)
        let places = [0, 1].flatMap { label -> [Int] in
            let members = train.images.labels.indices.filter { train.images.labels[$0] == label }
            var generator = RandomGenerator(seed: 0, purpose: .selection, index: UInt64(label))
            return generator.permutation(members.count).prefix(16).map { members[$0] }
        }
        let heldBack = train.images.subset(places)
        // Tested on the images that are held back with their labels exchanged: the best epoch for
        // these is the worst one for the test. Shares of 32 images are exact.
        let exchanged = EvaluationSet(
            images: try ImageSet(
                images: heldBack.images,
                labels: heldBack.labels.map { 1 - $0 },
                classNames: heldBack.classNames
            ),
            path: "exchanged",
            fingerprint: "exchanged"
        )
        var options = EvaluationOptions.short(
            epochs: 8,
            seeds: [0, 1, 2],
            network: .small(depth: 3)
        )
        options.evaluationProtocol = try .named("gu-hard-28+batch=8")
        options.evaluations = 8
        options.selection = .holdout
        options.heldBackShare = 0.4
        var looks = [Int: [Double]]()
        let result = try evaluate(train: train, test: exchanged, options: options) { event in
            for seed in options.seeds {
                if case .looked(epoch: _, accuracy: let accuracy) = event.event(ofSeed: seed) {
                    looks[seed, default: []].append(accuracy)
                }
            }
            return .continue
        }
        #expect(result.heldBackImages == 32)
        let accuracies = options.seeds.compactMap { looks[$0] }
        #expect(accuracies.map(\.count) == [8, 8, 8])
        #expect(accuracies.allSatisfy { Set($0).count > 1 })
        let selected = try #require(result.selected)
        #expect(selected.values == accuracies.compactMap { $0.min() })
        #expect(result.best.values == accuracies.compactMap { $0.max() })
    }

    @Test("of looks that are equally good on images held back the latest counts")
    func ties() {
        var record = TrainingRecord()
        record.note(.init(epoch: 1, accuracy: 0.9, heldBackAccuracy: 0.5))
        record.note(.init(epoch: 2, accuracy: 0.1, heldBackAccuracy: 0.75))
        record.note(.init(epoch: 3, accuracy: 0.2, heldBackAccuracy: 0.75))
        record.note(.init(epoch: 4, accuracy: 0.8, heldBackAccuracy: 0.25))
        #expect(record.chosenOnHeldBack == 0.2)
        #expect(record.best == 0.9)
        #expect(record.last == 0.8)
    }

    @Test("a class with one image leaves nothing to hold back")
    func oneImage() throws {
        let error = #expect(throws: TrainingError.self) {
            try result(.holdout, train: .lines(3))
        }
        #expect(error?.code == .emptyClass)
        #expect(error?.message.contains("\"down\"") == true)
    }

    @Test("the confusion matrix counts every test image of every seed")
    func confusion() throws {
        let (found, _) = try result(.last)
        let confusion = try #require(found.confusion)
        #expect(confusion.map { $0.reduce(0, +) } == [90, 90])
        let right = confusion[0][0] + confusion[1][1]
        #expect(abs(Double(right) / 180 - found.last.mean) < 1e-12)
        #expect(found.perClass == confusion.enumerated().map { Double($1[$0]) / 90 })
        #expect(found.classNames == ["across", "down"])
    }

    @Test("a set decoded of fewer stored images is counted as those, and trained by its own number")
    func storedImages() throws {
        var options = EvaluationOptions.short(epochs: nil)
        options.storedImagesPerClass = 1
        var steps = 0
        #expect(throws: EvaluationInterruption.self) {
            try evaluate(train: .lines(8), test: test, options: options) { event in
                if case .training(.step(_, of: let all, loss: _, learningRate: _), _, _, _) = event
                {
                    steps = all
                }
                return .stop
            }
        }
        // Four images a class: 2000 epochs, not the 3000 of one; the eight images are one batch.
        #expect(steps == 2000)
        options.epochs = 1
        let result = try evaluate(train: .lines(8), test: test, options: options)
        #expect(result.imagesPerClass == 1)
        #expect(result.train.images == 8)
        #expect(result.evaluationProtocol.hasSuffix("+epochs=1"))
    }

    @Test("the 95 % interval is that of Student's t")
    func interval() {
        // Deviation 0.2, three values: 4.303 · 0.2 / √3.
        let three = EvaluationResult.Accuracy([0.5, 0.7, 0.9])
        #expect(abs((three.confidence95 ?? 0) - 0.496_867) < 1e-4)
        #expect(EvaluationResult.Accuracy([0.5]).confidence95 == nil)
        // 31 values, 30 degrees of freedom: 2.0423.
        let many = EvaluationResult.Accuracy((0..<31).map(Double.init))
        let deviation = many.sampleDeviation ?? 0
        #expect(abs((many.confidence95 ?? 0) / deviation * 31.0.squareRoot() - 2.0423) < 1e-3)
    }
}
