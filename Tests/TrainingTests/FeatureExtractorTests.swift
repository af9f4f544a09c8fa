import Checkpoints
import Datasets
import Foundation
import Images
import Models
import TestSupport
import Testing
import Torch
import Training

/// Images in memory that look like files: each of its own size.
private struct Pictures: LabelledImages {
    let sizes: [(Int, Int)]
    let channels: Int
    let name = "pictures"
    let classNames = ["a", "b"]
    var count: Int { sizes.count }
    func label(at index: Int) -> Int { index % 2 }
    func identifier(at index: Int) -> String { "picture-\(index)" }
    func contentDigest(at index: Int) throws -> [UInt8] { [UInt8(index)] }
    func image(at index: Int) throws -> Image {
        let (width, height) = sizes[index]
        var generator = RandomGenerator(seed: UInt64(index))
        let bytes = generator.integers(width * height * channels, below: 256).map { UInt8($0) }
        return Image(width: width, height: height, channels: channels, bytes: bytes)
    }
}

@Suite("Features of images")
struct FeatureExtractorTests {
    private func network(size: Int = 8, channels: Int = 3) throws -> ConvNet {
        var generator = RandomGenerator(seed: 1, purpose: .initialization)
        return try ConvNet(
            .init(imageSize: size, channels: channels, classCount: 2, depth: 2, width: 4),
            using: &generator
        )
    }

