import Checkpoints
import Distillation
import Foundation
import Models
import NeuralNetworks
import Torch

extension Pipeline {
    /// Trains a model from scratch; the result is `checkpoints/pretrained.safetensors`.
    ///
    /// - Returns: The file with the average of the weights.
    @discardableResult
    public func pretrain() throws -> URL {
        let result = folder.path("checkpoints/pretrained.safetensors")
        let settings = recipe.pretrain
        guard !folder.has("checkpoints/pretrained.safetensors") else {
            observer.note("pretrain: done before")
            return result
        }
        let data = try data()
        let (configuration, space) = try pretrainedArchitecture()
        // Encoding has its own line among the costs, and the new model is no part of its memory.
        let source = try latents(space)
        let training = newPretraining(configuration)
        let checkpoint = folder.path("checkpoints/pretrain.safetensors")
        if folder.has("checkpoints/pretrain.safetensors") {
            try training.restore(Safetensors.load(contentsOf: checkpoint))
            observer.note("pretrain: going on at step \(training.step)")
        }
        var watch = Stopwatch("pretrain", in: folder, on: device)
        var meter = StepMeter()
        try training.run(on: source) { step in
            meter.add(["loss": step.loss, "squaredError": step.squaredError])
            if step.step % settings.logEvery == 0 {
                let values = meter.means(step: step.step, batchSize: settings.training.batchSize)
                try metrics.log(
                    stage: "pretrain",
                    values.merging(["learningRate": step.learningRate]) { $1 }
                )
                observer.progress(
                    stage: "pretrain",
                    done: step.step,
                    total: settings.training.steps,
                    unit: "steps",
                    detail: String(format: "squared error %.4f", values["squaredError"] ?? 0)
                )
            }
            let mustStop = environment.isInterrupted()
            if step.step % settings.checkpointEvery == 0 || mustStop {
                try Safetensors.save(training.checkpoint(), to: checkpoint)
                try watch.book()
            }
            return !mustStop
        }
        guard training.step == settings.training.steps else { throw InterruptedError() }
        var weights = training.model.state()
        weights.merge(training.average.state())
        let origin =
            "distill pretrain, seed \(recipe.seed), \(training.step) updates of "
            + "\(settings.training.batchSize) images of \(recipe.data.train.path)"
        try ModelFile(
            description: .init(
                architecture: training.model.configuration,
                autoencoder: space,
                classNames: data.classNames,
                origin: origin
            ),
            weights: weights
        ).save(to: result, dtype: settings.storesHalfPrecision ? .float16 : .float32)
        try watch.book(optimizedValues: training.model.trainableValueCount)
        return result
    }

    /// The sizes of a new model, and the space its images are in.
    func pretrainedArchitecture() throws -> (
        configuration: DiT.Configuration, space: AutoencoderDescription
    ) {
        let settings = recipe.pretrain
        let data = try data()
        let space = try autoencoder().description
        try space.requireFit(height: data.height, width: data.width, channels: data.channels)
        let latentShape = space.latentShape(height: data.height, width: data.width)
        let configuration = DiT.Configuration(
            inputSize: latentShape[2],
            patchSize: settings.patchSize,
            channels: latentShape[0],
            hiddenSize: settings.hiddenSize,
            depth: settings.depth,
            headCount: settings.heads,
            classCount: data.classNames.count
        )
        if let problem = configuration.problem {
            throw RunError(.invalidSettings, "pretrain: \(problem)")
        }
        return (configuration, space)
    }

    /// The training of a new model, before its first update.
    func newPretraining(_ configuration: DiT.Configuration) -> DiffusionPretraining {
        var generator = RandomGenerator(seed: seed, purpose: .initialization)
        let model = DiT(configuration, using: &generator)
        model.move(to: device)
        return DiffusionPretraining(
            model,
            parameters: recipe.pretrain.training,
            seed: seed,
            precision: environment.precision,
            device: device
        )
    }

