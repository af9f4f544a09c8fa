import Diffusion
import Foundation
import Models
import NeuralNetworks
import Torch
import Training

/// Minimax Diffusion (Gu et al., "Efficient Dataset Distillation via Minimax Diffusion", CVPR
/// 2024, algorithm 1): fine-tunes a DiT so that its samples represent the real images of their
/// class and differ from each other.
///
/// ```
/// L = L_diff + λ_r/n · Σ_c (1 − min cos(ẑ, R_c)) + λ_d/n · Σ_c max cos(ẑ, Q_c)
/// ```
///
/// ẑ are the predictions x̂₀ of a class in the batch, R_c its real memory, Q_c its memory of
/// predictions, n the number of classes in the batch. The first term pulls the farthest real
/// image nearer, the second pushes away from the nearest earlier prediction. Only the DiffFit
/// parameters are trained, and samples come from the average of the weights.
public final class MinimaxDiffusion {
    /// Settings of the fine-tuning, with the published defaults.
    public struct Parameters: Codable, Sendable, Equatable {
        /// Number of updates; published: the checkpoint after 12,000, of the 12,448 in 8 epochs of
        /// ImageWoof.
        public var steps = 12_000
        /// Images an update.
        public var batchSize = 8
        /// Learning rate of AdamW, constant.
        public var learningRate = 1e-3
        /// λ_r, the weight of representativeness; 0 switches it off.
        public var representativeness = 0.002
        /// λ_d, the weight of diversity; 0 switches it off.
        public var diversity = 0.008
        /// Entries of each memory of a class.
        public var memorySize = 64
        /// Decay of the average of the weights that samples come from; 0 chooses 0.3^(1/steps),
        /// which leaves as much of the old weights as in the published run.
        public var emaDecay = 0.9999
        /// How often a label is replaced by "no class", in [0, 1].
        public var labelDropProbability = 0.1
        /// Whether the blocks of the model are computed once more in the backward pass instead of
        /// keeping what they computed: far less memory, nearly half as long again, the same result.
        public var recomputesActivations = false

        /// The published settings.
        public init() {}

        /// The decay that is used, with 0 resolved.
        public var resolvedEMADecay: Double {
            emaDecay == 0 ? Parameters.scaledEMADecay(steps: steps) : emaDecay
        }

        /// The decay that leaves as much of the old weights after `steps` as the published
        /// 12,000 steps do with 0.9999: 0.3^(1/steps).
        public static func scaledEMADecay(steps: Int) -> Double {
            pow(0.3, 1 / Double(max(steps, 1)))
        }
    }

    /// What one update did.
    public struct Step {
        /// Number of updates made.
        public let step: Int
        /// L_diff: squared error of the noise plus variational bound.
        public let diffusion: Double
        /// λ_r/n · Σ (1 − min cos).
        public let representativeness: Double
        /// λ_d/n · Σ max cos.
        public let diversity: Double
        /// L_diff image by image, and x̂₀: for tests.
        package let terms: DiffusionLoss

        /// The sum that was minimised.
        public var loss: Double { diffusion + representativeness + diversity }
    }

    /// The model; its weights are those of the last update.
    public let model: DiT
    /// The average of the trained weights, which samples come from.
    public let average: ExponentialMovingAverage
    /// Number of updates made.
    public private(set) var step = 0
    package let optimizer: AdamW
    package let memories: ClassMemories
    private let parameters: Parameters
    private let diffusion: GaussianDiffusion
    private let settings: DiffusionBatch.Settings
    private let precision: DType?
    private let device: Device
    /// A loss that is switched off.
    private let zero: Tensor

    /// Prepares the fine-tuning of a pre-trained model.
    ///
    /// - Parameters:
    ///   - model: A DiT with scale factors, on its device; all but its DiffFit parameters are
    ///     frozen.
    ///   - networkLabels: The model's label of each class of the training set.
    ///   - latentShape: [C, H, W] of the training set.
    ///   - parameters: Settings.
    ///   - seed: Of everything that is drawn.
    ///   - precision: `bfloat16` for autocast, or nil.
    ///   - device: Where the model is.
    public init(
        _ model: DiT,
        networkLabels: [Int],
        latentShape: [Int],
        parameters: Parameters,
        seed: UInt64,
        precision: DType?,
        device: Device
    ) {
        self.model = model
        self.parameters = parameters
        self.precision = precision
        self.device = device
        zero = .zeros([], device: device)
        model.train(where: DiT.isFineTuned)
        model.recomputesActivations = parameters.recomputesActivations
        if let precision { model.lowerFrozenWeights(to: precision) }
        let trained = model.trainableParameters()
        average = ExponentialMovingAverage(of: trained, decay: parameters.resolvedEMADecay)
        optimizer = AdamW(trained, learningRate: parameters.learningRate)
        memories = ClassMemories(
            capacity: parameters.memorySize,
            latentShape: latentShape,
            device: device
        )
        diffusion = GaussianDiffusion(device: device)
        settings = DiffusionBatch.Settings(
            networkLabels: networkLabels,
            nullLabel: model.configuration.classCount,
            dropProbability: parameters.labelDropProbability,
            timestepCount: diffusion.schedule.stepCount,
            seed: seed,
            device: device
        )
    }

