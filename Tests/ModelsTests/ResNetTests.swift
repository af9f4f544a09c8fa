import Models
import TestSupport
import Testing
import Torch

@Suite("Residual networks and their names")
struct ResNetTests {
    private func make(
        _ name: String,
        imageSize: Int,
        channels: Int = 3,
        seed: UInt64 = 0
    ) throws -> any ImageClassifier {
        var generator = RandomGenerator(seed: seed, purpose: .initialization)
        return try NetworkName(name).makeClassifier(
            imageSize: imageSize,
            channels: channels,
            classCount: 10,
            using: &generator
        )
    }

    @Test(
        "the published networks have the published numbers of parameters",
        arguments: [
            ("resnet-ap-10", 224, 4_910_922, 38), ("resnet-ap-10", 256, 4_910_922, 38),
            ("resnet-18", 224, 11_181_642, 62), ("resnet-18", 256, 11_181_642, 62),
            ("convnet-6", 224, 754_570, 26), ("convnet-6", 256, 763_530, 26),
        ]
    )
    func parameterCounts(_ name: String, size: Int, count: Int, tensors: Int) throws {
        let network = try make(name, imageSize: size)
        #expect(network.parameterCount == count)
        #expect(network.parameters().count == tensors)
        #expect(network.classCount == 10)
    }

    @Test(
        "the stem belongs to the size of the images, and maps have the published sizes",
        arguments: [
            (64, [64, 64, 32, 16, 8]), (65, [32, 32, 16, 8, 4]), (128, [64, 64, 32, 16, 8]),
            (129, [32, 32, 16, 8, 4]), (224, [56, 56, 28, 14, 7]), (256, [64, 64, 32, 16, 8]),
        ]
    )
    func mapSizes(_ imageSize: Int, sizes: [Int]) throws {
        var generator = RandomGenerator(seed: 0)
        let network = try ResNetAP(
            .init(imageSize: imageSize, classCount: 2, depth: 10, width: 2),
            using: &generator
        )
        var x = Tensor.zeros([1, 3, imageSize, imageSize])
        for (index, size) in sizes.enumerated() {
            x = network.stage(index, x)
            #expect(x.shape == [1, 2 << max(index - 1, 0), size, size])
        }
        #expect(network.configuration.featureCount == 16)
    }

    @Test("the middle stem of ResNet halves the map by maxima")
    func middleStem() throws {
        var generator = RandomGenerator(seed: 0)
        let network = try ResNet(
            .init(imageSize: 96, channels: 1, classCount: 2, depth: 18, width: 2),
            using: &generator
        )
        let kernel = network.state()["layer0.conv1.weight"]
        #expect(kernel?.shape == [2, 1, 3, 3])
        let x = generator.normal([2, 1, 96, 96])
        let map = try #require(kernel.map { x.convolved(weight: $0, padding: 1) })
        let expected = map.groupNormalized(groups: 2).relu()
            .maxPooled(kernelSize: 3, stride: 2, padding: 1)
        expectClose(network.stage(0, x), expected, absolute: 1e-5)
        #expect(expected.shape == [2, 2, 48, 48])
    }

    @Test("grey images of 28 pixels have scores too", arguments: ["resnet-ap-10", "resnet-18"])
    func greyImages(_ name: String) throws {
        let network = try make(name, imageSize: 28, channels: 1)
        #expect(network(.zeros([2, 1, 28, 28])).shape == [2, 10])
    }

    @Test("depth 34 has the blocks of the paper")
    func depth34() throws {
        let names = try make("resnet-34", imageSize: 32).parameters().map(\.name)
        #expect(names.filter { $0.hasSuffix("conv1.weight") }.count == 1 + 3 + 4 + 6 + 3)
        #expect(names.contains("layer3.5.conv2.weight"))
    }

