import Diffusion
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Classifier-free guidance")
struct GuidanceTests {
    /// A network whose output tells channel, label and x apart, with as many variance channels.
    private let network: Denoiser = { x, timesteps, labels in
        let channels = 2 * x.size(along: 1)
        let number = Tensor.range(to: Double(channels)).reshaped(1, -1, 1, 1) + 1
        let label = labels.converted(to: .float32).reshaped(-1, 1, 1, 1)
        let time = timesteps.converted(to: .float32).reshaped(-1, 1, 1, 1)
        return number * label + time + Tensor.concatenated([x, x], along: 1)
    }

    @Test(
        "Three of four channels are guided, all of any other number, the variance never",
        arguments: [(1, 1), (3, 3), (4, 3), (16, 16)]
    )
    func guidedChannels(channels: Int, guided: Int) {
        var generator = RandomGenerator(seed: 1)
        let x = generator.normal([3, channels, 2, 2])
        let (timesteps, labels) = (Tensor([5, 6, 7]), Tensor([0, 1, 2]))
        let none = Tensor([9, 9, 9])
        let guidance = ClassifierFreeGuidance(scale: 2.5, nullLabel: 9)
        #expect(guidance.guidedChannelCount(of: channels) == guided)

        let output = guidance.guiding(network)(x, timesteps, labels)
        let forClass = network(x, timesteps, labels)
        let forNone = network(x, timesteps, none)
        let expected = forNone + (forClass - forNone) * 2.5
        expectIdentical(
            output[0..<3].sliced(0..<guided, along: 1),
            expected.sliced(0..<guided, along: 1)
        )
        expectIdentical(
            output.sliced(guided..<2 * channels, along: 1),
            forClass.sliced(guided..<2 * channels, along: 1)
        )
    }

    @Test("Which channels are guided can be said", arguments: [1, 3, 4, 16])
    func override(channels: Int) {
        let all = ClassifierFreeGuidance(scale: 2, nullLabel: 9, channels: .all)
        #expect(all.guidedChannelCount(of: channels) == channels)
        let three = ClassifierFreeGuidance(scale: 2, nullLabel: 9, channels: .firstThree)
        #expect(three.guidedChannelCount(of: channels) == min(3, channels))
    }

    @Test("At scale 1 there is no second half, else it is in the same batch")
    func batches() {
        var sizes = [Int]()
        let counting: Denoiser = { x, timesteps, labels in
            sizes.append(x.size(along: 0))
            return self.network(x, timesteps, labels)
        }
        let arguments = (Tensor.ones([2, 4, 2, 2]), Tensor([1, 2]), Tensor([0, 1]))
        for scale in [1.0, 1.5] {
            let guided = ClassifierFreeGuidance(scale: scale, nullLabel: 9).guiding(counting)
            #expect(guided(arguments.0, arguments.1, arguments.2).shape == [2, 8, 2, 2])
        }
        #expect(sizes == [2, 4])
    }

    @Test("A network without variance is guided too")
    func withoutVariance() {
        let guidance = ClassifierFreeGuidance(scale: 3, nullLabel: 9)
        let output = guidance.guiding { x, _, labels in
            x * labels.converted(to: .float32).reshaped(-1, 1, 1, 1)
        }(.ones([1, 1, 2, 2]), Tensor([0]), Tensor([10]))
        expectIdentical(output, .full([1, 1, 2, 2], 12))
    }
}
