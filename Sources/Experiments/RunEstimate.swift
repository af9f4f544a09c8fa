import Distillation
import Evaluation
import Foundation
import Models
import Torch
import Training

/// A stage of a run, as an estimate sees it.
public enum RunStage: Sendable, Equatable {
    /// Making latents of the training set.
    case encode
    /// Training a model from scratch.
    case pretrain
    /// Fine-tuning with the criteria.
    case finetune
    /// Drawing the surrogate.
    case sample
    /// Making the surrogate of another method.
    case baseline(String)
    /// Training networks on the surrogates.
    case evaluate
}

/// What a run will need, measured on a few of its own steps.
public struct RunEstimate: Codable, Sendable, Equatable {
    /// What one stage will need.
    public struct Stage: Codable, Sendable, Equatable {
        /// For example `finetune`.
        public let stage: String
        /// How much work it is, for example "500 steps".
        public let work: String
        /// Wall time.
        public let seconds: Double
        /// Room for checkpoints and images.
        public internal(set) var diskBytes = 0
    }

    /// The stages in their order.
    public let stages: [Stage]
    /// Largest memory that the measured steps needed; a whole run needs no less.
    public let memoryBytes: Int
    /// Room for checkpoints and images.
    public let diskBytes: Int

    /// Wall time of all stages.
    public var seconds: Double { stages.reduce(0) { $0 + $1.seconds } }

    /// For people.
    public var text: String {
        var rows = stages.map { ($0.stage, RunEstimate.time($0.seconds) + ": " + $0.work) }
        if stages.count > 1 { rows.append(("together", RunEstimate.time(seconds))) }
        rows.append(("memory", String(format: "at least %.1f GB", Double(memoryBytes) / 1e9)))
        rows.append(("disk", String(format: "about %.0f MB", Double(diskBytes) / 1e6)))
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $1 }
            .joined(separator: "\n")
    }

    /// "about 36 s", "about 8.3 min", "about 6 h 27 min", "about 209 days".
    package static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<100: return String(format: "about %.0f s", seconds)
        case ..<7200: return String(format: "about %.1f min", seconds / 60)
        case ..<172_800:
            let minutes = Int((seconds / 60).rounded())
            return String(format: "about %d h %02d min", minutes / 60, minutes % 60)
        default: return String(format: "about %.0f days", seconds / 86_400)
        }
    }
}

/// The largest memory of several measurements, each of which may begin to count anew.
package struct PeakMemory {
    private let device: Device
    /// The largest so far, in bytes.
    package private(set) var bytes = 0

    /// Begins with nothing.
    package init(on device: Device) { self.device = device }

    /// Takes what was needed since the last count began; to be called before the next one does.
    package mutating func note() { bytes = max(bytes, Memory.peakBytes(on: device)) }
}

extension Pipeline {
    /// The stages of `run()`.
    public var stages: [RunStage] {
        (pretrainsHere ? [.pretrain] : []) + [.finetune, .sample]
            + recipe.baselines.map(RunStage.baseline) + [.evaluate]
    }

    /// Measures a few steps of each stage, from its start; nothing of them is kept.
    ///
    /// - Parameter stages: The stages; nil for those of `run()`.
    /// - Returns: What they will need together.
    /// - Throws: What the stages themselves throw: settings that do not fit, missing files.
    public func estimate(_ stages: [RunStage]? = nil) throws -> RunEstimate {
        try requireKnown(recipe.baselines)
        var wanted = stages ?? self.stages
        try requireImages(
            for: wanted.compactMap { if case .baseline(let name) = $0 { name } else { nil } }
        )
        if wanted.contains(.evaluate) {
            try requireEvaluation()
            try requireTestImages()
        }
        if !recipe.model.autoencoder.isEmpty, let first = wanted.first, first != .encode {
            wanted.insert(.encode, at: 0)
        }
        var peak = PeakMemory(on: device)
        let stages = try wanted.map { wanted in
            var (stage, diskBytes) = try estimate(wanted, &peak)
            stage.diskBytes = diskBytes
            return stage
        }
        return RunEstimate(
            stages: stages,
            memoryBytes: peak.bytes,
            diskBytes: stages.reduce(0) { $0 + $1.diskBytes }
        )
    }

