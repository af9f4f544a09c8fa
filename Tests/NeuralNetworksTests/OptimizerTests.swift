import Foundation
import NeuralNetworks
import TestSupport
import Testing
import Torch

private func parameter(_ name: String, _ values: [Float]) -> (name: String, tensor: Tensor) {
    let tensor = Tensor(values)
    tensor.requiresGradient = true
    return (name: name, tensor: tensor)
}

@Suite("Optimizers")
struct OptimizerTests {
    @Test("plain descent subtracts the gradient")
    func descent() {
        let p = parameter("p", [1, 2])
        let optimizer = SGD([p], learningRate: 0.5)
        p.tensor.gradient = Tensor([2, -2] as [Float])
        optimizer.step()
        expectValues(p.tensor, [0, 3])
        optimizer.learningRate = 1
        optimizer.step()
        expectValues(p.tensor, [-2, 5])
        optimizer.zeroGradients()
        #expect(p.tensor.gradient == nil)
        optimizer.step()
        expectValues(p.tensor, [-2, 5])
        #expect(optimizer.state().count == 0)
    }

    @Test("a first step of AdamW has the length of the learning rate")
    func firstStep() {
        let p = parameter("p", [1, 1, 1])
        p.tensor.gradient = Tensor([0.001, -5, 100] as [Float])
        AdamW([p], learningRate: 0.1).step()
        expectValues(p.tensor, [0.9, 1.1, 0.9], absolute: 1e-4)
    }

    @Test("weight decay acts without a gradient's help, but needs one to be there")
    func weightDecay() {
        let p = parameter("p", [1])
        let q = parameter("q", [1])
        let settings = AdamW.Configuration(weightDecay: 0.1)
        let optimizer = AdamW([p, q], learningRate: 0.5, configuration: settings)
        p.tensor.gradient = .zeros([1])
        optimizer.step()
        expectValues(p.tensor, [0.95])
        expectValues(q.tensor, [1])
        #expect(optimizer.state()["step.p"]?.item == 1)
        #expect(optimizer.state()["step.q"]?.item == 0)
    }

    @Test("training a small network lowers the loss and leaves no tensor behind")
    func learning() {
        var generator = RandomGenerator(seed: 40)
        let layer = Linear(4, 3)
        let x = generator.normal([32, 4])
        let labels = Tensor(generator.integers(32, below: 3))
        let optimizer = AdamW(layer.trainableParameters(), learningRate: 0.1)
        func step() -> Double {
            let loss = layer(x).crossEntropy(to: labels)
            loss.backward()
            GradientClipping.clip(layer.trainableParameters().map(\.tensor), toNorm: 1)
            optimizer.step()
            optimizer.zeroGradients()
            return loss.item
        }
        let first = step()
        expectNoLeaks { for _ in 0..<50 { _ = step() } }
        #expect(step() < 0.95 * first)
    }

    @Test("state of another model is refused with all mismatches")
    func mismatches() throws {
        let optimizer = AdamW([parameter("a", [1, 2]), parameter("b", [1])], learningRate: 1)
        var state = optimizer.state().mapValues { $0.copied() }
        state["exp_avg.a"] = .zeros([3])
        state["step.b"] = nil
        let error = #expect(throws: StateMismatchError.self) { try optimizer.load(state) }
        #expect(error?.missing == ["step.b"])
        #expect(error?.misshaped == ["exp_avg.a expected [2], found [3]"])
        #expect(error?.description.contains("the optimizer") == true)
    }

