import Models
import TestSupport
import Testing
import Torch

@Suite("ConvNet computes what the reference computes", .tags(.golden), .comparesDevices)
struct ConvNetGoldenTests {
    @Test(
        "outputs, features and loss match",
        arguments: ["evalnet_convnet3", "evalnet_convnet6", "evalnet_convnet6_full_rule"]
    )
    func matches(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let x = try golden["input.x"]

        var map = x
        for index in 0..<network.configuration.depth {
            map = network.block(index, map)
            if let expected = golden.state["expected.block\(index)"] {
                expectClose(map, expected, relative: 1e-3, "block \(index)")
            }
        }
        expectClose(network.features(x), try golden["expected.features"], relative: 1e-3)
        let logits = network(x)
        expectClose(logits, try golden["expected.logits"], relative: 1e-3)
        let loss = logits.crossEntropy(to: try golden["input.y"])
        expectClose(loss, try golden["expected.loss"], relative: 1e-3)
    }

    @Test(
        "they match by the operations that a GPU takes",
        arguments: ["evalnet_convnet3", "evalnet_convnet6", "evalnet_convnet6_full_rule"]
    )
    func composed(_ name: String) throws {
        try withoutFusedLoops { try matches(name) }
    }

    @Test(
        "gradients match",
        arguments: ["evalnet_convnet3", "evalnet_convnet6", "evalnet_convnet6_full_rule"],
        Device.tested
    )
    func gradientsMatch(_ name: String, on device: Device) throws {
        let golden = try Golden(name, on: device)
        // The norm after a convolution takes its bias away, so this gradient is rounding.
        try golden.expectGradients(of: makeNetwork(golden)) { name in
            name.hasPrefix("layers.conv.") && name.hasSuffix("bias")
        }
    }

    @Test(
        "names, shapes and their order are the reference's",
        arguments: ["evalnet_convnet3", "evalnet_convnet6", "evalnet_convnet6_full_rule"]
    )
    func hasReferenceNames(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let expected = try golden.parameterOrder()
        #expect(network.parameters().map(\.name) == expected.map(\.name))
        #expect(network.parameters().map(\.tensor.shape) == expected.map(\.shape))
        #expect(network.state().names == expected.map(\.name))
    }

    private func makeNetwork(_ golden: Golden) throws -> ConvNet {
        let config = golden.config
        var generator = RandomGenerator(seed: 1, purpose: .initialization)
        let network = try ConvNet(
            .init(
                imageSize: config["size"].int,
                channels: golden["input.x"].size(along: 1),
                classCount: config["nclass"].int,
                depth: config["depth"].int,
                width: config["width"].int
            ),
            using: &generator
        )
        try golden.loadWeights(into: network)
        return network
    }
}
