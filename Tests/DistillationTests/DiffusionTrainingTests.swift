import Diffusion
import Distillation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch

/// A pre-training of the small model on its source.
private func pretraining(
    _ model: DiT = SmallTraining.model(scaled: false),
    _ change: (inout DiffusionPretraining.Parameters) -> Void
) -> DiffusionPretraining {
    var parameters = DiffusionPretraining.Parameters()
    parameters.batchSize = 8
    parameters.warmupSteps = 0
    parameters.decaySteps = 0
    change(&parameters)
    return DiffusionPretraining(
        model,
        parameters: parameters,
        seed: 7,
        precision: nil,
        device: .cpu
    )
}

private func copies(_ state: StateDictionary) -> StateDictionary {
    state.mapValues { $0.detached().copied() }
}

@Suite("The average of the weights in a training")
struct TrainingAverageTests {
    /// Expects d·old + (1 − d)·weights for every trained weight, and that it has moved.
    private func expectAverage(
        _ average: ExponentialMovingAverage,
        of model: DiT,
        after old: StateDictionary,
        decay: Double,
        _ label: String
    ) throws {
        let (found, weights) = (average.state(), model.state())
        #expect(found.names == model.trainableParameters().map(\.name))
        for (name, tensor) in old {
            let before = tensor.converted(to: .float64)
            let weight = try #require(weights[name]).detached().converted(to: .float64)
            expectClose(
                try #require(found[name]),
                before * decay + weight * (1 - decay),
                absolute: 1e-6,
                "\(label): \(name)"
            )
        }
        let moved = old.filter { name, tensor in
            weights[name].map { ($0.detached() - tensor).magnitude().max().item > 1e-4 } ?? false
        }
        #expect(moved.count > old.count / 2, "\(label)")
    }

    @Test("a fine-tuning takes every update into the average with the decay of its settings")
    func finetuning() throws {
        let method = SmallTraining.minimax(steps: 3)
        var old = copies(method.average.state())
        for (name, tensor) in old {
            let weight = try #require(method.model.state()[name])
            expectIdentical(tensor, weight.detached(), name)
        }
        try method.run(on: SmallTraining.source()) { step in
            try expectAverage(
                method.average,
                of: method.model,
                after: old,
                decay: 0.9,
                "step \(step.step)"
            )
            old = copies(method.average.state())
            return true
        }
        #expect(method.step == 3)
    }

    @Test("the average of a pre-training follows closely at first, up to the decay of its settings")
    func pretrainingWarmup() throws {
        let method = pretraining {
            $0.steps = 4
            $0.emaDecay = 0.2
        }
        // (1 + step)/(10 + step) as long as it is smaller.
        let decays = [0.1, 2.0 / 11, 0.2, 0.2]
        var old = copies(method.average.state())
        try method.run(on: SmallTraining.source()) { step in
            try expectAverage(
                method.average,
                of: method.model,
                after: old,
                decay: decays[step.step - 1],
                "step \(step.step)"
            )
            old = copies(method.average.state())
            return true
        }
        #expect(method.step == 4)
    }

    @Test("a decay of 0 leaves as much of the old weights as the published run does")
    func scaledDecay() {
        typealias Parameters = MinimaxDiffusion.Parameters
        #expect(abs(Parameters.scaledEMADecay(steps: 12_000) - 0.999_899_673_966) < 1e-12)
        #expect(abs(Parameters.scaledEMADecay(steps: 12_000) - 0.9999) < 1e-6)
        #expect(abs(Parameters.scaledEMADecay(steps: 500) - 0.997_594_951_167) < 1e-12)
        #expect(abs(Parameters.scaledEMADecay(steps: 1) - 0.3) < 1e-12)
        var parameters = Parameters()
        #expect(parameters.resolvedEMADecay == 0.9999)
        parameters.emaDecay = 0
        #expect(abs(parameters.resolvedEMADecay - 0.999_899_673_966) < 1e-12)
        parameters.steps = 500
        #expect(abs(parameters.resolvedEMADecay - 0.997_594_951_167) < 1e-12)
        let method = SmallTraining.minimax(parameters)
        #expect(method.average.decay == parameters.resolvedEMADecay)
    }
}