    @Test("a configuration survives its coding")
    func coding() throws {
        let settings = AdamW.Configuration(beta1: 0.8, beta2: 0.9, epsilon: 1e-6, weightDecay: 0.1)
        let data = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(AdamW.Configuration.self, from: data) == settings)
        #expect(AdamW.Configuration() == AdamW.Configuration(beta1: 0.9, beta2: 0.999))
    }

    @Test("clipping shortens long gradients, leaves short ones, and tells the norm before")
    func clipping() throws {
        let p = parameter("p", [0, 0])
        let q = parameter("q", [0])
        let unused = parameter("unused", [0])
        p.tensor.gradient = Tensor([3, 0] as [Float])
        q.tensor.gradient = Tensor([4] as [Float])
        let tensors = [p, q, unused].map(\.tensor)
        #expect(GradientClipping.clip(tensors, toNorm: 10) == 5)
        expectValues(try #require(p.tensor.gradient), [3, 0])
        #expect(abs(GradientClipping.clip(tensors, toNorm: 2.5) - 5) < 1e-6)
        expectValues(try #require(p.tensor.gradient), [1.5, 0], absolute: 1e-5)
        expectValues(try #require(q.tensor.gradient), [2], absolute: 1e-5)
        #expect(GradientClipping.clip([], toNorm: 1) == 0)
    }
}

@Suite("The running average of weights")
struct AverageTests {
    @Test("averages take the model's place for a while")
    func exchange() throws {
        struct Stop: Error {}
        let p = parameter("p", [1])
        let average = ExponentialMovingAverage(of: [p], decay: 0.75)
        withoutGradient { p.tensor.fill(with: 5) }
        average.update()
        expectValues(try #require(average.state()["p"]), [2])
        average.withAverages { expectValues(p.tensor, [2]) }
        expectValues(p.tensor, [5])
        #expect(throws: Stop.self) { try average.withAverages { throw Stop() } }
        expectValues(p.tensor, [5])
        #expect(p.tensor.requiresGradient)
    }

    @Test("a saved average goes on, a foreign one is refused")
    func saving() throws {
        let p = parameter("p", [1, 2])
        let average = ExponentialMovingAverage(of: [p], decay: 0.5)
        withoutGradient { p.tensor.fill(with: 0) }
        average.update()
        let other = ExponentialMovingAverage(of: [p], decay: 0.5)
        try other.load(average.state())
        expectValues(try #require(other.state()["p"]), [0.5, 1])
        #expect(throws: StateMismatchError.self) {
            try other.load(StateDictionary([("q", .ones([2]))]))
        }
    }

    @Test("an update may have a decay of its own")
    func ownDecay() throws {
        let p = parameter("p", [1, 2])
        let average = ExponentialMovingAverage(of: [p], decay: 0.5)
        withoutGradient { p.tensor.fill(with: 5) }
        average.update(decay: 0.75)
        expectValues(try #require(average.state()["p"]), [2, 2.75])
        average.update()
        expectValues(try #require(average.state()["p"]), [3.5, 3.875])
        average.update(decay: 1)
        expectValues(try #require(average.state()["p"]), [3.5, 3.875])
        average.update(decay: 0)
        expectValues(try #require(average.state()["p"]), [5, 5])
        #expect(average.decay == 0.5)
        expectValues(p.tensor, [5, 5])
    }

    @Test("the share of the first weights that is left")
    func remainingShare() {
        let share = ExponentialMovingAverage.remainingShare
        #expect(abs(share(0.9999, 12_000) - 0.3011) < 1e-4)
        #expect(abs(share(0.9999, 500) - 0.9512) < 1e-4)
        #expect(share(0.5, 0) == 1)
        #expect(share(0.5, 10) == 1.0 / 1024)
    }
}

@Suite("Learning rates")
struct ScheduleTests {
    @Test("constant, multi-step and cosine factors")
    func factors() {
        #expect(LearningRateSchedule.constant.factor(at: 1000) == 1)
        let steps = LearningRateSchedule.multiStep(milestones: [2, 4], factor: 0.5)
        #expect((0..<6).map { steps.factor(at: $0) } == [1, 1, 0.5, 0.5, 0.25, 0.25])
        let cosine = LearningRateSchedule.cosine(warmup: 2, total: 6, floor: 0.1)
        let expected = [0.5, 1, 1, 0.1 + 0.45 * (1 + cos(.pi / 4)), 0.55]
        for (step, factor) in expected.enumerated() {
            #expect(abs(cosine.factor(at: step) - factor) < 1e-12)
        }
        #expect(abs(cosine.factor(at: 6) - 0.1) < 1e-12)
        #expect(abs(cosine.factor(at: 100) - 0.1) < 1e-12)
    }

    /// Expects these factors from step 0 on.
    private func expectFactors(
        _ schedule: LearningRateSchedule,
        _ factors: [Double],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (step, factor) in factors.enumerated() {
            let found = schedule.factor(at: step)
            #expect(
                abs(found - factor) < 1e-9,
                "\(schedule), step \(step): \(found), expected \(factor)",
                sourceLocation: sourceLocation
            )
        }
    }

    @Test("a trapezoid rises, stays and falls; its last step is above 0, all after it are 0")
    func trapezoid() {
        expectFactors(
            .trapezoid(warmup: 3, total: 10, decay: 4),
            [1.0 / 3, 2.0 / 3, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0]
        )
        expectFactors(.trapezoid(warmup: 0, total: 4, decay: 2), [1, 1, 1, 0.5, 0, 0])
        expectFactors(.trapezoid(warmup: 2, total: 4, decay: 0), [0.5, 1, 1, 1, 1])
        // Where both slopes meet, the lower one counts.
        expectFactors(.trapezoid(warmup: 4, total: 4, decay: 4), [0.25, 0.5, 0.5, 0.25, 0])
    }

    @Test("half of a half cosine ends at one half")
    func halfCosine() {
        expectFactors(
            .halfCosine(total: 4),
            [1, 0.961_939_766_256, 0.853_553_390_593, 0.691_341_716_183, 0.5]
        )
    }

    @Test("a cosine without a warm-up begins at 1 and ends at 0")
    func cosine() {
        expectFactors(
            .cosine(warmup: 0, total: 4, floor: 0),
            [1, 0.853_553_390_593, 0.5, 0.146_446_609_407, 0, 0]
        )
    }

    @Test("milestones act at their own step, whatever their order")
    func milestones() {
        expectFactors(.multiStep(milestones: [], factor: 0.1), [1, 1, 1])
        expectFactors(.multiStep(milestones: [3, 1], factor: 0.2), [1, 0.2, 0.2, 0.04, 0.04])
    }
}
