import Distillation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

/// Images of few large pixels: a prior of two layers that is no autoencoder of this project.
private struct CoarsePrior: GenerativePrior {
    let layerCount = 2

    func requireImages(height: Int, width: Int, channels: Int) throws {}

    func latents(of images: Tensor) -> Tensor { images.averagePooled(kernelSize: 2) }

    func map(of latents: Tensor, before layer: Int) -> Tensor {
        layer == 0 ? latents : latents.interpolated(height: 16, width: 16, bilinear: false)
    }

    func images(of map: Tensor, latents: Tensor, from layer: Int) -> Tensor {
        layer == 0 ? self.map(of: map, before: 1) : map
    }
}

@Suite("GLaD")
struct GLaDTests {
    private func tinyPrior(channels: Int = 1) throws -> TinyAutoencoder {
        let prior = try TinyAutoencoder(
            .init(imageChannels: channels, latentChannels: 4, width: 8)
        )
        var generator = RandomGenerator(seed: 5)
        prior.initializeWeights(using: &generator)
        prior.freeze()
        prior.setTraining(false)
        return prior
    }

    private func stablePrior(channels: Int = 1) throws -> AutoencoderKL {
        var configuration = AutoencoderKL.Configuration()
        configuration.imageChannels = channels
        configuration.blockChannels = [8, 8, 16]
        configuration.normGroupCount = 4
        configuration.layersPerBlock = 1
        let prior = try AutoencoderKL(configuration)
        var generator = RandomGenerator(seed: 6)
        prior.initializeWeights(using: &generator)
        prior.freeze()
        prior.setTraining(false)
        return prior
    }

    private func priors() throws -> [any GenerativePrior] { [try tinyPrior(), try stablePrior()] }

    private func method(
        prior: (any GenerativePrior)? = nil,
        imagesPerClass: Int = 2,
        seed: UInt64 = 0,
        _ change: (inout GLaD.Parameters) -> Void = { _ in }
    ) throws -> GLaD {
        var parameters = GLaD.Parameters()
        parameters.iterations = 6
        parameters.network = "convnet-2"
        parameters.realBatchSize = 10
        parameters.imagesAtOnce = 3
        change(&parameters)
        return try GLaD(
            RealImages(smallImageSet()),
            prior: prior ?? tinyPrior(),
            imagesPerClass: imagesPerClass,
            parameters: parameters,
            seed: seed,
            precision: nil
        )
    }

    @Test("the parts of a prior make the whole, wherever it is split")
    func split() throws {
        var generator = RandomGenerator(seed: 1)
        let tiny = try tinyPrior()
        let z = generator.normal([3, 4, 2, 2])
        for layer in 0..<tiny.layerCount {
            let map = tiny.map(of: z, before: layer)
            expectIdentical(tiny.images(of: map, latents: z, from: layer), tiny.decode(z))
        }
        let stable = try stablePrior()
        #expect(stable.layerCount == 6)
        for layer in 0..<stable.layerCount {
            let map = stable.map(of: z, before: layer)
            let images = stable.images(of: map, latents: z, from: layer)
            expectClose(images, (stable.decode(z) + 1) * 0.5, absolute: 1e-5)
        }
    }

    @Test("the split backward pass has the gradients of the plain one", arguments: [1, 2, 5, 9])
    func splitBackward(imagesAtOnce: Int) throws {
        var generator = RandomGenerator(seed: 2)
        let images = generator.uniform([5, 1, 16, 16])
        let weights = generator.normal([5, 1, 16, 16])
        for prior in try priors() {
            for layer in [0, 2, prior.layerCount - 1] {
                let inside = PriorImages(
                    of: images,
                    prior: prior,
                    layer: layer,
                    imagesAtOnce: imagesAtOnce
                )
                // The map is moved, so that both terms count.
                if let changes = inside.changes {
                    changes.copy(from: generator.normal(changes.shape) * 0.1)
                }
                expectNoLeaks {
                    inside.propagate(weights)
                    for (_, value) in inside.values { value.gradient = nil }
                }
                inside.propagate(weights)

                let leaves = inside.values.map { $0.value.detached().copied() }
                for leaf in leaves { leaf.requiresGradient = true }
                var map = prior.map(of: leaves[0], before: layer)
                if leaves.count > 1 { map = map + leaves[1] }
                let whole = prior.images(of: map, latents: leaves[0], from: layer)
                expectClose(inside.images(), whole, relative: 1e-5)
                whole.backward(weights: weights)
                #expect(inside.values.count == (layer == 0 ? 1 : 2))
                for ((name, value), leaf) in zip(inside.values, leaves) {
                    expectClose(
                        try #require(value.gradient),
                        try #require(leaf.gradient),
                        relative: 1e-4,
                        "\(type(of: prior)), layer \(layer): \(name)"
                    )
                }
            }
        }
    }