@Suite("Pre-training")
struct PretrainingTests {
    @Test("the learning rate rises, stays, and falls to a last small step")
    func learningRates() throws {
        let method = SmallTraining.pretraining(steps: 10)
        var steps = [DiffusionPretraining.Step]()
        try method.run(on: try SmallTraining.source()) { step in
            steps.append(step)
            return true
        }
        #expect(steps.map(\.step) == Array(1...10))
        let factors = [1.0 / 3, 2.0 / 3, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
        for (step, factor) in zip(steps, factors) {
            #expect(abs(step.learningRate - 1e-3 * factor) < 1e-15, "step \(step.step)")
        }
    }

    /// A model whose gradients all mean something: those of the keys' biases are rounding errors,
    /// of which AdamW makes whole steps.
    private func makeModel() -> DiT {
        let model = SmallTraining.model(scaled: false)
        model.train { !$0.hasSuffix("attn.qkv.bias") }
        return model
    }

    /// min(SNR, 5)/SNR of some timesteps.
    private func weights(_ timesteps: Tensor) -> Tensor {
        let alphaBars = NoiseSchedule().alphaBars
        let steps: [Int] = timesteps.values()
        return Tensor(
            steps.map { step -> Float in
                let ratio = alphaBars[step] / (1 - alphaBars[step])
                return Float(ratio > 5 ? 5 / ratio : 1)
            }
        )
    }

    /// Shortens all gradients together, and tells their norm before.
    private func clip(_ tensors: [Tensor], to bound: Double) -> Double {
        let squares = tensors.compactMap { $0.gradient?.squared().sum().item }
        let norm = squares.reduce(0, +).squareRoot()
        for tensor in tensors {
            guard let gradient = tensor.gradient else { continue }
            tensor.gradient = gradient * (bound / norm)
        }
        return norm
    }

    @Test("three updates are those that are written out here")
    func updates() throws {
        let source = try SmallTraining.source()
        let method = pretraining(makeModel()) {
            $0.steps = 3
            $0.learningRate = 0.01
            $0.warmupSteps = 2
            $0.decaySteps = 2
            $0.labelDropProbability = 0.5
            $0.minSNRGamma = 5
            $0.gradientNorm = 0.05
            $0.weightDecay = 0.1
        }
        var reports = [DiffusionPretraining.Step]()
        try method.run(on: source) { step in
            reports.append(step)
            return true
        }
        try #require(reports.count == 3)

        let model = makeModel()
        let before = copies(model.state())
        let trained = model.trainableParameters()
        let optimizer = AdamW(
            trained,
            learningRate: 0,
            configuration: AdamW.Configuration(beta1: 0.9, beta2: 0.99, weightDecay: 0.1)
        )
        let diffusion = GaussianDiffusion()
        let settings = DiffusionBatch.Settings(
            networkLabels: [0, 1, 2],
            nullLabel: 3,
            dropProbability: 0.5,
            timestepCount: 1000,
            seed: 7,
            device: .cpu
        )
        var order = DataOrder(count: 30, batchSize: 8, seed: 7)
        for (step, learningRate) in [0.005, 0.01, 0.005].enumerated() {
            let batch = DiffusionBatch(
                from: source,
                indices: order.indices(at: step),
                step: step,
                settings: settings
            )
            let xt = diffusion.noised(batch.x0, noise: batch.noise, at: batch.timesteps)
            let terms = diffusion.loss(
                output: model(xt, timesteps: batch.timesteps, labels: batch.labels),
                x0: batch.x0,
                xt: xt,
                noise: batch.noise,
                at: batch.timesteps
            )
            let bound = try #require(terms.variationalBound)
            let loss = (terms.squaredError * weights(batch.timesteps) + bound).mean()
            optimizer.zeroGradients()
            loss.backward()
            let norm = clip(trained.map(\.tensor), to: 0.05)
            #expect(norm > 0.05, "step \(step) is not clipped")
            optimizer.learningRate = learningRate
            optimizer.step()

            let report = reports[step]
            #expect(abs(report.learningRate - learningRate) < 1e-15)
            #expect(abs(report.loss - loss.item) < 1e-5 * loss.item, "step \(step)")
            let squaredError = terms.squaredError.mean().item
            #expect(abs(report.squaredError - squaredError) < 1e-5 * squaredError, "step \(step)")
        }

        let found = method.model.state()
        for (name, tensor) in model.state() {
            expectClose(try #require(found[name]), tensor.detached(), absolute: 2e-6, name)
        }
        for (name, _) in trained {
            let (old, new) = (try #require(before[name]), try #require(found[name]))
            #expect(!new.isEqual(to: old), "\(name) has not moved")
        }
    }
}