    @Test(
        "first weights are normal by the fan out, and depend on the seed alone",
        arguments: ["resnet-ap-10", "resnet-18"]
    )
    func initialization(_ name: String) throws {
        let network = try make(name, imageSize: 224, seed: 1)
        let (same, other) = (
            try make(name, imageSize: 224, seed: 1), try make(name, imageSize: 224, seed: 2)
        )
        for (name, tensor) in network.state() {
            expectIdentical(tensor, try #require(same.state()[name]), name)
            let deviation = tensor.variance().item.squareRoot()
            switch (tensor.rank, name) {
            case (4, _):
                let fanOut = tensor.shape[0] * tensor.shape[2] * tensor.shape[3]
                let expected = (2 / Double(fanOut)).squareRoot()
                // Five deviations of the estimate.
                let tolerance = 5 * expected / (2 * Double(tensor.count)).squareRoot()
                #expect(abs(deviation - expected) < tolerance, "\(name)")
                #expect(!tensor.isEqual(to: try #require(other.state()[name])), "\(name)")
            case (_, "fc.weight"):
                let bound = 1 / 512.0.squareRoot()
                #expect(tensor.magnitude().max().item <= bound)
                #expect(tensor.magnitude().max().item > 0.95 * bound)
            case (_, "fc.bias"):
                #expect(tensor.magnitude().max().item > 0)
            default:
                let value = name.hasSuffix("weight") ? 1.0 : 0.0
                expectClose(tensor, .ones(tensor.shape) * value, name)
            }
        }
    }

    @Test("no tensor is left after a step of training", arguments: ["resnet-ap-10", "resnet-18"])
    func leaks(_ name: String) throws {
        let network = try make(name, imageSize: 32)
        let x = Tensor.ones([2, 3, 32, 32])
        func step() {
            network(x).crossEntropy(to: Tensor([0, 1])).backward()
            for (_, parameter) in network.parameters() { parameter.gradient = nil }
        }
        step()
        expectNoLeaks { step() }
    }

    @Test(
        "images that leave no map are refused, and the message tells the smallest",
        arguments: [("resnet-ap-10", 15, 16), ("resnet-18", 8, 9)]
    )
    func tooSmall(_ name: String, size: Int, least: Int) throws {
        let error = #expect(throws: NetworkError.self) { try make(name, imageSize: size) }
        #expect(error?.code == .unfitSize)
        #expect(error?.message.contains("\(size)×\(size)") == true)
        #expect(error?.message.contains("at least \(least)×\(least)") == true)
        let network = try make(name, imageSize: least)
        #expect(network(.zeros([1, 3, least, least])).shape == [1, 10])
    }

    @Test("a configuration with a depth that is not there is refused")
    func unknownDepth() {
        var generator = RandomGenerator(seed: 0)
        let error = #expect(throws: NetworkError.self) {
            try ResNetAP(.init(imageSize: 64, classCount: 2, depth: 12), using: &generator)
        }
        #expect(error?.message.contains("depth 12") == true)
        #expect(error?.message.contains("10, 18, 34") == true)
    }

    @Test("a name survives writing and reading", arguments: ["resnet-18", "resnet-ap-10"])
    func names(_ text: String) throws {
        #expect("\(try NetworkName(text))" == text)
        #expect(try NetworkName("resnet-ap-10") == .resNetAP(depth: 10))
        #expect(try NetworkName("resnet-18") == .resNet(depth: 18))
    }

    @Test(
        "unknown depths and kinds are refused with the names there are",
        arguments: [
            ("resnet-51", "resnet-18"), ("resnet-ap-50", "resnet-ap-10"), ("resnet", "resnet-18"),
            ("resnet-ap", "resnet-ap-10"), ("resnetap-10", "resnet-ap-10"),
            ("resnet--18", "resnet-18"), ("ResNet-18", "resnet-18"), ("resnet-018", "resnet-18"),
        ]
    )
    func badNames(_ text: String, example: String) {
        let error = #expect(throws: NetworkError.self) { try NetworkName(text) }
        #expect(error?.code == .unknownName)
        #expect(error?.message.contains("\"\(text)\"") == true)
        #expect(error?.message.contains(example) == true)
    }
}
