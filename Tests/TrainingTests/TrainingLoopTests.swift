import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("Supervised training beside a loop that is written out")
struct TrainingLoopTests {
    /// Five images, each of a class of its own, so that every mixture mixes labels.
    private let images: ImageSet
    private let statistics = ChannelStatistics(mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.3, 0.4])

    init() throws {
        var generator = RandomGenerator(seed: 3)
        let values = generator.integers(5 * 3 * 8 * 8, below: 256).map { UInt8($0) }
        images = try ImageSet(
            images: Tensor(values, shape: [5, 3, 8, 8]),
            labels: Array(0..<5),
            classNames: ["a", "b", "c", "d", "e"]
        )
    }

    /// Three epochs of two steps, the last epoch with a tenth of the learning rate.
    private func options(_ augmentation: Augmentation) -> TrainingOptions {
        TrainingOptions(
            epochs: 3,
            batchSize: 3,
            learningRate: 0.05,
            schedule: .oneStep,
            weightDecay: 0.02,
            decayFactor: 0.1,
            augmentation: augmentation,
            seed: 5
        )
    }

    private static let rates = [0.05, 0.05, 0.05, 0.05, 0.005, 0.005]

    private func makeNetwork(seed: UInt64 = 5) throws -> ConvNet {
        var generator = RandomGenerator(seed: seed, purpose: .initialization)
        return try ConvNet(
            .init(imageSize: 8, channels: 3, classCount: 5, depth: 2, width: 8),
            using: &generator
        )
    }

    // MARK: - By hand

    /// The images of a step as they are before they are mixed, and their labels.
    private func batch(
        _ step: Int,
        imageSeed: UInt64,
        _ augmentation: Augmentation,
        _ siamese: SiameseAugmentation? = nil
    ) -> (x: Tensor, labels: [Int]) {
        var order = RandomGenerator(seed: imageSeed, purpose: .dataOrder, index: UInt64(step / 2))
        let places = order.permutation(5)
        let chosen = Array(step % 2 == 0 ? places[..<3] : places[3...])
        var draws = RandomGenerator(seed: imageSeed, purpose: .augmentation, index: UInt64(step))
        var x = images.batch(chosen)
        x = augmentation(x, normalizedBy: statistics, using: &draws)
        if let siamese { x = siamese(x, using: &draws) }
        return (x, chosen.map { images.labels[$0] })
    }

    private func mixture(_ step: Int, of count: Int, imageSeed: UInt64) -> CutMix {
        var generator = RandomGenerator(seed: imageSeed, purpose: .cutMix, index: UInt64(step))
        return CutMix(batch: count, height: 8, width: 8, using: &generator)
    }

    /// SGD with momentum 0.9 and weight decay 0.02.
    private func trainedByHand(
        loss: (ConvNet, Int) -> Tensor
    ) throws -> (losses: [Double], network: ConvNet) {
        let network = try makeNetwork()
        let weights = network.parameters().map(\.tensor)
        var updates = weights.map { Tensor.zeros($0.shape) }
        var losses = [Double]()
        for (step, rate) in Self.rates.enumerated() {
            let value = loss(network, step)
            value.backward()
            losses.append(value.item)
            try withoutGradient {
                for (place, weight) in weights.enumerated() {
                    let gradient = try #require(weight.gradient)
                    let decayed = gradient + weight * 0.02
                    updates[place] = updates[place] * 0.9 + decayed
                    weight.add(updates[place], scaledBy: -rate)
                    weight.gradient = nil
                }
            }
        }
        return (losses, network)
    }

    /// Expects the losses, learning rates and final weights of the loop.
    private func expectTraining(
        _ options: TrainingOptions,
        teacher: (any SoftLabelling)? = nil,
        like hand: (losses: [Double], network: ConvNet),
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let network = try makeNetwork()
        var losses = [Double]()
        var rates = [Double]()
        try SupervisedTraining.train(
            TrainingState(training: network, options: options),
            on: images,
            testing: nil,
            normalizedBy: statistics,
            options: options,
            teacher: teacher
        ) { event in
            if case .step(_, of: 6, loss: let loss, learningRate: let rate) = event {
                losses.append(loss)
                rates.append(rate)
            }
            return .continue
        }
        #expect(losses.count == 6, sourceLocation: sourceLocation)
        for (found, expected) in zip(losses, hand.losses) {
            #expect(abs(found - expected) < 1e-5, sourceLocation: sourceLocation)
        }
        for (found, expected) in zip(rates, Self.rates) {
            #expect(abs(found - expected) < 1e-12, sourceLocation: sourceLocation)
        }
        // Only the order of roundings differs.
        for (found, expected) in zip(network.parameters(), hand.network.parameters()) {
            expectClose(
                found.tensor,
                expected.tensor,
                absolute: 1e-5,
                found.name,
                sourceLocation: sourceLocation
            )
        }
    }

    // MARK: - Cases

    @Test("with CutMix the loss is shared out between the labels of both images")
    func cutMix() throws {
        var isMixed = false
        let hand = try trainedByHand { network, step in
            let (x, labels) = batch(step, imageSeed: 5, .published)
            let mix = mixture(step, of: labels.count, imageSeed: 5)
            let others = mix.permutation.map { labels[$0] }
            isMixed = isMixed || (mix.ratio < 0.9 && others != labels)
            let logits = network(network.inPreferredOrder(mix.mixed(x)))
            let own = logits.crossEntropy(to: Tensor(labels))
            let other = logits.crossEntropy(to: Tensor(others))
            return own * mix.ratio + other * (1 - mix.ratio)
        }
        #expect(isMixed)
        try expectTraining(options(.published), like: hand)
    }

    @Test("without CutMix every image keeps its label, also after Siamese augmentation")
    func siamese() throws {
        let flips = Augmentation(flipProbability: 0.5)
        let siamese = SiameseAugmentation(SiameseAugmentation.Operation.allCases, mode: .all)
        let hand = try trainedByHand { network, step in
            let (x, labels) = batch(step, imageSeed: 9, flips, siamese)
            return network(network.inPreferredOrder(x)).crossEntropy(to: Tensor(labels))
        }
        var options = options(flips)
        options.siamese = siamese
        options.usesCutMix = false
        options.imageSeed = 9
        try expectTraining(options, like: hand)
    }

    /// Scores that depend on the step alone.
    private struct Scores: SoftLabelling {
        func logits(for images: Tensor, step: Int) -> Tensor {
            var generator = RandomGenerator(seed: 8, index: UInt64(step))
            return generator.normal([images.size(along: 0), 5]) * 3.0
        }
    }

    @Test("a teacher's scores take the place of the labels, softened by the temperature")
    func softLabels() throws {
        let hand = try trainedByHand { network, step in
            let (x, labels) = batch(step, imageSeed: 5, .published)
            let mixed = mixture(step, of: labels.count, imageSeed: 5).mixed(x)
            let target = (Scores().logits(for: mixed, step: step) / 4.0).softmax(along: 1)
            let own = (network(network.inPreferredOrder(mixed)) / 4.0).logSoftmax(along: 1)
            let each = target * (target.log() - own)
            return each.sum() / Double(labels.count)
        }
        var options = options(.published)
        options.temperature = 4
        try expectTraining(options, teacher: Scores(), like: hand)
    }

    /// Notes the images it is shown.
    private final class Recorder: SoftLabelling {
        private(set) var shown = [Tensor]()

        func logits(for images: Tensor, step: Int) -> Tensor {
            shown.append(images.copied())
            return .zeros([images.size(along: 0), 5])
        }
    }

    /// What a teacher sees while a student is trained.
    private func shown(seed: UInt64, imageSeed: UInt64?) throws -> [Tensor] {
        var options = options(.published)
        options.seed = seed
        options.imageSeed = imageSeed
        let recorder = Recorder()
        try SupervisedTraining.train(
            TrainingState(training: try makeNetwork(seed: seed), options: options),
            on: images,
            testing: nil,
            normalizedBy: statistics,
            options: options,
            teacher: recorder
        )
        return recorder.shown
    }

    @Test("with a seed for the images every student's teacher sees the same mixed images")
    func imageSeed() throws {
        let first = try shown(seed: 5, imageSeed: 9)
        let second = try shown(seed: 6, imageSeed: 9)
        let other = try shown(seed: 6, imageSeed: nil)
        try #require([first.count, second.count, other.count] == [6, 6, 6])
        for step in 0..<6 {
            let (x, labels) = batch(step, imageSeed: 9, .published)
            let mix = mixture(step, of: labels.count, imageSeed: 9)
            expectIdentical(first[step], mix.mixed(x), "step \(step)")
            expectIdentical(second[step], first[step], "step \(step)")
            #expect(!other[step].isEqual(to: first[step]), "step \(step)")
        }
    }
}
