import Distillation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

@Suite("Distribution matching matches the reference", .tags(.golden))
struct DistributionMatchingGoldenTests {
    /// The network of the file; its blocks are numbered through there.
    private func network(_ golden: Golden) throws -> ConvNet {
        let config = golden.config
        let depth = try config["depth"].int
        var generator = RandomGenerator(seed: 0)
        let network = try ConvNet(
            .init(
                imageSize: try config["size"].int,
                channels: try golden["input.syn"].size(along: 1),
                classCount: try config["nclass"].int,
                depth: depth,
                width: try config["width"].int
            ),
            using: &generator
        )
        let renamed = golden.group("model.").map { name, tensor -> (String, Tensor) in
            var name = name
            for block in 0..<depth {
                name = name.replacing("features.\(4 * block).", with: "layers.conv.\(block).")
                name = name.replacing("features.\(4 * block + 1).", with: "layers.norm.\(block).")
            }
            return (name, tensor)
        }
        try network.load(StateDictionary(renamed))
        network.freeze()
        return network
    }

    private func objective(_ golden: Golden, imagesAtOnce: Int) throws -> EmbeddingMatching {
        let (classes, size) = (try golden.config["nclass"].int, try golden.config["size"].int)
        let set = try ImageSet(
            images: .zeros([classes, 3, size, size], dtype: .uint8),
            labels: Array(0..<classes),
            classNames: (0..<classes).map { "\($0)" }
        )
        return try EmbeddingMatching(
            RealImages(set),
            network: .convNet(depth: 3),
            realBatchSize: 1,
            augmentation: .none,
            imagesAtOnce: imagesAtOnce,
            seed: 0,
            precision: nil
        )
    }

    @Test("the same by the operations that a GPU takes", arguments: [0, 2])
    func composedSteps(imagesAtOnce: Int) throws {
        try withoutFusedLoops { try steps(imagesAtOnce: imagesAtOnce) }
    }

    @Test(
        "embeddings, loss, gradient and three updates match, whatever is computed at once",
        arguments: [0, 1, 2, 5]
    )
    func steps(imagesAtOnce: Int) throws {
        let golden = try Golden("dm_loss")
        let network = try network(golden)
        let objective = try objective(golden, imagesAtOnce: imagesAtOnce)
        let images = try golden["input.syn"].copied()
        let n = try golden.config["ipc"].int
        let classes = try golden.config["nclass"].int
        let real = try golden["input.real"].chunked(classes, along: 0).map { $0.squeezed(0) }
        let synthetic = objective.means(
            count: classes,
            of: { images[$0 * n..<($0 + 1) * n] },
            in: network,
            chunk: nil
        )
        // Parts of a class, one class, and two and all of them together.
        let size = real[0].size(along: 0)
        for chunk in [max(1, size - 1), size, 2 * size + 1, nil] {
            let means = objective.means(
                count: classes,
                of: { real[$0] },
                in: network,
                chunk: chunk
            )
            for label in 0..<classes {
                expectClose(means[label], try golden["expected.mean_real.\(label)"], relative: 1e-4)
            }
        }
        for label in 0..<classes {
            expectClose(synthetic[label], try golden["expected.mean_syn.\(label)"], relative: 1e-4)
        }

        images.requiresGradient = true
        // As published: learning rate 1, momentum 0.5.
        let optimizer = SGD([("images", images)], learningRate: 1, momentum: 0.5)
        for step in 1...3 {
            let (loss, gradient) = objective.lossAndGradient(
                network,
                real: { real[$0] },
                images: images,
                imagesPerClass: n,
                changes: [SiameseAugmentation.Draw](repeating: .init([]), count: classes)
            )
            let expected = try golden["expected.loss.step\(step)"].item
            #expect(abs(loss - expected) <= 1e-4 * expected, "step \(step)")
            if step == 1 {
                expectClose(gradient, try golden["expected.grad_syn"], relative: 1e-3)
            }
            images.gradient = gradient
            optimizer.step()
        }
        expectClose(images, try golden["expected.syn_after_3_steps"], relative: 1e-3)
    }
}