    private func estimate(
        _ stage: RunStage,
        _ peak: inout PeakMemory
    ) throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        defer { peak.note() }
        return switch stage {
        case .encode: try estimateEncoding()
        case .pretrain: try estimatePretraining()
        case .finetune: try estimateFinetuning()
        case .sample: try estimateSampling("sample")
        case .baseline(let name): try estimateBaseline(name)
        case .evaluate: try estimateEvaluation(&peak)
        }
    }

    func surrogateCount() throws -> Int {
        try data().classNames.count * recipe.sample.imagesPerClass
    }

    /// Images as large as if PNG saved nothing.
    func surrogateBytes() throws -> Int {
        let data = try data()
        return try surrogateCount() * data.width * data.height * data.channels
    }

    /// The time of a step, without the first, which is slower than the others.
    ///
    /// Where steps take long, fewer are measured: at worst the first alone.
    func secondsPerStep(_ run: (() -> Bool) throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        var marks = [ContinuousClock.Instant]()
        try run {
            device.synchronize()
            marks.append(.now)
            // The first is told only where a second would take minutes.
            return marks.count < 4
                && .now - start < (marks.count < 2 ? .seconds(120) : .seconds(15))
        }
        guard let first = marks.first, let last = marks.last else { return 0 }
        return marks.count > 1
            ? (last - first) / .seconds(1) / Double(marks.count - 1)
            : (first - start) / .seconds(1)
    }

    private func estimatePretraining() throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        let parameters = recipe.pretrain.training
        let (configuration, space) = try pretrainedArchitecture()
        let training = newPretraining(configuration)
        let source = try unencodedSource(space)
        let seconds = try secondsPerStep { goOn in
            try training.run(on: source) { _ in goOn() }
        }
        return (
            .init(
                stage: "pretrain",
                work: "\(parameters.steps) steps of \(parameters.batchSize) images",
                seconds: seconds * Double(parameters.steps)
            ),
            // Weights, their averages and two moments; the result.
            training.model.state().elementCount * 4 * 5
        )
    }

    /// The pre-trained model, or one of its sizes with the weights of the start.
    private func measuredModel() throws -> ModelFile {
        guard pretrainsHere, !folder.has("checkpoints/pretrained.safetensors") else {
            return try pretrainedModel()
        }
        let (configuration, space) = try pretrainedArchitecture()
        let training = newPretraining(configuration)
        return ModelFile(
            description: .init(
                architecture: training.model.configuration,
                autoencoder: space,
                classNames: try data().classNames,
                origin: "untrained"
            ),
            weights: training.model.state()
        )
    }

    func estimateFinetuning() throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        let file = try measuredModel()
        let source = try unencodedSource(file.description.autoencoder)
        let phases = try phases()
        let all = phases.map { finetuning($0, of: source) }
        let steps = all.reduce(0) { $0 + $1.steps }
        let method = try newFinetuning(file, source: source, parameters: all[0])
        let seconds = try secondsPerStep { goOn in
            try method.run(on: source) { _ in goOn() }
        }
        let trained = method.average.state().elementCount
        return (
            .init(
                stage: "finetune",
                work: "\(steps) steps of \(all[0].batchSize) images"
                    + (phases.count > 1 ? " in \(phases.count) phases" : ""),
                seconds: seconds * Double(steps)
            ),
            (phases.count > 1 ? trained * phases.count : file.weights.elementCount) * 4
                + method.checkpoint().elementCount * 4
        )
    }

    func estimateSampling(
        _ name: String
    ) throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        let settings = recipe.sample
        let file = try measuredModel()
        let model = try samplingModel(file)
        let count = try surrogateCount()
        let rows = min(settings.batchSize, count) * (settings.guidance == 1 ? 1 : 2)
        let a = file.description.architecture
        let x = Tensor.zeros([rows, a.channels, a.inputSize, a.inputSize], device: device)
        let labels = Tensor.zeros([rows], dtype: .int64, device: device)
        let seconds = secondsPerStep { goOn in
            while goOn() {
                withoutGradient {
                    withAutocast(environment.precision, on: device) {
                        _ = model(x, timesteps: labels, labels: labels)
                    }
                }
            }
        }
        let batches = (count + settings.batchSize - 1) / settings.batchSize
        return (
            .init(
                stage: name,
                work: "\(count) images, \(settings.steps) steps of \(settings.sampler.rawValue)",
                seconds: seconds * Double(settings.steps * batches)
                    + (try decodingSeconds(file.description)) * Double(count)
            ),
            try surrogateBytes()
        )
    }

    /// Trains each network for a few epochs on real images, as many as the surrogate will have.
    private func estimateEvaluation(
        _ peak: inout PeakMemory
    ) throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        let settings = recipe.evaluate
        let data = try data()
        // A training on fewer images has about as many steps: more epochs.
        let counts = try requestedCounts().count
        var seconds = 0.0
        var epochs = 0
        for network in settings.networks {
            let options = try evaluationOptions(method: "estimate", network: network)
            let one = try estimateOneSeed(
                train: data.someTrainingImages(
                    recipe.sample.imagesPerClass,
                    for: options.evaluationProtocol
                ),
                test: data.testSet(for: options.evaluationProtocol),
                options: options,
                on: device,
                teacher: teacher()
            )
            peak.note()
            seconds += one.seconds
            epochs = one.epochs
        }
        // Sets as they are and, of methods that optimise pixels, as floats; those of IDC are larger.
        let factors = recipe.baselines.flatMap { name in
            let isOptimized = BaselineMethod(rawValue: name)?.optimizesImages == true
            return [Int](
                repeating: recipe.trainingImageFactor(of: name),
                count: isOptimized && settings.floatImages ? 2 : 1
            )
        }
        let sets = (factors.count + 1) * counts
        let trainings = settings.networks.count * settings.seeds.count * sets
        // More images are seen less often, unless the recipe says how often.
        let rules = try EvaluationProtocol.named(settings.evaluationProtocol)
        func usual(_ factor: Int) -> Double {
            let perClass = recipe.sample.imagesPerClass * factor
            let classCount = data.classNames.count
            return Double(rules.epochs(imagesPerClass: perClass, classCount: classCount))
        }
        // Scores of the teacher for every image and epoch, where several seeds read them.
        let labels =
            rules.storesSoftLabels && settings.seeds.count > 1
            ? 2 * (try surrogateCount()) * data.classNames.count * epochs * sets : 0
        let weight = ([1] + factors).reduce(0.0) { sum, factor in
            let share = settings.epochs > 0 ? 1 : usual(factor) / usual(1)
            return sum + Double(factor * counts) * share
        }
        return (
            .init(
                stage: "evaluate",
                work: "\(trainings) trainings of \(epochs) epochs",
                seconds: seconds * Double(settings.seeds.count) * weight
            ),
            labels
        )
    }
}