    /// Fine-tunes until all steps are made or `progress` says stop.
    ///
    /// - Parameters:
    ///   - source: The training set.
    ///   - progress: Called after every update; false ends the fine-tuning early.
    /// - Throws: `TrainingError` if the loss is no number any more; what `progress` throws.
    public func run(on source: any LatentSource, progress: (Step) throws -> Bool) throws {
        var order = DataOrder(
            count: source.count,
            batchSize: parameters.batchSize,
            seed: settings.seed
        )
        while step < parameters.steps {
            let batch = DiffusionBatch(
                from: source,
                indices: order.indices(at: step),
                step: step,
                settings: settings
            )
            let made = update(batch)
            try requireFinite(made.loss, step: made.step, "finetune.minimax.learningRate")
            guard try progress(made) else { return }
        }
    }

    /// One iteration of algorithm 1.
    package func update(_ batch: DiffusionBatch) -> Step {
        let xt = diffusion.noised(batch.x0, noise: batch.noise, at: batch.timesteps)
        let output = withAutocast(precision, on: device) {
            model(xt, timesteps: batch.timesteps, labels: batch.labels)
        }
        let terms = diffusion.loss(
            output: output,
            x0: batch.x0,
            xt: xt,
            noise: batch.noise,
            at: batch.timesteps
        )
        let diffusionLoss = terms.total.mean()
        let sorted = remembers ? batch.sortedByClass(terms.predictedX0) : []
        let criteria = criteria(sorted)
        var loss = diffusionLoss
        if let term = criteria.representativeness { loss = loss + term }
        if let term = criteria.diversity { loss = loss + term }

        optimizer.zeroGradients()
        loss.backward()
        optimizer.step()
        average.update()
        // Memories are written in place: what read them has its gradients by now.
        for part in sorted {
            memories.append(real: part.real, predicted: part.predicted, label: part.label)
        }
        step += 1
        // One wait for the device instead of three.
        let losses = [diffusionLoss, criteria.representativeness, criteria.diversity]
        let values: [Float] = Tensor.stacked(losses.map { $0?.detached() ?? zero }).values()
        return Step(
            step: step,
            diffusion: Double(values[0]),
            representativeness: Double(values[1]),
            diversity: Double(values[2]),
            terms: terms
        )
    }

    /// Both criteria for a batch.
    private func criteria(
        _ sorted: [DiffusionBatch.ClassPart]
    ) -> (representativeness: Tensor?, diversity: Tensor?) {
        var farthest = [Tensor]()
        var nearest = [Tensor]()
        for part in sorted {
            let predicted = part.predicted.flattened(from: 1)  // [n, C·H·W]
            guard let cosines = memories.cosines(predicted, label: part.label) else { continue }
            // NB: the extremes run over all pairs, so one pair a class gets the gradient.
            farthest.append(1 - cosines.real.min())
            nearest.append(cosines.predicted.max())
        }
        // Classes without memories count too.
        let share = 1 / Double(max(sorted.count, 1))
        func weighted(_ terms: [Tensor], by weight: Double) -> Tensor? {
            weight == 0 || terms.isEmpty ? nil : Tensor.stacked(terms).sum() * (weight * share)
        }
        return (
            weighted(farthest, by: parameters.representativeness),
            weighted(nearest, by: parameters.diversity)
        )
    }

    private var remembers: Bool {
        parameters.representativeness != 0 || parameters.diversity != 0
    }

    /// Everything that is needed to go on later, by name; frozen weights are not part of it.
    public func checkpoint() -> StateDictionary {
        var state = StateDictionary(model.trainableParameters().map { ($0.name, $0.tensor) })
            .addingPrefix("model.")
        state.merge(average.state().addingPrefix("ema."))
        state.merge(optimizer.state().addingPrefix("optimizer."))
        state.merge(memories.state().addingPrefix("memory."))
        state["step"] = Tensor([step], shape: [])
        return state
    }

    /// Restores what `checkpoint()` returned.
    ///
    /// - Parameter state: A checkpoint of the same model and settings.
    /// - Throws: `StateMismatchError` if it does not fit.
    public func restore(_ state: StateDictionary) throws(StateMismatchError) {
        try model.load(
            state.removingPrefix("model."),
            optional: { !DiT.isFineTuned($0) }
        )
        try average.load(state.removingPrefix("ema."))
        try optimizer.load(state.removingPrefix("optimizer."))
        try memories.load(state.removingPrefix("memory."))
        step = try state.step()
    }
}
