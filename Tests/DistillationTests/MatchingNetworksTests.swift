import Distillation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

private let networkName = "convnet-2-w16"

/// Expects the weights of a network, by name.
private func expectWeights(
    _ found: StateDictionary,
    _ expected: StateDictionary,
    absolute: Double = 0,
    _ label: String,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    #expect(found.names == expected.names, "\(label)", sourceLocation: sourceLocation)
    for (name, tensor) in expected {
        expectClose(
            try #require(found[name], sourceLocation: sourceLocation),
            tensor,
            absolute: absolute,
            "\(label): \(name)",
            sourceLocation: sourceLocation
        )
    }
}

/// The largest difference between the weights of two networks.
private func distance(_ a: StateDictionary, _ b: StateDictionary) throws -> Double {
    try a.map { name, tensor -> Double in
        let other = try #require(b[name])
        return (tensor.detached() - other.detached()).magnitude().max().item
    }.max() ?? 0
}

@Suite("The networks of matching methods")
struct MatchingNetworksTests {
    @Test("each number and each seed is another network, and always the same one")
    func numbers() throws {
        let real = try RealImages(smallImageSet())
        func weights(_ number: Int, seed: UInt64 = 3) throws -> StateDictionary {
            try real.makeMatchingNetwork(NetworkName(networkName), number: number, seed: seed)
                .state()
        }
        let first = try weights(0)
        try expectWeights(try weights(0), first, "made again")
        for other in [try weights(1), try weights(2), try weights(0, seed: 4)] {
            for (name, tensor) in other
            where name.hasPrefix("layers.conv") || name.hasPrefix("classifier") {
                let same = try #require(first[name])
                #expect(!tensor.isEqual(to: same), "\(name)")
            }
        }
    }

    @Test("every step of DM has another network")
    func distributionMatching() throws {
        let real = try RealImages(smallImageSet())
        let objective = try EmbeddingMatching(
            real,
            network: NetworkName(networkName),
            realBatchSize: 20,
            augmentation: .none,
            imagesAtOnce: 0,
            seed: 3,
            precision: nil
        )
        // All real images are compared with the same synthetic ones, so only networks differ.
        let images = real.normalized([0, 2, 1, 3])
        func loss(_ step: Int) throws -> Double {
            try objective.lossAndGradient(by: images, imagesPerClass: 2, step: step).loss
        }
        let losses = try (0..<3).map(loss)
        let again = try loss(0)
        #expect(abs(again - losses[0]) < 1e-5 * losses[0])
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            #expect(abs(losses[a] - losses[b]) > 1e-4 * losses[a], "\(losses)")
        }
    }

    @Test("DC trains a network on the synthetic images between two matches, then takes the next")
    func condensation() throws {
        let real = try RealImages(smallImageSet())
        let name = try NetworkName(networkName)
        let augmentation = SiameseAugmentation.published
        let objective = try CondensationObjective(
            real,
            network: name,
            loops: .init(matches: 3, epochs: 2),
            realBatchSize: 8,
            augmentation: augmentation,
            networkLearningRate: 0.05,
            imagesAtOnce: 0,
            seed: 3,
            precision: nil
        )
        let images = real.normalized([0, 2, 4, 1, 3, 5])
        let network = try real.makeMatchingNetwork(name, number: 0, seed: 3)
        let optimizer = SGD(network.trainableParameters(), learningRate: 0.05)
        for step in 0..<3 {
            _ = try objective.lossAndGradient(by: images, imagesPerClass: 3, step: step)
            let before = network.state().mapValues { $0.detached().copied() }
            var generator = RandomGenerator(
                seed: 3,
                purpose: .networkTraining,
                index: UInt64(step)
            )
            for _ in 0..<(step == 0 ? 0 : 2) {
                let order = generator.permutation(6)
                let x = augmentation(images.gathered(order), using: &generator)
                optimizer.zeroGradients()
                network(x).crossEntropy(to: Tensor(order.map { $0 / 3 })).backward()
                optimizer.step()
            }
            let moved = try distance(network.state(), before)
            #expect((moved > 1e-4) == (step > 0), "step \(step)")
            try expectWeights(objective.state(), network.state(), absolute: 1e-5, "step \(step)")
        }
        _ = try objective.lossAndGradient(by: images, imagesPerClass: 3, step: 3)
        let next = try real.makeMatchingNetwork(name, number: 1, seed: 3)
        try expectWeights(objective.state(), next.state(), "the next network")
    }
}