    /// Fine-tunes the model; the result is `checkpoints/finetuned.safetensors`.
    ///
    /// With phases there is one file each, `checkpoints/phase-03/finetuned.safetensors`, with the
    /// weights that were trained.
    public func finetune() throws { try finetune(.minimax) }

    /// Makes sure that there is a model to fine-tune, unless that is done or it is still to be made.
    func requireWeights(for kind: Finetuning = .minimax) throws {
        guard !folder.has("checkpoints/\(kind.result).safetensors") else { return }
        _ = try weightsFile()
    }

    /// Fine-tunes with or without the criteria.
    func finetune(_ kind: Finetuning) throws {
        try requireWeights(for: kind)
        let phases = try phases()
        guard let first = phases.first(where: { !folder.has($0.file(kind.result)) }) else {
            observer.note("\(kind.stage): done before")
            return
        }
        let file = try pretrainedModel()
        _ = try networkLabels(file.description)
        let trains = recipe.finetune.epochs > 0 || recipe.finetune.minimax.steps > 0
        let source =
            try trains
            ? latents(file.description.autoencoder) : unencodedSource(file.description.autoencoder)
        let parameters = phases.map { finetuning($0, of: source, kind) }
        warnAboutAverage(parameters[first.number])
        for phase in phases[first.number...] {
            let stepsBefore = parameters[..<phase.number].reduce(0) { $0 + $1.steps }
            try finetune(kind, phase, file, source: source, stepsBefore: stepsBefore)
        }
    }

    // The log counts on from the steps of the earlier phases.
    private func finetune(
        _ kind: Finetuning,
        _ phase: Phase,
        _ file: ModelFile,
        source: any LatentSource,
        stepsBefore: Int
    ) throws {
        let settings = recipe.finetune
        let parameters = finetuning(phase, of: source, kind)
        let name = phase.file(kind.result)
        guard !folder.has(name) else { return }
        let stage = kind.stage + (phase.isWhole ? "" : " \(phase.number + 1)/\(phase.count)")
        let method = try newFinetuning(file, source: source, parameters: parameters)
        let checkpoint = folder.path(phase.file(kind.checkpoint))
        try folder.makeFolder(of: phase.file(kind.checkpoint))
        if folder.has(phase.file(kind.checkpoint)) {
            try method.restore(Safetensors.load(contentsOf: checkpoint))
            observer.note("\(stage): going on at step \(method.step)")
        }
        var watch = Stopwatch(kind.stage, in: folder, on: device)
        var meter = StepMeter()
        try method.run(on: phase.isWhole ? source : SomeLatents(of: source, labels: phase.labels)) {
            step in
            meter.add([
                "loss": step.loss, "diffusion": step.diffusion,
                "representativeness": step.representativeness, "diversity": step.diversity,
            ])
            if step.step % settings.logEvery == 0 {
                let values = meter.means(
                    step: stepsBefore + step.step,
                    batchSize: parameters.batchSize
                )
                try metrics.log(
                    stage: kind.stage,
                    values.merging(["learningRate": parameters.learningRate]) { $1 }
                )
                observer.progress(
                    stage: stage,
                    done: step.step,
                    total: parameters.steps,
                    unit: "steps",
                    detail: String(format: "loss %.4f", values["loss"] ?? 0)
                )
            }
            let mustStop = environment.isInterrupted()
            if step.step % settings.checkpointEvery == 0 || mustStop {
                try Safetensors.save(method.checkpoint(), to: checkpoint)
                try watch.book()
            }
            return !mustStop
        }
        guard method.step == parameters.steps else { throw InterruptedError() }
        var description = file.description
        description.architecture = method.model.configuration
        description.origin += "; fine-tuned with \(method.step) steps of \(kind.words)"
        // The float32 originals of the frozen weights, under the averages of the trained ones.
        var weights = phase.isWhole ? file.weights : StateDictionary()
        weights.merge(method.average.state())
        try ModelFile(description: description, weights: weights).save(to: folder.path(name))
        try watch.book(optimizedValues: method.model.trainableValueCount)
        if !phase.isWhole { try? FileManager.default.removeItem(at: checkpoint) }
    }

