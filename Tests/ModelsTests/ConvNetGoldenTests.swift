import Models
import TestSupport
import Testing
import Torch

@Suite("ConvNet computes what the reference computes", .tags(.golden))
struct ConvNetGoldenTests {
    @Test(
        "outputs, features, loss and gradients match",
        arguments: ["evalnet_convnet3", "evalnet_convnet6", "evalnet_convnet6_full_rule"]
    )
    func matches(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let x = try golden["input.x"].copied()
        x.requiresGradient = true

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

        loss.backward()
        var gradients = Dictionary(
            uniqueKeysWithValues: network.parameters().map { ($0.name, $0.tensor.gradient) }
        )
        gradients["input.x"] = x.gradient
        for (name, expected) in golden.group("grad.") {
            let gradient = try #require(gradients[name] ?? nil, "\(name)")
            // The norm after a convolution takes its bias away, so this gradient is rounding.
            let isRounding = name.hasPrefix("layers.conv.") && name.hasSuffix("bias")
            expectClose(
                gradient,
                isRounding ? .zeros(like: expected) : expected,
                relative: isRounding ? 0 : 2e-3,
                absolute: isRounding ? 1e-4 : 0,
                name
            )
        }
    }

    @Test(
        "names, shapes and their order are the reference's",
        arguments: ["evalnet_convnet3", "evalnet_convnet6", "evalnet_convnet6_full_rule"]
    )
    func hasReferenceNames(_ name: String) throws {
        let golden = try Golden(name)
        let network = try makeNetwork(golden)
        let expected = try parameterOrder(golden)
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
        if config["rule"] == .bool(true) {
            try network.load(weightsByRule(golden))
        } else {
            try network.load(golden.group("model."))
        }
        return network
    }

    private func parameterOrder(_ golden: Golden) throws -> [(name: String, shape: [Int])] {
        let text = try #require(golden.metadata["parameter_order"])
        return try JSONValue(text: text).array.map { entry in
            let pair = try entry.array
            return (try pair[0].string, try pair[1].array.map { try $0.int })
        }
    }

    /// The weights of goldens that store none: pseudo-random numbers in ±1, scaled.
    private func weightsByRule(_ golden: Golden) throws -> StateDictionary {
        let seed = UInt64(try golden.config["seed"].int)
        var state = StateDictionary()
        for (index, (name, shape)) in try parameterOrder(golden).enumerated() {
            let count = shape.reduce(1, *)
            let key = mix64(seed &* 1_000_003 &+ UInt64(index))
            let r = (0..<count).map { place in
                Float(mix64(key &+ UInt64(place)) >> 40) / Float(1 << 23) - 1
            }
            if let check = golden.state["check.rule.\(index)"] {
                #expect(Array(r.prefix(4)) == check.values(as: Float.self))
            }
            let values: [Float] =
                if shape.count > 1 {
                    r.map { $0 * Float((3 / Double(count / shape[0])).squareRoot()) }
                } else if name.hasSuffix("weight") {
                    r.map { 1 + $0 * 0.2 }
                } else {
                    r.map { $0 * 0.1 }
                }
            state[name] = Tensor(values, shape: shape)
        }
        return state
    }

    private func mix64(_ x: UInt64) -> UInt64 {
        var x = x &+ 0x9E37_79B9_7F4A_7C15
        x = (x ^ x >> 30) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ x >> 27) &* 0x94D0_49BB_1331_11EB
        return x ^ x >> 31
    }
}