/// A network of IDC and its training, written out.
private struct WrittenOutTraining {
    let real: RealImages
    let parameters: IDC.Parameters
    let network: any ImageClassifier
    let optimizer: SGD
    /// The changes of the images in the training of a network.
    let augmentation: SiameseAugmentation

    init(
        _ real: RealImages,
        number: Int,
        seed: UInt64,
        parameters: IDC.Parameters,
        augmentation: SiameseAugmentation
    ) throws {
        self.real = real
        self.parameters = parameters
        self.augmentation = augmentation
        network = try real.makeMatchingNetwork(
            NetworkName(parameters.network),
            number: number,
            seed: seed
        )
        optimizer = SGD(
            network.trainableParameters(),
            learningRate: parameters.networkLearningRate,
            momentum: parameters.networkMomentum,
            weightDecay: parameters.networkWeightDecay
        )
    }

    /// One update; tells its loss, and how much of it came from labels of other images.
    func update(
        on batch: [Int],
        using generator: inout RandomGenerator
    ) -> (loss: Double, mixedShare: Double) {
        var x = real.normalized(batch)
        x = augmentation.drawByIDC(
            imageCount: batch.count,
            height: 16,
            width: 16,
            using: &generator
        )(x)
        let isMixed = generator.uniform() < parameters.cutMixProbability
        let own = batch.map { real.set.labels[$0] }
        var others = own
        var share = 0.0
        if isMixed {
            let mix = CutMix(batch: batch.count, height: 16, width: 16, using: &generator)
            x = mix.mixed(x)
            others = mix.permutation.map { own[$0] }
            share = 1 - mix.ratio
        }
        let logits = network(x)
        let loss =
            logits.crossEntropy(to: Tensor(own)) * (1 - share)
            + logits.crossEntropy(to: Tensor(others)) * share
        optimizer.zeroGradients()
        loss.backward()
        optimizer.step()
        return (loss.item, own == others ? 0 : share)
    }

    /// Updates on neighbouring parts of a list of images; tells their mean loss.
    func train(on places: [Int], using generator: inout RandomGenerator) -> Double {
        var sum = 0.0
        for start in stride(from: 0, to: places.count, by: parameters.realBatchSize) {
            let end = min(start + parameters.realBatchSize, places.count)
            let batch = Array(places[start..<end])
            sum += update(on: batch, using: &generator).loss * Double(batch.count)
        }
        return sum / Double(places.count)
    }
}

@Suite("The networks of IDC")
struct IDCNetworksTests {
    private var parameters: IDC.Parameters {
        var parameters = IDC.Parameters()
        parameters.factor = 1
        parameters.network = networkName
        parameters.networks = 2
        parameters.matchesPerNetwork = 2
        parameters.earlyEpochs = 0
        parameters.realBatchSize = 8
        parameters.networkLearningRate = 0.05
        parameters.networkMomentum = 0.5
        parameters.networkWeightDecay = 0.01
        parameters.augmentation = "none"
        parameters.cutMixProbability = 0
        return parameters
    }

    private func method(_ real: RealImages, _ parameters: IDC.Parameters) throws -> IDC {
        try IDC(real, imagesPerClass: 2, parameters: parameters, seed: 3, precision: nil)
    }

    /// The weights of the network of the moment, copied.
    private func weights(_ method: IDC) -> StateDictionary {
        method.checkpoint().removingPrefix("network.model.").mapValues { $0.detached().copied() }
    }

