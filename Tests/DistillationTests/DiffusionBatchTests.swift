import Distillation
import TestSupport
import Testing
import Torch

/// Thirty images of three classes, whose latents are nothing but what is drawn for them.
private struct DrawnLatents: LatentSource {
    let labels = (0..<30).map { $0 % 3 }
    let latentShape = [1, 2, 2]

    var count: Int { labels.count }

    func latents(_ indices: [Int], using generator: inout RandomGenerator) -> Tensor {
        generator.normal([indices.count] + latentShape)
    }
}

@Suite("What is drawn for a batch")
struct DiffusionBatchTests {
    private func settings(dropProbability: Double, seed: UInt64) -> DiffusionBatch.Settings {
        DiffusionBatch.Settings(
            networkLabels: [2, 0, 1],
            nullLabel: 3,
            dropProbability: dropProbability,
            timestepCount: 1000,
            seed: seed,
            device: .cpu
        )
    }

    private func draw(
        step: Int,
        count: Int = 30,
        dropProbability: Double = 0.1,
        seed: UInt64 = 5
    ) -> DiffusionBatch {
        DiffusionBatch(
            from: DrawnLatents(),
            indices: (0..<count).map { $0 % 30 },
            step: step,
            settings: settings(dropProbability: dropProbability, seed: seed)
        )
    }

