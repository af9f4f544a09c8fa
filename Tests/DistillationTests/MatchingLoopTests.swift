import Distillation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

/// A prior that only scales: its images are exactly those that its latents are made of.
private struct ScalingPrior: GenerativePrior {
    let layerCount = 1

    func requireImages(height: Int, width: Int, channels: Int) throws {}

    func latents(of images: Tensor) -> Tensor { images * 2 }

    func map(of latents: Tensor, before layer: Int) -> Tensor { latents }

    func images(of map: Tensor, latents: Tensor, from layer: Int) -> Tensor { map * 0.5 }
}

private let networkName = "convnet-2-w16"

private func makeObjective(
    _ kind: GLaD.Objective,
    _ real: RealImages,
    matching: GradientMatching = .dc,
    loops: CondensationObjective.Loops = .init(matches: 1, epochs: 0),
    realBatchSize: Int,
    augmentation: SiameseAugmentation = .published,
    imagesAtOnce: Int = 0,
    seed: UInt64 = 3
) throws -> any MatchingObjective {
    let network = try NetworkName(networkName)
    switch kind {
    case .dm:
        return try EmbeddingMatching(
            real,
            network: network,
            realBatchSize: realBatchSize,
            augmentation: augmentation,
            imagesAtOnce: imagesAtOnce,
            seed: seed,
            precision: nil
        )
    case .dc:
        return try CondensationObjective(
            real,
            network: network,
            matching: matching,
            loops: loops,
            realBatchSize: realBatchSize,
            augmentation: augmentation,
            imagesAtOnce: imagesAtOnce,
            seed: seed,
            precision: nil
        )
    }
}

@Suite("Real and synthetic images are changed by the same draws")
struct SameChangesTests {
    /// Squared differences, which are 0 for equal gradients whatever their length.
    private let matching = GradientMatching(distance: .mse, layers: .all)

    @Test(
        "all real images have no distance from themselves, but one from their mirror images",
        arguments: GLaD.Objective.allCases
    )
    func objectives(kind: GLaD.Objective) throws {
        let real = try RealImages(smallImageSet())
        let objective = try makeObjective(kind, real, matching: matching, realBatchSize: 100)
        let images = real.normalized(real.placesByClass.flatMap { $0.reversed() })
        let mirrored = images.flipped(along: 3)
        for step in 0..<8 {
            func loss(_ images: Tensor) throws -> Double {
                try objective.lossAndGradient(by: images, imagesPerClass: 20, step: step).loss
            }
            let (same, other) = (try loss(images), try loss(mirrored))
            #expect(other > 0, "step \(step)")
            #expect(same < 1e-4 * other, "step \(step): \(same) of \(other)")
        }
    }

    /// Expects that four steps find no loss and leave the images as they were.
    private func expectStill(_ method: any DistillationMethod) throws {
        let before = method.images()
        try method.run { step, values in
            let loss = try #require(values["loss"])
            #expect(loss < 1e-6, "step \(step)")
            return true
        }
        #expect(method.step == 4)
        #expect(method.images().meanChange(from: before) < 1e-4)
    }

    @Test("DM has nothing to change in all real images")
    func distributionMatching() throws {
        var parameters = DistributionMatching.Parameters()
        parameters.iterations = 4
        parameters.network = networkName
        let method = try DistributionMatching(
            RealImages(smallImageSet()),
            imagesPerClass: 20,
            parameters: parameters,
            seed: 3,
            precision: nil
        )
        try expectStill(method)
    }

    @Test("GLaD has nothing to change in the latents of all real images")
    func glad() throws {
        var parameters = GLaD.Parameters()
        parameters.iterations = 4
        parameters.network = networkName
        let method = try GLaD(
            RealImages(smallImageSet()),
            prior: ScalingPrior(),
            imagesPerClass: 20,
            parameters: parameters,
            seed: 3,
            precision: nil
        )
        try expectStill(method)
    }

    @Test("IDC finds no distance between all real images and themselves, but one from a half")
    func idc() throws {
        func losses(realBatchSize: Int) throws -> [Double] {
            var parameters = IDC.Parameters()
            parameters.factor = 1
            parameters.network = networkName
            parameters.networks = 4
            parameters.matchesPerNetwork = 1
            parameters.earlyEpochs = 0
            parameters.networkImages = 0
            parameters.realBatchSize = realBatchSize
            parameters.matching = matching
            parameters.augmentation = SiameseAugmentation.published.strategy
            let method = try IDC(
                RealImages(smallImageSet()),
                imagesPerClass: 20,
                parameters: parameters,
                seed: 3,
                precision: nil
            )
            var losses = [Double]()
            try method.run { _, values in
                losses.append(try #require(values["loss"]))
                return true
            }
            return losses
        }
        let (all, half) = (try losses(realBatchSize: 64), try losses(realBatchSize: 10))
        #expect(all.count == 4 && half.count == 4)
        for (same, other) in zip(all, half) {
            #expect(other > 0)
            #expect(same < 1e-4 * other, "\(same) of \(other)")
        }
    }
}

@Suite("The loops of the methods that match")
struct MatchingLoopTests {
    /// Expects that values moved by the same steps, and not only by rounding.
    private func expectMoved(_ found: Tensor, like expected: Tensor, from start: Tensor) {
        let movement = expected - start
        #expect(movement.magnitude().max().item > 1e-3)
        expectClose(found - start, movement, relative: 1e-2)
    }

