import Models
import TestSupport
import Testing
import Torch

@Suite("Networks for photographs")
struct PhotographNetworkTests {
    static let names = ["resnet-50", "mobilenet-v2", "efficientnet-lite0"]

    private func make(
        _ name: String,
        imageSize: Int = 32,
        classCount: Int = 3
    ) throws -> any ImageClassifier {
        var generator = RandomGenerator(seed: 0, purpose: .initialization)
        return try NetworkName(name).makeClassifier(
            imageSize: imageSize,
            channels: 3,
            classCount: classCount,
            using: &generator
        )
    }

    @Test(
        "they have the published numbers of parameters",
        arguments: [
            ("resnet-50", 25_557_032, 2048), ("mobilenet-v2", 3_504_872, 1280),
            ("efficientnet-lite0", 4_652_008, 1280),
        ]
    )
    func parameterCounts(_ name: String, count: Int, width: Int) throws {
        let network = try make(name, classCount: 1000)
        #expect(network.parameterCount == count)
        let features = network.evaluating { network.features(.zeros([2, 3, 32, 32])) }
        #expect(features.shape == [2, width])
    }

    @Test("a name survives writing and reading", arguments: names)
    func roundTrip(_ text: String) throws {
        #expect("\(try NetworkName(text))" == text)
    }

    @Test(
        "unknown relatives are refused with the names there are",
        arguments: [
            ("mobilenet-v3", "mobilenet-v2"), ("mobilenet-2", "mobilenet-v2"),
            ("efficientnet-lite4", "efficientnet-lite0"),
            ("efficientnet-lite", "efficientnet-lite0"), ("resnet-52", "resnet-50"),
            ("efficientnet-lite00", "efficientnet-lite0"), ("convnet-0", "convnet-3"),
            ("efficientnet-lite-0", "efficientnet-lite0"),
        ]
    )
    func badNames(_ text: String, example: String) {
        let error = #expect(throws: NetworkError.self) { try NetworkName(text) }
        #expect(error?.code == .unknownName)
        #expect(error?.message.contains("\"\(text)\"") == true)
        #expect(error?.message.contains(example) == true)
    }

    @Test("images below 32 pixels are refused", arguments: names)
    func tooSmall(_ name: String) throws {
        let error = #expect(throws: NetworkError.self) { try make(name, imageSize: 31) }
        #expect(error?.code == .unfitSize)
        #expect(error?.message.contains("at least 32×32") == true)
        #expect(error?.message.contains("31×31") == true)
    }

    @Test("MobileNetV2 drops a fifth of its features, by the given numbers alone")
    func dropout() throws {
        let network = try make("mobilenet-v2")
        var generator = RandomGenerator(seed: 3)
        // Many rows of one image: in test mode of the norms, but with dropout.
        let x = generator.normal([8, 3, 32, 32])
        func logits(step: UInt64?) -> Tensor {
            if let step {
                network.prepareStep(using: .init(seed: 5, purpose: .dropout, index: step))
            }
            return network(x)
        }
        let plain = logits(step: nil)
        let first = logits(step: 1)
        #expect(!plain.isEqual(to: first))
        expectIdentical(logits(step: 1), first)
        #expect(!logits(step: 2).isEqual(to: first))
        network.evaluating {
            expectIdentical(logits(step: 1), logits(step: 2))
        }
    }

    @Test("no tensor is left after a step of training", arguments: ["mobilenet-v2"])
    func leaks(_ name: String) throws {
        let network = try make(name)
        let x = Tensor.ones([2, 3, 32, 32])
        func step() {
            network.prepareStep(using: .init(seed: 1, purpose: .dropout))
            network(x).crossEntropy(to: Tensor([0, 1])).backward()
            for (_, parameter) in network.parameters() { parameter.gradient = nil }
        }
        step()
        expectNoLeaks { step() }
    }
}