    private let statistics = ChannelStatistics(mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.3, 0.4])

    private func extractor(_ network: ConvNet) -> FeatureExtractor {
        FeatureExtractor(
            network,
            name: "convnet-2",
            imageSize: 8,
            channels: 3,
            normalizedBy: statistics
        )
    }

    private func images(_ count: Int, channels: Int, size: Int) throws -> ImageSet {
        var generator = RandomGenerator(seed: 2)
        let values = generator.integers(count * channels * size * size, below: 256)
        return try ImageSet(
            images: Tensor(values.map { UInt8($0) }, shape: [count, channels, size, size]),
            labels: (0..<count).map { $0 % 2 },
            classNames: ["a", "b"]
        )
    }

    @Test("they are what the network's last layer sees, whatever the batches")
    func networkFeatures() throws {
        let network = try network()
        // 1,100 images are two batches.
        let set = try images(1_100, channels: 3, size: 8)
        var heard = [Int]()
        let features = extractor(network).features(of: set) { heard.append($0) }
        #expect(heard == [1024, 1100])
        #expect(features.shape == [1_100, 16] && features.dtype == .float32)
        #expect(!features.requiresGradient)
        let places = [0, 1_023, 1_024, 1_099]
        let expected = withoutGradient {
            network.features(statistics.normalized(set.batch(places)))
        }
        expectClose(features.gathered(places), expected, relative: 1e-5)
        #expect(network.isTraining)
    }

    @Test("files of any size give what their middle squares give")
    func files() throws {
        let pictures = Pictures(sizes: [(8, 8), (16, 24), (31, 17), (5, 9)], channels: 3)
        let extractor = FeatureExtractor.pixels(size: 8, channels: 3)
        let labelled = try extractor.labelledFeatures(of: pictures)
        #expect(labelled.features.shape == [4, 192])
        #expect(labelled.labels == [0, 1, 0, 1])
        #expect(labelled.identifiers == (0..<4).map { "picture-\($0)" })
        let first = try pictures.image(at: 0)
        let tensor =
            Tensor(bytes: first.bytes, shape: [8, 8, 3], dtype: .uint8)
            .permuted(2, 0, 1).converted(to: .float32) / 255
        expectClose(labelled.features[0], tensor.flattened(), absolute: 1e-6)
        let second = try pictures.image(at: 1).resized(shortSide: 8).middleSquare(of: 8)
        #expect(
            labelled.features[1].values(as: Float.self).map { Int(($0 * 255).rounded()) }.reduce(
                0,
                +
            )
                == second.bytes.reduce(0) { $0 + Int($1) }
        )
    }

    @Test("images in memory are resized and converted")
    func conversion() throws {
        let set = try images(3, channels: 1, size: 16)
        let color = FeatureExtractor.pixels(size: 8, channels: 3).features(of: set)
        #expect(color.shape == [3, 192])
        let grey = FeatureExtractor.pixels(size: 8, channels: 1).features(of: set)
        expectClose(color.sliced(64..<128, along: 1), grey)
        // Half of the size: like the file, but for its rounding to whole values.
        let bytes: [UInt8] = set.images[0].values()
        let image = Image(width: 16, height: 16, channels: 1, bytes: bytes).resized(shortSide: 8)
        let expected = image.bytes.map { Float($0) / 255 }
        expectClose(grey[0], Tensor(expected), absolute: 0.6 / 255)
        // Red, green and blue count as in every conversion of this package.
        let red = try ImageSet(
            images: .concatenated(
                [.full([1, 1, 4, 4], 255, dtype: .uint8), .zeros([1, 2, 4, 4], dtype: .uint8)],
                along: 1
            ),
            labels: [0],
            classNames: ["a"]
        )
        let luminance = FeatureExtractor.pixels(size: 4, channels: 1).features(of: red)
        expectClose(luminance, .full([1, 16], 0.299), absolute: 1e-6)
    }

    @Test("a trained network comes back from its file with the same features")
    func trainedNetwork() throws {
        try withTemporaryFolder { folder in
            var generator = RandomGenerator(seed: 1, purpose: .initialization)
            let name = try NetworkName("resnet-10")
            let network = try name.makeClassifier(
                imageSize: 9,
                channels: 3,
                classCount: 2,
                using: &generator
            )
            let description = TrainedNetwork.Description(
                network: name,
                imageSize: 9,
                channels: 3,
                statistics: statistics,
                classNames: ["a", "b"],
                origin: "a test"
            )
            let url = folder.appendingPathComponent("network.safetensors")
            try TrainedNetwork(description: description, weights: network.state()).save(to: url)
            let read = try TrainedNetwork(contentsOf: url)
            #expect(read.description == description)
            let set = try images(4, channels: 3, size: 9)
            let direct = FeatureExtractor(
                network,
                name: "direct",
                imageSize: 9,
                channels: 3,
                normalizedBy: statistics
            ).features(of: set)
            let extractor = try FeatureExtractor.named(url.path, channels: 1)
            #expect(extractor.name == "resnet-10" && extractor.channels == 3)
            expectIdentical(extractor.features(of: set), direct)

            // Weights of another network of this name.
            let wrong = TrainedNetwork(
                description: description,
                weights: try self.network().state()
            )
            #expect(throws: (any Error).self) { try wrong.makeClassifier() }
        }
    }

    @Test("weights of other programs are recognised by their names")
    func foreign() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("weights.safetensors")
            for name in ["mobilenet-v2", "efficientnet-lite0"] {
                var generator = RandomGenerator(seed: 1, purpose: .initialization)
                let network = try NetworkName(name).makeClassifier(
                    imageSize: 224,
                    channels: 3,
                    classCount: 7,
                    using: &generator
                )
                try Safetensors.save(network.state(), to: url)
                let extractor = try FeatureExtractor.named(url.path, channels: 1)
                #expect(extractor.name == name)
                #expect(extractor.imageSize == 224 && extractor.channels == 3)
            }
            try Safetensors.save(try network().state(), to: url)
            let error = #expect(throws: CheckpointError.self) {
                try FeatureExtractor.named(url.path, channels: 1)
            }
            #expect(error?.code == .unsupported)
        }
    }

    @Test("a name of pixels has its size, and unknown names tell what there is")
    func names() throws {
        #expect(try FeatureExtractor.named("pixels", channels: 1).name == "pixels-32")
        #expect(try FeatureExtractor.named("pixels-7", channels: 3).imageSize == 7)
        for text in ["pixels-0", "pixels-x", "resnet-50", "nowhere.pt", ""] {
            let error = #expect(throws: TrainingError.self, "\(text)") {
                try FeatureExtractor.named(text, channels: 1)
            }
            #expect(error?.code == .invalidOption)
            #expect(error?.message.contains("pixels-SIZE") == true)
        }
    }
}
