import Diffusion
import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("Samplers")
struct SamplerTests {
    private static let images = [(label: 3, image: 0), (label: 1, image: 5), (label: 3, image: 1)]

    /// Samples some images of a small network in one batch.
    private func sample(_ images: [(label: Int, image: Int)], channels: Int, kind: Int) throws
        -> Tensor
    {
        let model = DiT.random(channels: channels)
        let guidance = ClassifierFreeGuidance(scale: 4, nullLabel: 4)
        let network = guidance.guiding(model.denoiser)
        let schedule = try NoiseSchedule().respaced(kind == 2 ? .solver(8) : .sections([8]))
        let labels = Tensor(images.map(\.label))
        var noise = NoiseSource(seed: 5, images: images)
        let start = noise.next([channels, 8, 8])
        let samplers: [any Sampler] = [
            AncestralSampler(
                schedule,
                network: network,
                start: start,
                labels: labels,
                noise: noise
            ),
            DDIMSampler(
                schedule,
                eta: 0.5,
                network: network,
                start: start,
                labels: labels,
                noise: noise
            ),
            DPMSolverPlusPlus(schedule, network: network, start: start, labels: labels),
        ]
        return samplers[kind].result()
    }

    @Test(
        "An image does not depend on the other images of its batch or their order",
        arguments: [0, 1, 2],
        [1, 3, 4, 16]
    )
    func independence(kind: Int, channels: Int) throws {
        let together = try sample(Self.images, channels: channels, kind: kind)
        let reversed = try sample(Self.images.reversed(), channels: channels, kind: kind)
        expectClose(reversed.flipped(along: 0), together, absolute: 1 / 255)
        for (place, image) in Self.images.enumerated() {
            let alone = try sample([image], channels: channels, kind: kind)
            expectClose(alone[0], together[place], absolute: 1 / 255)
        }
        // The images do differ.
        let difference = (together[0] - together[2]).magnitude().max().item
        #expect(difference > 0.1)
    }

    @Test("The noise of an image has the same bits in every batch")
    func noiseBits() {
        var together = NoiseSource(seed: 5, images: Self.images)
        var alone = NoiseSource(seed: 5, images: [Self.images[1]])
        var other = NoiseSource(seed: 6, images: [Self.images[1]])
        for shape in [[4, 3, 3], [4, 3, 3], [1, 5, 5]] {
            let noise = together.next(shape)
            #expect(noise.shape == [3] + shape)
            expectIdentical(noise.sliced(1..<2), alone.next(shape))
            #expect(!noise.sliced(1..<2).isEqual(to: other.next(shape)))
        }
    }

    @Test("Iterating again gives the same bits, and stopping early is allowed")
    func repetition() throws {
        let data = NormalData()
        var noise = NoiseSource(seed: 1, images: Self.images)
        let sampler = AncestralSampler(
            try NoiseSchedule().respaced(.sections([6])),
            network: data.denoiser,
            start: noise.next([1, 4, 4]),
            labels: .zeros([3], dtype: .int64),
            noise: noise
        )
        #expect(sampler.stepCount == 6 && sampler.underestimatedCount == 6)
        let states = Array(sampler)
        #expect(states.count == 6)
        expectIdentical(states[5].x, sampler.result())
        for (state, again) in zip(states, sampler.prefix(2)) { expectIdentical(state.x, again.x) }
    }

    @Test("DDIM with eta 0 is deterministic and needs no noise")
    func determinism() throws {
        var generator = RandomGenerator(seed: 4)
        let sampler = DDIMSampler(
            try NoiseSchedule().respaced(.sections([5])),
            network: DiT.random(channels: 4).denoiser,
            start: generator.normal([2, 4, 8, 8]),
            labels: Tensor([0, 1])
        )
        expectIdentical(sampler.result(), sampler.result())
    }

    @Test("The clean prediction is clipped where that is asked")
    func clipping() throws {
        var noise = NoiseSource(seed: 1, images: Self.images)
        let start = noise.next([1, 4, 4])
        let labels = Tensor.zeros([3], dtype: .int64)
        let schedule = try NoiseSchedule().respaced(.sections([5]))
        let network = NormalData(mean: 2, deviation: 1).denoiser
        let samplers: [any Sampler] = [
            AncestralSampler(
                schedule,
                network: network,
                start: start,
                labels: labels,
                noise: noise,
                x0Range: -1...1
            ),
            DDIMSampler(
                schedule,
                network: network,
                start: start,
                labels: labels,
                x0Range: -1...1
            ),
            DPMSolverPlusPlus(
                schedule,
                network: network,
                start: start,
                labels: labels,
                x0Range: -1...1
            ),
        ]
        for sampler in samplers {
            #expect(sampler.result().magnitude().max().item <= 1 + 1e-6)
        }
    }

    @Test("Nothing is recorded for gradients, and nothing leaks")
    func gradientsAndLeaks() throws {
        let model = DiT.random(channels: 4)
        let schedule = try NoiseSchedule().respaced(.sections([3]))
        expectNoLeaks {
            var noise = NoiseSource(seed: 5, images: Self.images)
            let sampler = AncestralSampler(
                schedule,
                network: model.denoiser,
                start: noise.next([4, 8, 8]),
                labels: Tensor([3, 1, 3]),
                noise: noise
            )
            #expect(sampler.allSatisfy { !$0.x.requiresGradient })
        }
    }

    @Test("A network in bfloat16 leaves the states in float32 and near those of float32")
    func autocast() throws {
        let model = DiT.random(channels: 4)
        let schedule = try NoiseSchedule().respaced(.sections([5]))
        var generator = RandomGenerator(seed: 4)
        let start = generator.normal([2, 4, 8, 8])
        let guidance = ClassifierFreeGuidance(scale: 2, nullLabel: 4)
        let results = [DType.float32, .bfloat16].map { dtype in
            let network: Denoiser = { x, timesteps, labels in
                withAutocast(dtype) { model(x, timesteps: timesteps, labels: labels) }
            }
            return DDIMSampler(
                schedule,
                network: guidance.guiding(network),
                start: start,
                labels: Tensor([0, 1])
            ).result()
        }
        #expect(results[1].dtype == .float32)
        #expect(!results[1].isEqual(to: results[0]))
        expectClose(results[1], results[0], relative: 0.05)
    }

    @Test("A network with the wrong output is named")
    func wrongOutput() async {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = DDIMSampler(
                NoiseSchedule(stepCount: 2),
                network: { x, _, _ in x.sliced(0..<1, along: 1) },
                start: .ones([1, 4, 2, 2]),
                labels: Tensor([0])
            ).result()
        }
        let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(message.contains("for x of shape [1, 4, 2, 2] the network returned [1, 1, 2, 2]"))
    }
}