/// Measures four epochs of training, on a part of a large set, and two looks at a part of the test set.
///
/// - Returns: The time of a whole training with one seed, and its number of epochs.
func estimateOneSeed(
    train: EvaluationSet,
    test: EvaluationSet,
    options: EvaluationOptions,
    on device: Device,
    teacher: Teacher? = nil
) throws -> (seconds: Double, epochs: Int) {
    let classCount = train.images.classCount
    let perClass = Double(train.images.count) / Double(max(classCount, 1))
    let usual = options.evaluationProtocol.epochs(
        imagesPerClass: Int(perClass.rounded()),
        classCount: classCount
    )
    let epochs = options.epochs ?? usual
    let looks = TrainingOptions(
        epochs: epochs,
        evaluations: options.evaluations,
        firstLook: options.evaluationProtocol.firstLook
    )
    let lookCount = (1...max(epochs, 1)).count(where: looks.looksAtTestSet)
    // Eight steps tell as much as an epoch of a million images.
    let batchSize = options.evaluationProtocol.optimization(
        classCount: classCount,
        imagesPerClass: Int(perClass.rounded()),
        network: options.network
    ).batchSize
    let trained = train.part(imagesPerClass: max(1, 8 * batchSize / max(classCount, 1)))
    let share = Double(train.images.count) / Double(trained.images.count)
    let part = test.part(imagesPerClass: max(1, min(50, 2000 / max(classCount, 1))))
    let whole = Double(test.images.count) / Double(part.images.count)
    var few = options
    few.storedImagesPerClass = options.storedImagesPerClass ?? Int(perClass.rounded())
    few.epochs = 4
    few.evaluations = 2
    few.seeds = [0]
    var marks = [ContinuousClock.Instant]()
    few.evaluationProtocol.looksAtOnce()
    _ = try evaluate(
        train: trained,
        test: teacher == nil ? part : test,
        options: few,
        on: device,
        teacher: teacher
    ) { event in
        if case .training(.epoch, _, _, _) = event { marks.append(.now) }
        return .continue
    }
    guard marks.count == 4 else { return (0, epochs) }
    // An epoch is told of after its look at the test set, if it has one: 2 and 4 do.
    let epoch = (marks[2] - marks[1]) / .seconds(1)
    let look =
        max(0, (marks[3] - marks[2]) / .seconds(1) - epoch) * (teacher == nil ? whole : 1)
    return (epoch * share * Double(epochs) + look * Double(lookCount), epochs)
}
