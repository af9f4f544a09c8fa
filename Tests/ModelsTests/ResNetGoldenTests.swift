import Models
import TestSupport
import Testing
import Torch

/// What both residual networks have.
private protocol StagedClassifier: ImageClassifier {
    func stage(_ index: Int, _ x: Tensor) -> Tensor
}

extension ResNet: StagedClassifier {}
extension ResNetAP: StagedClassifier {}

@Suite("Residual networks compute what the reference computes", .tags(.golden), .comparesDevices)
struct ResNetGoldenTests {
    static let names = [
        "evalnet_resnet18_large_rule", "evalnet_resnet18_small_rule",
        "evalnet_resnetap10_batchnorm", "evalnet_resnetap10_full_rule",
        "evalnet_resnetap10_large", "evalnet_resnetap10_mid", "evalnet_resnetap10_small",
    ]

    @Test("outputs, loss and running statistics match", arguments: names)
    func matches(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let x = try golden["input.x"]
        let logits = network(x)
        expectClose(logits, try golden["expected.logits"], relative: 1e-3)
        let loss = logits.crossEntropy(to: try golden["input.y"])
        expectClose(loss, try golden["expected.loss"], relative: 1e-3)

        // Batch norm: the buffers after this one pass, and the test mode that uses them.
        let state = network.state()
        let buffers = golden.group("expected.after_train_forward.")
        #expect((buffers.count > 0) == (golden.config["norm"] == .string("batch")))
        for (name, expected) in buffers {
            expectClose(try #require(state[name], "\(name)"), expected, relative: 1e-3, name)
        }
        if let expected = golden.state["expected.logits_eval"] {
            let logits = network.evaluating { network(x) }
            expectClose(logits, expected, relative: 1e-3, "in test mode")
        }
    }

    @Test("they match by the operations that a GPU takes", arguments: names)
    func composed(_ name: String) throws {
        try withoutFusedLoops { try matches(name) }
    }

    @Test("gradients match", arguments: names, Device.tested)
    func gradientsMatch(_ name: String, on device: Device) throws {
        let golden = try Golden(name, on: device)
        try golden.expectGradients(of: makeNetwork(golden))
    }

    @Test("the maps of every stage and the features match", arguments: names)
    func stagesMatch(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        var map = try golden["input.x"]
        var compared = 0
        for index in 0...4 {
            map = network.stage(index, map)
            if let expected = golden.state["expected.layer\(index)"] {
                expectClose(map, expected, relative: 1e-3, "stage \(index)")
                compared += 1
            }
        }
        #expect(compared > 0)
        expectClose(
            network.features(try golden["input.x"]),
            try golden["expected.features"],
            relative: 1e-3
        )
    }

    @Test("names, shapes and their order are the reference's", arguments: names)
    func hasReferenceNames(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let expected = try golden.parameterOrder()
        #expect(network.parameters().map(\.name) == expected.map(\.name))
        #expect(network.parameters().map(\.tensor.shape) == expected.map(\.shape))
        let stored = golden.group("model.").names
        if !stored.isEmpty { #expect(network.state().names.sorted() == stored.sorted()) }
    }

    private func makeNetwork(_ golden: Golden) throws -> any StagedClassifier {
        let config = golden.config
        let width = config["width"].isNull ? 1 : try config["width"].double
        let configuration = ResNetConfiguration(
            imageSize: try config["size"].int,
            channels: try golden["input.x"].size(along: 1),
            classCount: try config["nclass"].int,
            depth: try config["depth"].int,
            width: Int(64 * width),
            norm: config["norm"] == .string("batch") ? .batch : .instance
        )
        var generator = RandomGenerator(seed: 1, purpose: .initialization)
        let network: any StagedClassifier =
            try config["net"].string == "resnet"
            ? try ResNet(configuration, using: &generator)
            : try ResNetAP(configuration, using: &generator)
        try golden.loadWeights(into: network)
        return network
    }
}