    @Test("a prior is adapted to grey images of sizes that it cannot make")
    func adaptation() throws {
        let base = try tinyPrior(channels: 3)
        let prior = try AdaptedPrior(
            base,
            downsampling: 8,
            baseChannels: 3,
            height: 13,
            width: 16,
            channels: 1
        )
        #expect(prior.layerCount == base.layerCount)
        try prior.requireImages(height: 13, width: 16, channels: 1)
        #expect(throws: TrainingError.self) {
            try prior.requireImages(height: 16, width: 16, channels: 1)
        }
        var generator = RandomGenerator(seed: 7)
        let images = generator.uniform([2, 1, 13, 16])
        // One row continued above, two below; three equal colours.
        let continued = images.gathered([0] + Array(0..<13) + [12, 12], along: 2)
        let colours = Tensor.concatenated([continued, continued, continued], along: 1)
        let latents = prior.latents(of: images)
        expectIdentical(latents, base.encode(colours))
        for layer in [0, 3] {
            let map = prior.map(of: latents, before: layer)
            let made = prior.images(of: map, latents: latents, from: layer)
            #expect(made.shape == [2, 1, 13, 16])
            let expected = base.decode(latents).sliced(1..<14, along: 2)
            expectClose(made, expected.mean(axes: [1], keepingAxes: true), absolute: 1e-6)
        }
        // Two channels are neither its own nor grey.
        #expect(throws: NetworkError.self) {
            try AdaptedPrior(
                base,
                downsampling: 8,
                baseChannels: 3,
                height: 16,
                width: 16,
                channels: 2
            )
        }
    }

    @Test("images begin as real ones went through the autoencoder")
    func beginning() throws {
        let set = try smallImageSet()
        for layer in [0, 7] {
            let method = try method { $0.layer = layer }
            let prior = try tinyPrior()
            let real = set.batch(method.origins.flatMap(\.self))
            #expect(method.origins.map { set.labels[$0[0]] } == [0, 0, 1, 1])
            expectClose(
                method.images().images,
                prior.decode(prior.encode(real)),
                absolute: 1e-5
            )
            #expect(method.optimized.names == (layer == 0 ? ["latents"] : ["latents", "changes"]))
        }
    }

    @Test(
        "the objective falls, with another prior too",
        arguments: GLaD.Objective.allCases,
        [0, 1]
    )
    func learns(kind: GLaD.Objective, layer: Int) throws {
        let method = try method(prior: CoarsePrior(), imagesPerClass: 1) {
            $0.objective = kind
            $0.layer = layer
            $0.iterations = 50
            $0.latentLearningRate = kind == .dm ? 0.005 : 0.004
            $0.mapLearningRate = kind == .dm ? 0.05 : 0.01
        }
        let real = try RealImages(smallImageSet())
        let augmentation = SiameseAugmentation.published
        let objective: any MatchingObjective =
            switch kind {
            case .dm:
                try EmbeddingMatching(
                    real,
                    network: .convNet(depth: 2),
                    realBatchSize: 20,
                    augmentation: augmentation,
                    imagesAtOnce: 0,
                    seed: 9,
                    precision: nil
                )
            case .dc:
                try CondensationObjective(
                    real,
                    network: .convNet(depth: 2),
                    loops: .init(matches: 1, epochs: 1),
                    realBatchSize: 20,
                    augmentation: augmentation,
                    imagesAtOnce: 0,
                    seed: 9,
                    precision: nil
                )
            }
        /// On networks and draws that the run does not see.
        func loss() throws -> Double {
            let images = real.statistics.normalized(method.images().images)
            return try (0..<8).reduce(0) { sum, step in
                try sum + objective.lossAndGradient(by: images, imagesPerClass: 1, step: step).loss
            }
        }
        let before = try loss()
        try method.run { _, _ in true }
        let after = try loss()
        #expect(after < 0.9 * before, "\(before) \(after)")
    }

    @Test(
        "a resumed run has the bits of an uninterrupted one",
        arguments: GLaD.Objective.allCases
    )
    func resumption(objective: GLaD.Objective) throws {
        try expectResumable(at: [1, 4]) {
            // With ten images of a class a network of DC serves for ten matches.
            try method(imagesPerClass: 10) {
                $0.objective = objective
                $0.layer = 3
                $0.imagesAtOnce = 7
            }
        }
    }

    @Test("steps free what they make", arguments: GLaD.Objective.allCases)
    func leaks(objective: GLaD.Objective) throws {
        let method = try method {
            $0.objective = objective
            $0.layer = 3
        }
        try method.run { step, _ in step < 2 }
        try expectNoLeaks { try method.run { _, _ in true } }
    }

    @Test("what does not fit is refused with a reason")
    func refusals() throws {
        let unfit = #expect(throws: NetworkError.self) { try method(prior: tinyPrior(channels: 3)) }
        #expect(unfit?.message.contains("3 channels") == true)
        for layer in [-1, 20] {
            let error = #expect(throws: TrainingError.self) { try method { $0.layer = layer } }
            #expect(error?.message.contains("expected a layer from 0") == true)
        }
        #expect(throws: NetworkError.self) { try method { $0.network = "vgg-11" } }
        #expect(throws: TrainingError.self) { try method { $0.iterations = 0 } }
        #expect(throws: TrainingError.self) { try method { $0.realBatchSize = 0 } }
        let state = try method().checkpoint()
        #expect(throws: StateMismatchError.self) { try method(imagesPerClass: 3).restore(state) }
        #expect(throws: StateMismatchError.self) { try method { $0.layer = 3 }.restore(state) }
    }
}
