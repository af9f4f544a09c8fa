import Checkpoints
import Distillation
import Foundation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch
import Training

/// A small training set and models for it.
enum SmallTraining {
    static let configuration = DiT.Configuration(
        inputSize: 8,
        patchSize: 2,
        channels: 1,
        hiddenSize: 16,
        depth: 2,
        headCount: 2,
        classCount: 3
    )

    /// 30 images of three classes.
    static func source(flips: Bool = true) throws -> ImageLatents {
        var generator = RandomGenerator(seed: 3)
        let noise = generator.uniform([30, 1, 8, 8]) * 255
        let images = noise.converted(to: .uint8)
        return try ImageLatents(
            images: images,
            labels: (0..<30).map { $0 % 3 },
            autoencoder: PixelSpace(measuring: images),
            flips: flips
        )
    }

    static func model(scaled: Bool) -> DiT {
        var generator = RandomGenerator(seed: 1, purpose: .initialization)
        let model = DiT(
            scaled ? configuration.withScaleFactors() : configuration,
            using: &generator
        )
        // Gates and output start at zero; open them, so that every parameter has a gradient.
        for (name, tensor) in model.parameters()
        where name.contains("adaLN_modulation") || name.hasPrefix("final_layer") {
            Initialization.normal(tensor, deviation: 0.1, using: &generator)
        }
        return model
    }

    static func minimax(
        steps: Int,
        precision: DType? = nil,
        recomputes: Bool = false
    ) -> MinimaxDiffusion {
        var parameters = MinimaxDiffusion.Parameters()
        parameters.recomputesActivations = recomputes
        parameters.steps = steps
        parameters.batchSize = 5
        parameters.memorySize = 4
        parameters.emaDecay = 0.9
        parameters.representativeness = 0.5
        parameters.diversity = 0.5
        return minimax(parameters, precision: precision)
    }

    static func minimax(
        _ parameters: MinimaxDiffusion.Parameters,
        precision: DType? = nil
    ) -> MinimaxDiffusion {
        MinimaxDiffusion(
            model(scaled: true),
            networkLabels: [2, 0, 1],
            latentShape: [1, 8, 8],
            parameters: parameters,
            seed: 7,
            precision: precision,
            device: .cpu
        )
    }

    static func pretraining(steps: Int, recomputes: Bool = false) -> DiffusionPretraining {
        var parameters = DiffusionPretraining.Parameters()
        parameters.recomputesActivations = recomputes
        parameters.steps = steps
        parameters.batchSize = 8
        parameters.warmupSteps = 3
        parameters.decaySteps = 4
        return pretraining(parameters)
    }

    static func pretraining(_ parameters: DiffusionPretraining.Parameters) -> DiffusionPretraining {
        DiffusionPretraining(
            model(scaled: false),
            parameters: parameters,
            seed: 7,
            precision: nil,
            device: .cpu
        )
    }
}

/// Through a file, as a killed run goes on.
private func throughFile(_ state: StateDictionary) throws -> StateDictionary {
    try withTemporaryFolder { folder in
        let url = folder.appendingPathComponent("checkpoint.safetensors")
        try Safetensors.save(state, metadata: [:], to: url)
        return try Safetensors.load(contentsOf: url)
    }
}

private func expectSame(_ a: StateDictionary, _ b: StateDictionary) {
    #expect(a.names == b.names)
    for (name, tensor) in a {
        if let other = b[name] { #expect(tensor.bytes() == other.bytes(), "\(name)") }
    }
}

@Suite("Trainings that were interrupted")
struct ResumedTrainingTests {
    @Test(
        "a fine-tuning that was stopped after any step ends bit for bit like one that was not",
        arguments: [1, 4, 9],
        [DType.float32, .bfloat16]
    )
    func finetuning(stop: Int, precision: DType) throws {
        let source = try SmallTraining.source()
        let type = precision == .bfloat16 ? precision : nil
        let whole = SmallTraining.minimax(steps: 12, precision: type)
        try whole.run(on: source) { _ in true }
        let first = SmallTraining.minimax(steps: 12, precision: type)
        try first.run(on: source) { $0.step < stop }
        #expect(first.step == stop)
        let second = SmallTraining.minimax(steps: 12, precision: type)
        try second.restore(throughFile(first.checkpoint()))
        try second.run(on: source) { _ in true }
        expectSame(whole.checkpoint(), second.checkpoint())
    }

    @Test("a pre-training that was stopped ends bit for bit like one that was not")
    func pretraining() throws {
        let source = try SmallTraining.source()
        let whole = SmallTraining.pretraining(steps: 10)
        try whole.run(on: source) { _ in true }
        let first = SmallTraining.pretraining(steps: 10)
        try first.run(on: source) { $0.step < 4 }
        let second = SmallTraining.pretraining(steps: 10)
        try second.restore(throughFile(first.checkpoint()))
        try second.run(on: source) { _ in true }
        expectSame(whole.checkpoint(), second.checkpoint())
    }

    @Test("a checkpoint of other settings is refused")
    func otherSettings() throws {
        let source = try SmallTraining.source()
        let first = SmallTraining.minimax(steps: 3)
        try first.run(on: source) { _ in true }
        var state = first.checkpoint()
        state["memory.0.rows"] = .zeros([2, 64])
        let second = SmallTraining.minimax(steps: 3)
        #expect(throws: StateMismatchError.self) { try second.restore(state) }
    }

    @Test(
        "a checkpoint from which something is missing is refused, not completed",
        arguments: ["step", "memory.0.rows", "memory.0.reciprocal_norms"]
    )
    func incomplete(name: String) throws {
        let source = try SmallTraining.source()
        let first = SmallTraining.minimax(steps: 3)
        try first.run(on: source) { _ in true }
        let whole = first.checkpoint()
        try #require(whole[name] != nil)
        let part = StateDictionary(whole.filter { $0.0 != name }.map { ($0.0, $0.1) })
        let error = #expect(throws: StateMismatchError.self) {
            try SmallTraining.minimax(steps: 3).restore(part)
        }
        let last = name.split(separator: ".").last.map(String.init) ?? name
        #expect(error?.missing.contains { $0.contains(last) } == true)
    }
}