    @Test("DM descends along the objective's gradient with momentum, step by step")
    func distributionMatching() throws {
        let real = try RealImages(smallImageSet())
        var parameters = DistributionMatching.Parameters()
        parameters.iterations = 3
        parameters.imageLearningRate = 0.5
        parameters.momentum = 0.25
        parameters.network = networkName
        parameters.realBatchSize = 8
        parameters.imagesAtOnce = 0
        let method = try DistributionMatching(
            real,
            imagesPerClass: 2,
            parameters: parameters,
            seed: 3,
            precision: nil
        )
        let start = method.surrogate.tensor.detached().copied()
        let objective = try makeObjective(.dm, real, realBatchSize: 8)
        var images = start
        var velocity = Tensor.zeros(like: start)
        for step in 0..<3 {
            let result = try objective.lossAndGradient(by: images, imagesPerClass: 2, step: step)
            velocity = velocity * 0.25 + result.gradient
            images = images - velocity * 0.5
            let values = try method.update()
            let loss = try #require(values["loss"])
            #expect(abs(loss - result.loss) < 1e-4 * result.loss, "step \(step)")
        }
        expectMoved(method.surrogate.tensor.detached(), like: images, from: start)
    }

    @Test(
        "GLaD descends along the gradient that the prior and the normalisation hand on",
        arguments: GLaD.Objective.allCases
    )
    func glad(kind: GLaD.Objective) throws {
        let real = try RealImages(smallImageSet())
        var parameters = GLaD.Parameters()
        parameters.iterations = 2
        parameters.objective = kind
        // The network is trained between the two steps.
        parameters.matchesPerNetwork = 10
        parameters.networkEpochs = 2
        parameters.latentLearningRate = 1
        parameters.momentum = 0.25
        parameters.network = networkName
        parameters.realBatchSize = 8
        parameters.imagesAtOnce = 7
        let method = try GLaD(
            real,
            prior: ScalingPrior(),
            imagesPerClass: 10,
            parameters: parameters,
            seed: 3,
            precision: nil
        )
        let start = method.surrogate.latents.detached().copied()
        let objective = try makeObjective(
            kind,
            real,
            loops: .init(matches: 10, epochs: 2),
            realBatchSize: 8,
            imagesAtOnce: 7
        )
        var latents = start
        var velocity = Tensor.zeros(like: start)
        for step in 0..<2 {
            let result = try objective.lossAndGradient(
                by: real.statistics.normalized(latents * 0.5),
                imagesPerClass: 10,
                step: step
            )
            velocity = velocity * 0.25 + result.gradient * (0.5 / real.statistics.deviation[0])
            latents = latents - velocity
            let values = try method.update()
            let loss = try #require(values["loss"])
            #expect(abs(loss - result.loss) < 1e-3 * result.loss, "step \(step)")
        }
        expectMoved(method.surrogate.latents.detached(), like: latents, from: start)
    }

    @Test("IDC descends class by class, and the momentum of all images goes on in every match")
    func idc() throws {
        let real = try RealImages(smallImageSet())
        let matching = GradientMatching(distance: .mse, layers: .convolutions)
        var parameters = IDC.Parameters()
        parameters.factor = 1
        parameters.network = networkName
        parameters.networks = 1
        parameters.matchesPerNetwork = 2
        parameters.earlyEpochs = 0
        parameters.networkImages = 0
        parameters.realBatchSize = 8
        parameters.matching = matching
        parameters.imageLearningRate = 50
        parameters.imageMomentum = 0.25
        parameters.baseImageSize = 16
        parameters.augmentation = "flip_crop"
        let method = try IDC(
            real,
            imagesPerClass: 2,
            parameters: parameters,
            seed: 3,
            precision: nil
        )
        let start = method.stored.tensor.detached().copied()
        let network = try real.makeMatchingNetwork(
            NetworkName(networkName),
            number: 0,
            seed: 3
        )
        let augmentation = try SiameseAugmentation("flip_crop")
        var images = start
        var velocity = Tensor.zeros(like: start)
        for step in 0..<2 {
            var distances = 0.0
            for label in 0..<2 {
                var generator = RandomGenerator(
                    seed: 3,
                    purpose: .siamese,
                    label: step,
                    image: label
                )
                let change = augmentation.drawByIDC(height: 16, width: 16, using: &generator)
                let places = real.places(8, ofClass: label, step: step, seed: 3)
                let target = matching.gradients(
                    of: network,
                    on: (change(real.normalized(places)), real.labels(label, count: 8))
                )
                let leaf = images.detached()
                leaf.requiresGradient = true
                let changed = change(real.statistics.normalized(leaf[2 * label..<2 * label + 2]))
                let result = matching.match(
                    target,
                    with: (changed.detached(), real.labels(label, count: 2)),
                    on: network
                )
                let gradients = Tensor.gradients(
                    of: [changed],
                    by: [leaf],
                    weights: [result.gradient]
                )
                velocity = velocity * 0.25 + (try #require(gradients[0]))
                // 50 for ten images of a class, so 10 for two.
                images = images - velocity * 10
                distances += result.distance
            }
            let values = try method.update()
            let loss = try #require(values["loss"])
            #expect(abs(loss - distances / 2) < 1e-3 * loss, "step \(step)")
        }
        expectMoved(method.stored.tensor.detached(), like: images, from: start)
    }
}