    /// The settings of a phase, with passes over its images turned into steps.
    func finetuning(
        _ phase: Phase,
        of source: any LatentSource,
        _ kind: Finetuning = .minimax
    ) -> MinimaxDiffusion.Parameters {
        var parameters = recipe.finetune.minimax
        if kind == .plain { (parameters.representativeness, parameters.diversity) = (0, 0) }
        if recipe.finetune.epochs > 0 {
            let labels = Set(phase.labels)
            let count = source.labels.count(where: labels.contains)
            let batches = count / max(min(parameters.batchSize, count), 1)
            parameters.steps = recipe.finetune.epochs * batches
        }
        return parameters
    }

    /// The fine-tuning of a model, before its first update.
    func newFinetuning(
        _ file: ModelFile,
        source: any LatentSource,
        parameters: MinimaxDiffusion.Parameters
    ) throws -> MinimaxDiffusion {
        MinimaxDiffusion(
            try file.model(scaledBlockCount: recipe.model.scaledBlocks, device: device),
            networkLabels: try networkLabels(file.description),
            latentShape: source.latentShape,
            parameters: parameters,
            seed: seed,
            precision: environment.precision,
            device: device
        )
    }

    private func warnAboutAverage(_ parameters: MinimaxDiffusion.Parameters) {
        let share = ExponentialMovingAverage.remainingShare(
            decay: parameters.resolvedEMADecay,
            steps: parameters.steps
        )
        guard parameters.steps > 0, share > 0.5 else { return }
        let better = MinimaxDiffusion.Parameters.scaledEMADecay(steps: parameters.steps)
        observer.warn(
            String(
                format: "finetune: after %d steps with an EMA decay of %g, %.0f %% of the "
                    + "pre-trained weights remain in the average that samples come from "
                    + "(published: 30 %%). Set finetune.minimax.emaDecay=%.6f for 30 %%.",
                parameters.steps,
                parameters.emaDecay,
                share * 100,
                better
            )
        )
    }
}

/// What a model is fine-tuned with.
enum Finetuning {
    /// The diffusion loss and both criteria: the surrogate.
    case minimax
    /// The diffusion loss alone: the baseline `dit`.
    case plain

    /// The stage in costs, logs and progress.
    var stage: String { self == .minimax ? "finetune" : "finetune dit" }
    /// Name of the file of the fine-tuned weights.
    var result: String { self == .minimax ? "finetuned" : "dit-finetuned" }
    /// Name of the file of an unfinished fine-tuning.
    var checkpoint: String { self == .minimax ? "finetune" : "dit-finetune" }
    /// For the description of the model.
    var words: String {
        self == .minimax ? "Minimax Diffusion" : "the diffusion loss alone"
    }
}

/// Means of what is logged, over the steps since the last line.
struct StepMeter {
    private var sums = [String: Double]()
    private var counts = [String: Int]()
    private var count = 0
    private var start = ContinuousClock.now

    /// Not every step needs to have every value.
    mutating func add(_ values: [String: Double]) {
        for (key, value) in values {
            sums[key, default: 0] += value
            counts[key, default: 0] += 1
        }
        count += 1
    }

    /// The means, with rates; starts anew.
    mutating func means(step: Int, batchSize: Int) -> [String: Double] {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        var values = [String: Double]()
        for (key, sum) in sums { values[key] = sum / Double(max(counts[key, default: 0], 1)) }
        values["step"] = Double(step)
        values["stepsPerSecond"] = Double(count) / max(seconds, 1e-9)
        values["imagesPerSecond"] = Double(count * batchSize) / max(seconds, 1e-9)
        self = StepMeter()
        return values
    }
}
