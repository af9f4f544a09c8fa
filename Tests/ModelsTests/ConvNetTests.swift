import Models
import TestSupport
import Testing
import Torch

@Suite("ConvNet and the names of networks")
struct ConvNetTests {
    @Test("the published sizes have the published numbers of parameters")
    func parameterCounts() throws {
        var generator = RandomGenerator(seed: 0)
        for (size, count) in [(224, 754_570), (256, 763_530)] {
            let network = try ConvNet(
                .init(imageSize: size, classCount: 10, depth: 6),
                using: &generator
            )
            #expect(network.parameterCount == count)
        }
    }

    @Test("28 pixels end in a map of 3×3 at depth 3")
    func mapSize() throws {
        let configuration = ConvNet.Configuration(
            imageSize: 28,
            channels: 1,
            classCount: 10,
            depth: 3
        )
        #expect(configuration.mapSize == 3)
        var generator = RandomGenerator(seed: 0)
        let network = try ConvNet(configuration, using: &generator)
        #expect(network.features(.zeros([2, 1, 28, 28])).shape == [2, 128 * 9])
        #expect(network(.zeros([2, 1, 28, 28])).shape == [2, 10])
    }

    @Test("a depth that leaves no map is refused, and the message names one that fits")
    func tooDeep() throws {
        var generator = RandomGenerator(seed: 0)
        let error = #expect(throws: NetworkError.self) {
            try NetworkName("convnet-5").makeClassifier(
                imageSize: 28,
                channels: 1,
                classCount: 10,
                using: &generator
            )
        }
        #expect(error?.code == .unfitSize)
        #expect(error?.message.contains("28×28") == true)
        #expect(error?.message.contains("convnet-4") == true)
    }

    @Test("first weights are uniform in ±1/√inputs and depend on the seed alone")
    func initialization() throws {
        func make(_ seed: UInt64) throws -> ConvNet {
            var generator = RandomGenerator(seed: seed, purpose: .initialization)
            return try ConvNet(
                .init(imageSize: 8, channels: 3, classCount: 4, depth: 2, width: 16),
                using: &generator
            )
        }
        let (network, same, other) = (try make(1), try make(1), try make(2))
        for (name, tensor) in network.state() {
            expectIdentical(tensor, try #require(same.state()[name]), name)
        }
        let weight = try #require(network.state()["layers.conv.1.weight"])
        #expect(!weight.isEqual(to: try #require(other.state()["layers.conv.1.weight"])))
        let bound = 1 / (16.0 * 9).squareRoot()
        #expect(weight.magnitude().max().item <= bound)
        #expect(weight.magnitude().max().item > 0.95 * bound)
        #expect(abs(weight.mean().item) < 0.05 * bound)
    }

    @Test("a name survives writing and reading", arguments: ["convnet-3", "convnet-6"])
    func names(_ text: String) throws {
        #expect("\(try NetworkName(text))" == text)
    }

    @Test(
        "what is no name is refused",
        arguments: ["", "convnet", "convnet-", "convnet-0", "convnet-03", "vgg-11", "convnet-3-x"]
    )
    func badNames(_ text: String) {
        let error = #expect(throws: NetworkError.self) { try NetworkName(text) }
        #expect(error?.code == .unknownName)
        #expect(error?.message.contains("convnet-3") == true)
    }
}

@Suite("ConvNet with images in channels-last order")
struct ConvNetLayoutTests {
    @Test("gives the same numbers up to rounding", arguments: [1, 3], [12, 28, 15])
    func sameNumbers(_ channels: Int, size: Int) throws {
        var generator = RandomGenerator(seed: 4)
        let network = try ConvNet(
            .init(imageSize: size, channels: channels, classCount: 5, depth: 2, width: 32),
            using: &generator
        )
        let x = generator.normal([4, channels, size, size])
        let labels = Tensor([0, 1, 2, 3])
        func gradients(_ x: Tensor) -> (Tensor, [Tensor?]) {
            let logits = network(x)
            let loss = logits.crossEntropy(to: labels)
            return (logits, Tensor.gradients(of: [loss], by: network.parameters().map(\.tensor)))
        }
        let fast = network.inPreferredOrder(x)
        #expect(!fast.isContiguous() || fast.strides[1] == 1)
        let (logits, found) = gradients(fast)
        let (expectedLogits, expected) = gradients(x)
        expectClose(logits, expectedLogits, relative: 1e-4)
        for ((name, _), (a, b)) in zip(network.parameters(), zip(found, expected)) {
            expectClose(try #require(a), try #require(b), relative: 1e-3, absolute: 1e-5, name)
        }
    }

    @Test(
        "variants are part of the name and of the network",
        arguments: [
            ("convnet-3", 128, 3), ("convnet-2-w16", 16, 7), ("convnet-2-w16-batchnorm", 16, 7),
            ("convnet-1-w8-nonorm-nopool", 8, 28), ("convnet-2-maxpool", 128, 7),
            ("convnet-3-pad3", 128, 4), ("convnet-2-w16-maxpool-pad3", 16, 8),
        ]
    )
    func variants(_ name: String, width: Int, map: Int) throws {
        let network = try NetworkName(name)
        #expect("\(network)" == name)
        var generator = RandomGenerator(seed: 0, purpose: .initialization)
        let classifier = try network.makeClassifier(
            imageSize: 28,
            channels: 1,
            classCount: 4,
            using: &generator
        )
        let x = generator.normal([3, 1, 28, 28])
        #expect(classifier.features(x).shape == [3, width * map * map])
        #expect(classifier(x).shape == [3, 4])
        let names = classifier.state().names
        #expect(names.contains("layers.norm.0.running_mean") == name.contains("batchnorm"))
        #expect(names.contains("layers.norm.0.weight") == !name.contains("nonorm"))
    }

    @Test("the unfused block computes what its parts say")
    func unfusedBlocks() throws {
        var generator = RandomGenerator(seed: 3, purpose: .initialization)
        let network = try ConvNet(
            .init(imageSize: 8, channels: 2, classCount: 3, depth: 1, width: 4, pooling: .maximum),
            using: &generator
        )
        let x = generator.normal([2, 2, 8, 8])
        let state = network.state()
        func weight(_ name: String) throws -> Tensor { try #require(state[name]) }
        let expected = try x.convolved(
            weight: weight("layers.conv.0.weight"),
            bias: weight("layers.conv.0.bias"),
            padding: 1
        ).groupNormalized(
            groups: 4,
            weight: weight("layers.norm.0.weight"),
            bias: weight("layers.norm.0.bias")
        ).relu().maxPooled(kernelSize: 2, stride: 2)
        expectClose(network.block(0, x).detached(), expected.detached(), absolute: 1e-5)
    }

    @Test(
        "variants that a kind does not have are refused with the reason",
        arguments: [
            ("resnet-18-maxpool", "ConvNets only"), ("resnet-18-pad3", "ConvNets only"),
            ("resnet-ap-10-nonorm", "ConvNets only"),
            ("resnet-50-w32", "no variants"), ("convnet-3-w0", "a kind and a depth"),
            ("convnet-3-batchnorm-w64", "a kind and a depth"),
        ]
    )
    func refusedVariants(_ name: String, reason: String) {
        let error = #expect(throws: NetworkError.self) { try NetworkName(name) }
        #expect(error?.message.contains(reason) == true)
    }
}
