import Checkpoints
import Distillation
import Foundation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

/// Makes steps, through a file in between if there is a place to stop, and tells the last state.
func finalState(
    stoppingAt stop: Int? = nil,
    _ make: () throws -> any DistillationMethod
) throws -> StateDictionary {
    var method = try make()
    if let stop {
        try method.run { step, _ in step < stop }
        #expect(method.step == stop)
        let state = try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("state.safetensors")
            try Safetensors.save(method.checkpoint(), metadata: [:], to: file)
            return try Safetensors.load(contentsOf: file)
        }
        method = try make()
        try method.restore(state)
    }
    try method.run { _, _ in true }
    return method.checkpoint()
}

/// Expects that runs which were stopped end with the bits of one that was not.
func expectResumable(at stops: [Int], _ make: () throws -> any DistillationMethod) throws {
    let whole = try finalState(make)
    for stop in stops {
        let resumed = try finalState(stoppingAt: stop, make)
        #expect(resumed.names == whole.names)
        for (name, tensor) in whole {
            expectIdentical(try #require(resumed[name]), tensor, "stopped at \(stop): \(name)")
        }
    }
}

@Suite("IDC")
struct IDCTests {
    private func method(
        imagesPerClass: Int = 2,
        seed: UInt64 = 0,
        precision: DType? = nil,
        _ change: (inout IDC.Parameters) -> Void = { _ in }
    ) throws -> IDC {
        var parameters = IDC.Parameters()
        parameters.factor = 1
        parameters.networks = 2
        parameters.matchesPerNetwork = 3
        parameters.earlyEpochs = 1
        parameters.network = "convnet-2"
        parameters.realBatchSize = 8
        parameters.networkImages = 16
        parameters.baseImageSize = 16
        change(&parameters)
        return try IDC(
            RealImages(smallImageSet()),
            imagesPerClass: imagesPerClass,
            parameters: parameters,
            seed: seed,
            precision: precision
        )
    }

    @Test(
        "a resumed run has the bits of an uninterrupted one, wherever it was stopped",
        arguments: [1, 2]
    )
    func resumption(factor: Int) throws {
        // For each of two networks: three steps that only train it, three that match.
        try expectResumable(at: [1, 2, 3, 5, 6, 7, 11]) {
            try method {
                $0.factor = factor
                $0.syntheticBatchLimit = 5
            }
        }
    }

    @Test("another seed is another run")
    func seeds() throws {
        let first = try finalState { try method() }
        let second = try finalState { try method(seed: 1) }
        #expect(first["images"]?.isEqual(to: try #require(second["images"])) == false)
    }

    @Test("with one network that stays as it is, the gradients come nearer", arguments: [1, 2])
    func learns(factor: Int) throws {
        let method = try method {
            $0.networks = 1
            $0.matchesPerNetwork = 40
            $0.earlyEpochs = 0
            $0.networkImages = 0
            $0.realBatchSize = 20
            $0.augmentation = "none"
            $0.factor = factor
            $0.matching = GradientMatching(distance: .mse, layers: .convolutions)
            $0.imageLearningRate = 0.5
        }
        let before = method.images()
        var losses = [Double]()
        try method.run { _, values in
            #expect(values["networkLoss"] == nil)
            losses.append(try #require(values["loss"]))
            return true
        }
        #expect(losses.count == 40)
        let (first, last) = (losses[0], try #require(losses.last))
        #expect(last < 0.7 * first, "\(losses)")
        #expect(method.images().meanChange(from: before) > 1e-3)
    }

    @Test("networks learn before the first match")
    func earlyEpochs() throws {
        let method = try method {
            $0.networks = 1
            $0.earlyEpochs = 20
            $0.cutMixProbability = 0
        }
        #expect(method.stepCount == 20 * 3 + 3)
        var losses = [Double]()
        try method.run { step, values in
            #expect((values["loss"] != nil) == (step > 60))
            losses.append(try #require(values["networkLoss"]))
            return true
        }
        let (first, last) = (losses[..<3].reduce(0, +), losses[57..<60].reduce(0, +))
        #expect(last < 0.5 * first, "\(losses)")
    }

    @Test("with factor 1 images begin as real ones and are trained on as they are stored")
    func single() throws {
        let method = try method()
        let set = try smallImageSet()
        #expect(method.name == "idc-1")
        #expect(method.trainingImages() == nil)
        #expect(method.optimizedValueCount == 4 * 256)
        for (image, origin) in method.origins.enumerated() {
            #expect(set.labels[origin[0]] == method.images().labels[image])
            expectIdentical(method.images().pixels[image], set.images[origin[0]])
        }
    }

    @Test("with factor 2 four training images come from a stored one")
    func decoded() throws {
        let method = try method(imagesPerClass: 3) {
            $0.factor = 2
            $0.decoding = .bound
            $0.syntheticBatchLimit = 6
        }
        let set = try smallImageSet()
        #expect(method.name == "idc")
        let stored = method.images()
        #expect(stored.images.shape == [6, 1, 16, 16])
        #expect(stored.labels == [0, 0, 0, 1, 1, 1])
        let decoded = try #require(method.trainingImages())
        #expect(decoded.images.shape == [24, 1, 16, 16])
        #expect(decoded.labels == (0..<24).map { $0 / 12 })
        for (image, origin) in method.origins.enumerated() {
            #expect(origin.count == 4)
            #expect(origin.allSatisfy { set.labels[$0] == stored.labels[image] })
            // Every second pixel of the second origin is the tile above on the right.
            let shrunk = set.batch([origin[1]]).interpolated(height: 8, width: 8, bilinear: false)
            let tile = stored.images[image].sliced(0..<8, along: 1).sliced(8..<16, along: 2)
            expectIdentical(tile.contiguous(), shrunk[0])
        }
        try method.run { _, _ in true }
        #expect(method.step == 12)
    }

    @Test("the number of images at once changes rounding only", arguments: [1, 2])
    func atOnce(factor: Int) throws {
        func images(_ count: Int) throws -> Tensor {
            let method = try method {
                $0.factor = factor
                $0.imagesAtOnce = count
                $0.networks = 1
                $0.matching = GradientMatching(distance: .mse, layers: .convolutions)
            }
            try method.run { _, _ in true }
            return method.images().images
        }
        let whole = try images(0)
        for count in [1, 3] { expectClose(try images(count), whole, absolute: 1e-4) }
    }

    @Test("by default the images at once have a million pixels")
    func bound() {
        var parameters = IDC.Parameters()
        #expect(parameters.boundedImagesAtOnce(height: 128, width: 128) == 64)
        #expect(parameters.boundedImagesAtOnce(height: 2048, width: 2048) == 1)
        // All of a match of small images.
        let small = parameters.boundedImagesAtOnce(height: 32, width: 32)
        #expect(small >= parameters.syntheticBatchLimit)
        parameters.imagesAtOnce = 5
        #expect(parameters.boundedImagesAtOnce(height: 128, width: 128) == 5)
    }

    @Test("steps free what they make", arguments: [nil, DType.bfloat16])
    func leaks(precision: DType?) throws {
        let method = try method(precision: precision) { $0.factor = 2 }
        try method.run { step, _ in step < 7 }
        try expectNoLeaks { try method.run { _, _ in true } }
    }

    @Test("flip and colours come first, the cutout last, and one of the others between them")
    func augmentationRule() throws {
        let augmentation = try SiameseAugmentation("crop_cutout_scale_flip_color_rotate")
        var generator = RandomGenerator(seed: 1)
        var between = Set<String>()
        for _ in 0..<60 {
            let draw = augmentation.drawByIDC(height: 16, width: 16, using: &generator)
            let kinds = draw.changes.map { String("\($0)".prefix { $0 != "(" }) }
            #expect(kinds.count == 6)
            #expect(kinds.prefix(4) == ["flip", "brightness", "saturation", "contrast"])
            #expect(kinds.last == "cutout")
            between.insert(kinds[4])
        }
        #expect(between == ["crop", "scale", "rotation"])
        let published = try SiameseAugmentation(IDC.Parameters().augmentation)
        let draw = published.drawByIDC(imageCount: 5, height: 16, width: 16, using: &generator)
        #expect(draw.changes.count == 5)
        if case .cutout(let rows, _, let size) = draw.changes[4] {
            #expect(rows.count == 5 && size == 8)
        }
        let nothing = SiameseAugmentation.none.drawByIDC(height: 4, width: 4, using: &generator)
        #expect(nothing.changes.isEmpty)
    }

    @Test("settings that make no sense are refused with a reason")
    func refusals() throws {
        #expect(throws: NetworkError.self) { try method { $0.network = "vgg-11" } }
        #expect(throws: NetworkError.self) { try method { $0.network = "convnet-9" } }
        #expect(throws: TrainingError.self) { try method { $0.augmentation = "warp" } }
        let changes: [(String, (inout IDC.Parameters) -> Void)] = [
            ("factor", { $0.factor = 0 }), ("networks", { $0.networks = 0 }),
            ("earlyEpochs", { $0.earlyEpochs = -1 }), ("imagesAtOnce", { $0.imagesAtOnce = -1 }),
            ("imageLearningRate", { $0.imageLearningRate = 0 }),
            ("cutMixProbability", { $0.cutMixProbability = 1.5 }),
        ]
        for (name, change) in changes {
            let error = #expect(throws: TrainingError.self) { try method(change) }
            #expect(error?.message.contains(name) == true)
        }
        // Nine real images go into a stored one.
        let error = #expect(throws: TrainingError.self) {
            try method(imagesPerClass: 3) { $0.factor = 3 }
        }
        #expect(error?.message.contains("left has 20 images, but 27") == true, "\(error as Any)")
        let state = try method().checkpoint()
        #expect(throws: StateMismatchError.self) {
            try method(imagesPerClass: 3).restore(state)
        }
    }
}

@Suite("IDC's learning rate is the reference's", .tags(.golden))
struct IDCLearningRateGoldenTests {
    @Test("it grows with the images of a class and their pixels")
    func rule() throws {
        let table: [Double] = try Golden("schedules")["expected.tune_lr_img"].values()
        #expect(table.count > 20)
        for row in stride(from: 0, to: table.count, by: 4) {
            var parameters = IDC.Parameters()
            parameters.imageLearningRate = table[row + 2]
            let rate = parameters.scaledImageLearningRate(
                imagesPerClass: Int(table[row]),
                imageSize: Int(table[row + 1])
            )
            #expect(abs(rate - table[row + 3]) <= 1e-12 * table[row + 3])
        }
    }
}
