import Checkpoints
import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("Networks for photographs compute what their originals compute", .tags(.golden))
struct PhotographNetworkGoldenTests {
    static let names = ["torchvision_resnet50", "torchvision_mobilenet_v2", "efficientnet_lite0"]

    private func makeNetwork(_ golden: Golden) throws -> any ImageClassifier {
        let network = try make(
            golden.config["net"].string,
            .init(
                imageSize: try golden.config["size"].int,
                channels: try golden["input.x"].size(along: 1),
                classCount: try golden.config["nclass"].int
            )
        )
        try golden.loadWeights(into: network)
        return network
    }

    private func make(
        _ name: String,
        _ configuration: LargeImageConfiguration
    ) throws -> any ImageClassifier {
        var generator = RandomGenerator(seed: 1, purpose: .initialization)
        switch name {
        case "torchvision_resnet50": return try ResNet50(configuration, using: &generator)
        case "torchvision_mobilenet_v2": return try MobileNetV2(configuration, using: &generator)
        default: return try EfficientNetLite(configuration, using: &generator)
        }
    }

    @Test("outputs, features, loss and running statistics match", arguments: names)
    func matches(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let x = try golden["input.x"]
        let features = network.features(x)
        expectClose(features, try golden["expected.features"], relative: 1e-3)

        // Once more from the first statistics, since every pass in training changes them.
        let fresh = try makeNetwork(golden)
        let logits = fresh(x)
        expectClose(logits, try golden["expected.logits"], relative: 1e-3)
        let loss = logits.crossEntropy(to: try golden["input.y"])
        expectClose(loss, try golden["expected.loss"], relative: 1e-3)
        let state = fresh.state()
        let buffers = golden.group("expected.after_train_forward.")
        #expect(buffers.count >= 6)
        for (name, expected) in buffers {
            expectClose(
                try #require(state[name], "\(name)").converted(to: expected.dtype),
                expected,
                relative: 1e-3,
                name
            )
        }
        expectClose(
            fresh.evaluating { fresh(x) },
            try golden["expected.logits_eval"],
            relative: 1e-3,
            "in test mode"
        )
    }

    @Test("the order of memory that is faster gives the same numbers", arguments: names)
    func channelsLast(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let x = network.inPreferredOrder(try golden["input.x"])
        #expect(network.prefersChannelsLast && x.isContiguous(channelsLast: true))
        expectClose(network(x), try golden["expected.logits"], relative: 1e-3)
    }

    @Test("gradients match", arguments: names)
    func gradientsMatch(_ name: String) throws {
        let golden = try Golden(name)
        try golden.expectGradients(of: makeNetwork(golden))
    }

    @Test("names, shapes and their order are the original's", arguments: names)
    func hasOriginalNames(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let expected = try golden.parameterOrder()
        #expect(network.parameters().map(\.name) == expected.map(\.name))
        #expect(network.parameters().map(\.tensor.shape) == expected.map(\.shape))
        let names = try JSONValue(text: try #require(golden.metadata["state_names"])).array
            .map { try $0.string }
        #expect(network.state().names.sorted() == names.sorted())
    }

    private static let weights =
        ProcessInfo.processInfo.environment["DISTILL_EFFICIENTNET_LITE0"] ?? ""

    @Test(
        "the published weights of EfficientNet-Lite0 give the features of their own program",
        .enabled(
            if: !weights.isEmpty,
            "needs DISTILL_EFFICIENTNET_LITE0=efficientnet-lite0-57934424.pth"
        )
    )
    func publishedWeights() throws {
        let golden = try Golden("efficientnet_lite0_published")
        let network = try make("efficientnet_lite0", .init())
        try network.load(Checkpoint(contentsOf: URL(fileURLWithPath: Self.weights)).state())
        let shape = try golden.config["shape"].array.map { try $0.int }
        let values = Golden.pseudoRandom(
            seed: UInt64(try golden.config["seed"].int),
            index: 0,
            count: shape.reduce(1, *)
        )
        #expect(Array(values.prefix(4)) == (try golden["check.rule.0"]).values(as: Float.self))
        let x = Tensor(values, shape: shape)
        network.evaluating {
            withoutGradient {
                expectClose(
                    network.features(x),
                    golden.state["expected.features"] ?? x,
                    relative: 1e-3
                )
                expectClose(network(x), golden.state["expected.logits"] ?? x, relative: 1e-3)
            }
        }
    }
}