    @Test("one label in ten is dropped, whatever the class and the timestep")
    func droppedLabels() {
        let networkLabels = [2, 0, 1]
        var droppedByClass = [0, 0, 0]
        var timestepsOfDropped = [Int]()
        for step in 0..<100 {
            let batch = draw(step: step, count: 300)
            #expect(batch.classes == (0..<300).map { $0 % 3 })
            let labels: [Int] = batch.labels.values()
            let timesteps: [Int] = batch.timesteps.values()
            var wrong = 0
            for (place, label) in labels.enumerated() {
                let expected = networkLabels[batch.classes[place]]
                if label == 3 {
                    droppedByClass[batch.classes[place]] += 1
                    timestepsOfDropped.append(timesteps[place])
                } else if label != expected {
                    wrong += 1
                }
            }
            #expect(wrong == 0, "step \(step)")
        }
        // Of 10,000 images of each class.
        for count in droppedByClass { #expect((800...1200).contains(count), "\(droppedByClass)") }
        let mean = Double(timestepsOfDropped.reduce(0, +)) / Double(timestepsOfDropped.count)
        #expect((450...550).contains(mean), "\(mean)")
    }

    @Test("with probability 0 no label is dropped, with 1 every one")
    func extremeProbabilities() {
        let kept: [Int] = draw(step: 0, dropProbability: 0).labels.values()
        #expect(kept == (0..<30).map { [2, 0, 1][$0 % 3] })
        let dropped: [Int] = draw(step: 0, dropProbability: 1).labels.values()
        #expect(dropped == [Int](repeating: 3, count: 30))
    }

    @Test("timesteps are drawn from the whole range, each as often")
    func timesteps() {
        var seen = [Int]()
        for step in 0..<100 {
            let timesteps: [Int] = draw(step: step, count: 300).timesteps.values()
            seen += timesteps
        }
        #expect(Set(seen) == Set(0..<1000))
        let mean = Double(seen.reduce(0, +)) / Double(seen.count)
        #expect((490...509).contains(mean), "\(mean)")
    }

    @Test("noise is standard normal")
    func noise() {
        let noise = draw(step: 0, count: 3000).noise
        #expect(noise.shape == [3000, 1, 2, 2])
        #expect(abs(noise.mean().item) < 0.05)
        #expect(abs(noise.squared().mean().item - 1) < 0.08)
    }

    /// Everything that is drawn, by name.
    private func parts(_ batch: DiffusionBatch) -> [(String, Tensor)] {
        [
            ("x0", batch.x0), ("noise", batch.noise), ("timesteps", batch.timesteps),
            ("labels", batch.labels),
        ]
    }

    @Test("a step drawn again is the same; another step or seed is another draw of everything")
    func streams() {
        let first = draw(step: 0, dropProbability: 0.5)
        let again = draw(step: 0, dropProbability: 0.5)
        for ((name, a), (_, b)) in zip(parts(first), parts(again)) { expectIdentical(a, b, name) }
        for other in [
            draw(step: 1, dropProbability: 0.5), draw(step: 0, dropProbability: 0.5, seed: 6),
        ] {
            for ((name, a), (_, b)) in zip(parts(first), parts(other)) {
                #expect(!a.isEqual(to: b), "\(name)")
            }
        }
        // Latents and noise are no copies of each other.
        #expect(!first.x0.isEqual(to: first.noise))
    }

    @Test("a fine-tuning sees these batches, with the network's labels")
    func finetuning() throws {
        let source = try SmallTraining.source()
        func make() -> MinimaxDiffusion {
            var parameters = MinimaxDiffusion.Parameters()
            parameters.steps = 3
            parameters.batchSize = 8
            parameters.labelDropProbability = 0.5
            return MinimaxDiffusion(
                SmallTraining.model(scaled: true),
                networkLabels: [2, 0, 1],
                latentShape: source.latentShape,
                parameters: parameters,
                seed: 11,
                precision: nil,
                device: .cpu
            )
        }
        let whole = make()
        try whole.run(on: source) { _ in true }
        let byHand = make()
        var order = DataOrder(count: 30, batchSize: 8, seed: 11)
        for step in 0..<3 {
            _ = byHand.update(
                DiffusionBatch(
                    from: source,
                    indices: order.indices(at: step),
                    step: step,
                    settings: settings(dropProbability: 0.5, seed: 11)
                )
            )
        }
        let found = whole.checkpoint()
        for (name, tensor) in byHand.checkpoint() {
            expectIdentical(try #require(found[name]), tensor, name)
        }
    }
}

@Suite("The order of the images")
struct DataOrderTests {
    /// The batches of the first epochs: two of four images in each, and two images are left over.
    private func batches(epochs: Int, seed: UInt64 = 5) -> [[Int]] {
        var order = DataOrder(count: 10, batchSize: 4, seed: seed)
        return (0..<2 * epochs).map { order.indices(at: $0) }
    }

    @Test("an epoch has no image twice and leaves the incomplete batch out")
    func epochs() {
        let batches = batches(epochs: 20)
        #expect(batches.allSatisfy { $0.count == 4 })
        for epoch in 0..<20 {
            let seen = Set(batches[2 * epoch] + batches[2 * epoch + 1])
            #expect(seen.count == 8, "epoch \(epoch)")
            #expect(seen.isSubset(of: 0..<10), "epoch \(epoch)")
        }
        // Other images are left over in other epochs.
        #expect(Set(batches.flatMap(\.self)) == Set(0..<10))
    }

    @Test("every epoch and every seed has another order")
    func shuffling() {
        let batches = batches(epochs: 3)
        let orders = (0..<3).map { batches[2 * $0] + batches[2 * $0 + 1] }
        #expect(Set(orders).count == 3, "\(orders)")
        #expect(!orders.contains(Array(0..<8)), "\(orders)")
        #expect(self.batches(epochs: 3, seed: 6) != batches)
    }

    @Test("the batch of a step does not depend on which one was asked for before")
    func randomAccess() {
        let batches = batches(epochs: 3)
        var order = DataOrder(count: 10, batchSize: 4, seed: 5)
        for step in [5, 0, 3, 3, 2, 1, 4, 0] {
            let found = order.indices(at: step)
            #expect(found == batches[step], "step \(step)")
        }
    }

    @Test("a batch has no more images than there are")
    func smallSet() {
        var order = DataOrder(count: 3, batchSize: 8, seed: 5)
        for step in 0..<4 {
            let found = order.indices(at: step)
            #expect(found.sorted() == [0, 1, 2])
        }
    }
}
