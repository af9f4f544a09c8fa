import Checkpoints
import Distillation
import Foundation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

/// Forty images of two classes: bright to the left, bright to the right.
func smallImageSet(channels: Int = 1, size: Int = 16) throws -> ImageSet {
    var generator = RandomGenerator(seed: 3)
    let noise = generator.uniform([40, channels, size, size]) * 100
    let columns = Tensor.range(to: Double(size)).reshaped(1, 1, 1, size)
    let isRight = columns.compared(.greaterOrEqual, to: Double(size / 2)).converted(to: .float32)
    let sides = Tensor.stacked([1 - isRight, isRight]).reshaped(2, 1, 1, size).repeated(20, 1, 1, 1)
    return try ImageSet(
        images: (noise + sides * 120).converted(to: .uint8),
        labels: (0..<40).map { $0 % 2 },
        classNames: ["left", "right"]
    )
}

@Suite("Distribution matching")
struct DistributionMatchingTests {
    private func method(
        steps: Int,
        seed: UInt64 = 0,
        _ change: (inout DistributionMatching.Parameters) -> Void = { _ in }
    ) throws -> DistributionMatching {
        var parameters = DistributionMatching.Parameters()
        parameters.iterations = steps
        parameters.network = "convnet-2"
        parameters.realBatchSize = 12
        change(&parameters)
        return try DistributionMatching(
            RealImages(smallImageSet()),
            imagesPerClass: 3,
            parameters: parameters,
            seed: seed,
            precision: nil
        )
    }

    @Test("images from noise come nearer to real ones, and the loss falls")
    func learns() throws {
        let method = try method(steps: 40) { $0.initialization = .noise }
        let before = method.images()
        var losses = [Double]()
        try method.run { _, values in
            losses.append(values["loss"] ?? .nan)
            return true
        }
        #expect(losses.count == 40)
        let (first, last) = (losses.prefix(5).reduce(0, +), losses.suffix(5).reduce(0, +))
        #expect(last < 0.5 * first, "\(losses)")
        #expect(method.images().meanChange(from: before) > 0.01)
        // What cannot be seen is no change.
        let white = SyntheticImages(
            images: Tensor([1.0, 0.5], shape: [2, 1, 1, 1]),
            labels: [0, 1]
        )
        let beyond = SyntheticImages(
            images: Tensor([3.0, -0.5], shape: [2, 1, 1, 1]),
            labels: [0, 1]
        )
        #expect(beyond.meanChange(from: white) == 0.25)
        // Bright where the class is bright.
        let halves = method.images().images.mean(axes: [1, 2])  // [6, 16]
        let left = halves.sliced(0..<8, along: 1).mean(along: 1)
        let right = halves.sliced(8..<16, along: 1).mean(along: 1)
        let differences: [Float] = (left - right).values()
        #expect(differences.prefix(3).allSatisfy { $0 > 0 }, "\(differences)")
        #expect(differences.suffix(3).allSatisfy { $0 < 0 }, "\(differences)")
    }

    @Test("images begin as real ones, whose places are told")
    func origins() throws {
        let method = try method(steps: 1)
        let set = try smallImageSet()
        #expect(method.origins.count == 6)
        let images = method.images()
        for (image, origin) in method.origins.enumerated() {
            #expect(set.labels[origin[0]] == images.labels[image])
            expectClose(images.images[image], set.batch(origin)[0], absolute: 1e-6)
        }
        expectIdentical(images.pixels, set.images.gathered(method.origins.flatMap(\.self)))
        let noise = try self.method(steps: 1) { $0.initialization = .noise }
        #expect(noise.origins.isEmpty)
    }

    @Test("a resumed run has the bits of an uninterrupted one", arguments: [0, 2])
    func resumption(imagesAtOnce: Int) throws {
        func make() throws -> DistributionMatching {
            try method(steps: 7) { $0.imagesAtOnce = imagesAtOnce }
        }
        let whole = try make()
        try whole.run { _, _ in true }
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("state.safetensors")
            let first = try make()
            try first.run { step, _ in step < 3 }
            #expect(first.step == 3)
            try Safetensors.save(first.checkpoint(), to: file)
            let second = try make()
            try second.restore(Safetensors.load(contentsOf: file))
            try second.run { _, _ in true }
            for (name, tensor) in whole.checkpoint() {
                let found = try #require(second.checkpoint()[name])
                expectIdentical(found, tensor, name)
            }
        }
        let other = try method(steps: 7, seed: 1)
        try other.run { _, _ in true }
        #expect(!other.images().images.isEqual(to: whole.images().images))
    }

    @Test("the number of images at once changes rounding only")
    func atOnce() throws {
        let whole = try method(steps: 3)
        try whole.run { _, _ in true }
        for count in [1, 2, 4] {
            let parts = try method(steps: 3) { $0.imagesAtOnce = count }
            try parts.run { _, _ in true }
            expectClose(parts.images().images, whole.images().images, absolute: 1e-4, "\(count)")
        }
    }

    @Test("large images are bounded by their pixels")
    func bound() {
        var parameters = DistributionMatching.Parameters()
        #expect(parameters.boundedImagesAtOnce(height: 128, width: 128) == 256)
        #expect(parameters.boundedImagesAtOnce(height: 28, width: 28) == 256)
        #expect(parameters.boundedImagesAtOnce(height: 256, width: 256) == 64)
        #expect(parameters.boundedImagesAtOnce(height: 4096, width: 4096) == 1)
        parameters.imagesAtOnce = 0
        #expect(parameters.boundedImagesAtOnce(height: 256, width: 256) == 0)
        parameters.imagesAtOnce = .max
        #expect(parameters.boundedImagesAtOnce(height: 256, width: 256) > 1_000_000)
    }

    @Test("steps free what they make")
    func leaks() throws {
        let method = try method(steps: 12)
        try method.run { step, _ in step < 2 }
        try expectNoLeaks { try method.run { _, _ in true } }
    }

    @Test("learning rates are those that are known to work")
    func learningRates() throws {
        #expect(DistributionMatching.Parameters.usualLearningRate(of: .convNet(depth: 3)) == 1)
        #expect(DistributionMatching.Parameters.usualLearningRate(of: .resNet(depth: 18)) == 0.1)
    }

    @Test("settings that make no sense are refused with a reason")
    func refusals() throws {
        #expect(throws: NetworkError.self) { try method(steps: 1) { $0.network = "vgg-11" } }
        #expect(throws: NetworkError.self) { try method(steps: 1) { $0.network = "convnet-9" } }
        #expect(throws: TrainingError.self) { try method(steps: 1) { $0.realBatchSize = 0 } }
        #expect(throws: TrainingError.self) { try method(steps: 1) { $0.augmentation = "warp" } }
        let error = #expect(throws: TrainingError.self) {
            try DistributionMatching(
                RealImages(smallImageSet()),
                imagesPerClass: 21,
                parameters: .init(),
                seed: 0,
                precision: nil
            )
        }
        #expect(error?.message.contains("left has 20 images") == true)
        let state = try method(steps: 1).checkpoint()
        let larger = try DistributionMatching(
            RealImages(smallImageSet(channels: 3)),
            imagesPerClass: 3,
            parameters: .init(),
            seed: 0,
            precision: nil
        )
        #expect(throws: StateMismatchError.self) { try larger.restore(state) }
    }
}