@Suite("Fine-tuning")
struct FinetuningTests {
    @Test("what is frozen stays as it was, what is trained changes")
    func frozen() throws {
        let method = SmallTraining.minimax(steps: 4)
        let before = method.model.state().mapValues { $0.detached().copied() }
        try method.run(on: try SmallTraining.source()) { _ in true }
        for (name, tensor) in method.model.state() {
            guard let old = before[name] else { continue }
            let isSame = tensor.isEqual(to: old)
            #expect(isSame != DiT.isFineTuned(name), "\(name)")
        }
    }

    @Test("the average follows the weights")
    func average() throws {
        let method = SmallTraining.minimax(steps: 6)
        let before = method.average.state().mapValues { $0.copied() }
        try method.run(on: try SmallTraining.source()) { _ in true }
        let moved = method.average.state().filter { name, tensor in
            before[name].map { !tensor.isEqual(to: $0) } ?? false
        }
        #expect(moved.count == method.average.state().count)
    }

    @Test("steps free what they make")
    func leaks() throws {
        let method = SmallTraining.minimax(steps: 40, precision: .bfloat16)
        let source = try SmallTraining.source()
        // The memories are full and every gradient exists after some steps.
        try method.run(on: source) { $0.step < 20 }
        try expectNoLeaks {
            try method.run(on: source) { _ in true }
        }
    }

    @Test(
        "computing activations again changes neither the result nor what is kept of a step",
        arguments: [nil, DType.bfloat16]
    )
    func recomputation(precision: DType?) throws {
        let source = try SmallTraining.source()
        let plain = SmallTraining.minimax(steps: 4, precision: precision)
        try plain.run(on: source) { _ in true }
        let other = SmallTraining.minimax(steps: 8, precision: precision, recomputes: true)
        #expect(other.model.recomputesActivations && !plain.model.recomputesActivations)
        try other.run(on: source) { $0.step < 4 }
        expectSame(plain.checkpoint(), other.checkpoint())
        try other.run(on: source) { $0.step < 7 }
        try expectNoLeaks { try other.run(on: source) { _ in true } }

        let pretraining = SmallTraining.pretraining(steps: 3)
        try pretraining.run(on: source) { _ in true }
        let again = SmallTraining.pretraining(steps: 3, recomputes: true)
        #expect(again.model.recomputesActivations)
        try again.run(on: source) { _ in true }
        expectSame(pretraining.checkpoint(), again.checkpoint())
    }

    @Test("a loss that is no number ends the training, before a checkpoint is made of it")
    func divergence() throws {
        var parameters = MinimaxDiffusion.Parameters()
        parameters.steps = 30
        parameters.batchSize = 5
        parameters.learningRate = 1e30
        let finetuning = SmallTraining.minimax(parameters)
        let source = try SmallTraining.source()
        var error = #expect(throws: TrainingError.self) {
            try finetuning.run(on: source) { step in
                #expect(step.loss.isFinite)
                return true
            }
        }
        #expect(error?.code == .diverged)
        #expect(error?.message.contains("finetune.minimax.learningRate") == true)

        var settings = DiffusionPretraining.Parameters()
        settings.steps = 30
        settings.batchSize = 8
        settings.learningRate = 1e30
        settings.warmupSteps = 0
        let pretraining = SmallTraining.pretraining(settings)
        error = #expect(throws: TrainingError.self) {
            try pretraining.run(on: source) { $0.loss.isFinite }
        }
        #expect(error?.message.contains("pretrain.training.learningRate") == true)
    }

    @Test("without the criteria no memory is kept and the loss is the diffusion loss")
    func ablation() throws {
        var parameters = MinimaxDiffusion.Parameters()
        parameters.steps = 3
        parameters.batchSize = 6
        parameters.representativeness = 0
        parameters.diversity = 0
        let method = SmallTraining.minimax(parameters)
        try method.run(on: try SmallTraining.source()) { step in
            #expect(step.loss == step.diffusion)
            return true
        }
        #expect(method.memories.contents(label: 0) == nil)
    }
}