    @Test("a network without images to learn from stays the same until the next one begins")
    func untrained() throws {
        let real = try RealImages(smallImageSet())
        var parameters = parameters
        parameters.networkImages = 0
        let method = try method(real, parameters)
        #expect(method.stepCount == 4)
        for step in 0..<4 {
            let values = try method.update()
            #expect(values["networkLoss"] == nil)
            let made = try real.makeMatchingNetwork(
                NetworkName(networkName),
                number: step / 2,
                seed: 3
            )
            try expectWeights(weights(method), made.state(), "step \(step)")
        }
    }

    @Test("a network learns for whole epochs, then from whole batches after every match")
    func training() throws {
        let real = try RealImages(smallImageSet())
        var parameters = parameters
        parameters.earlyEpochs = 2
        // Two batches; an epoch of 40 images takes three steps.
        parameters.networkImages = 10
        let method = try method(real, parameters)
        #expect(method.earlyStepsPerNetwork == 6)
        #expect(method.stepCount == 16)
        for network in 0..<2 {
            let training = try WrittenOutTraining(
                real,
                number: network,
                seed: 3,
                parameters: parameters,
                augmentation: .none
            )
            for position in 0..<8 {
                let step = 8 * network + position
                var generator = RandomGenerator(
                    seed: 3,
                    purpose: .networkTraining,
                    index: UInt64(step)
                )
                var places: [Int]
                if position < 6 {
                    // Every image once an epoch.
                    let epoch = UInt64(2 * network + position / 3)
                    var order = RandomGenerator(seed: 3, purpose: .dataOrder, index: epoch)
                    places = order.permutation(40)
                    places = Array(places[16 * (position % 3)..<min(16 * (position % 3 + 1), 40)])
                } else {
                    places = Array(generator.permutation(40).prefix(16))
                }
                let loss = training.train(on: places, using: &generator)

                let before = weights(method)
                let values = try method.update()
                let found = try #require(values["networkLoss"])
                #expect((values["loss"] != nil) == (position >= 6), "step \(step)")
                #expect(abs(found - loss) < 1e-4, "step \(step)")
                #expect(try distance(weights(method), before) > 1e-4, "step \(step)")
                try expectWeights(
                    weights(method),
                    training.network.state(),
                    absolute: 1e-4,
                    "step \(step)"
                )
            }
        }
    }

    @Test("CutMix mixes the labels as it mixes the images, and takes the place of the cutout")
    func cutMix() throws {
        let real = try RealImages(smallImageSet())
        for probability in [0.0, 1] {
            var parameters = parameters
            parameters.earlyEpochs = 1
            parameters.networkImages = 8
            parameters.cutMixProbability = probability
            parameters.augmentation = "flip_cutout"
            let method = try method(real, parameters)
            #expect(method.earlyStepsPerNetwork == 5)
            let training = try WrittenOutTraining(
                real,
                number: 0,
                seed: 3,
                parameters: parameters,
                augmentation: SiameseAugmentation(probability == 0 ? "flip_cutout" : "flip")
            )
            var order = RandomGenerator(seed: 3, purpose: .dataOrder, index: 0)
            let places = order.permutation(40)
            var largestShare = 0.0
            for step in 0..<5 {
                var generator = RandomGenerator(
                    seed: 3,
                    purpose: .networkTraining,
                    index: UInt64(step)
                )
                let batch = Array(places[8 * step..<8 * (step + 1)])
                let expected = training.update(on: batch, using: &generator)
                largestShare = max(largestShare, expected.mixedShare)
                let values = try method.update()
                let found = try #require(values["networkLoss"])
                #expect(abs(found - expected.loss) < 1e-4, "\(probability), step \(step)")
            }
            // Labels of other images counted for something.
            #expect((largestShare > 0.1) == (probability > 0))
            try expectWeights(
                weights(method),
                training.network.state(),
                absolute: 1e-4,
                "\(probability)"
            )
        }
    }
}
