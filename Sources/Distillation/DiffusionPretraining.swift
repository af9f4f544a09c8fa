import Diffusion
import Foundation
import Models
import NeuralNetworks
import Torch
import Training

/// Trains a class-conditional DiT from scratch with the loss of Peebles & Xie (ICCV 2023): noise
/// prediction with a learned variance, AdamW, labels dropped now and then for guidance, an average
/// of the weights for sampling.
///
/// The settings are for small models and short trainings, not theirs: they have a constant learning
/// rate of 1e-4, β₂ 0.999, an average with 0.9999, no clipping and unweighted timesteps.
public final class DiffusionPretraining {
    /// Settings of the training.
    public struct Parameters: Codable, Sendable, Equatable {
        /// Number of updates.
        public var steps = 10_000
        /// Images an update.
        public var batchSize = 256
        /// Largest learning rate.
        public var learningRate = 1e-3
        /// Updates over which the learning rate rises to its largest value.
        public var warmupSteps = 500
        /// Last updates over which the learning rate falls to 0; it is constant before, so that a
        /// training can be prolonged from any checkpoint of that part.
        public var decaySteps = 2_000
        /// Decay of the average of the weights, reached after a warm-up of its own.
        public var emaDecay = 0.9995
        /// How often a label is replaced by "no class", in [0, 1].
        public var labelDropProbability = 0.1
        /// γ of the min-SNR weights (Hang et al., ICCV 2023); 0 for none.
        public var minSNRGamma = 5.0
        /// The largest norm of the gradient.
        public var gradientNorm = 1.0
        /// Decoupled weight decay.
        public var weightDecay = 0.0
        /// β₂ of AdamW, in [0, 1): a shorter memory than the usual 0.999, as trainings are short.
        public var beta2 = 0.99
        /// Whether the blocks of the model are computed once more in the backward pass instead of
        /// keeping what they computed: far less memory for one more forward pass, the same result.
        public var recomputesActivations = false

        /// The defaults.
        public init() {}
    }

    /// What is told after every step.
    public struct Step: Sendable {
        /// Number of updates made.
        public let step: Int
        /// Weighted squared error plus variational bound.
        public let loss: Double
        /// The squared error of the noise, unweighted.
        public let squaredError: Double
        /// Size of the update.
        public let learningRate: Double
    }

    /// The model; its weights are those of the last update.
    public let model: DiT
    /// The average of the weights.
    public let average: ExponentialMovingAverage
    /// Number of updates made.
    public private(set) var step = 0
    private let optimizer: AdamW
    private let parameters: Parameters
    private let seed: UInt64
    private let precision: DType?
    private let device: Device

    /// Prepares the training of a model.
    ///
    /// - Parameters:
    ///   - model: A DiT on its device.
    ///   - parameters: Settings.
    ///   - seed: Of everything that is drawn.
    ///   - precision: `bfloat16` for autocast, or nil.
    ///   - device: Where the model is.
    public init(
        _ model: DiT,
        parameters: Parameters,
        seed: UInt64,
        precision: DType?,
        device: Device
    ) {
        self.model = model
        self.parameters = parameters
        self.seed = seed
        self.precision = precision
        self.device = device
        model.recomputesActivations = parameters.recomputesActivations
        let trained = model.trainableParameters()
        average = ExponentialMovingAverage(of: trained, decay: parameters.emaDecay)
        optimizer = AdamW(
            trained,
            learningRate: parameters.learningRate,
            configuration: AdamW.Configuration(
                beta2: parameters.beta2,
                weightDecay: parameters.weightDecay
            )
        )
    }

    /// Trains until all steps are made or `progress` says stop.
    ///
    /// - Parameters:
    ///   - source: The training set.
    ///   - progress: Called after every update; false ends the training early.
    /// - Throws: `TrainingError` if the loss is no number any more; what `progress` throws.
    public func run(on source: any LatentSource, progress: (Step) throws -> Bool) throws {
        let diffusion = GaussianDiffusion(device: device)
        let schedule = LearningRateSchedule.trapezoid(
            warmup: parameters.warmupSteps,
            total: parameters.steps,
            decay: parameters.decaySteps
        )
        let weighting: LossWeighting =
            parameters.minSNRGamma > 0 ? .minSNR(gamma: parameters.minSNRGamma) : .uniform
        let settings = DiffusionBatch.Settings(
            networkLabels: Array(0..<model.configuration.classCount),
            nullLabel: model.configuration.classCount,
            dropProbability: parameters.labelDropProbability,
            timestepCount: diffusion.schedule.stepCount,
            seed: seed,
            device: device
        )
        var order = DataOrder(count: source.count, batchSize: parameters.batchSize, seed: seed)
        let tensors = model.trainableParameters().map(\.tensor)

        model.setTraining(true)
        defer { model.setTraining(false) }
        while step < parameters.steps {
            optimizer.learningRate = parameters.learningRate * schedule.factor(at: step)
            let batch = DiffusionBatch(
                from: source,
                indices: order.indices(at: step),
                step: step,
                settings: settings
            )
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
            var loss = terms.squaredError * diffusion.weights(weighting, at: batch.timesteps)
            if let bound = terms.variationalBound { loss = loss + bound }
            loss = loss.mean()

            optimizer.zeroGradients()
            loss.backward()
            GradientClipping.clip(tensors, toNorm: parameters.gradientNorm)
            optimizer.step()
            // A young average follows the weights closely: its first values mean nothing.
            average.update(decay: min(parameters.emaDecay, Double(1 + step) / Double(10 + step)))
            step += 1
            // One wait for the device instead of two.
            let values: [Float] = Tensor.stacked([
                loss.detached(), terms.squaredError.mean().detached(),
            ]).values()
            let report = Step(
                step: step,
                loss: Double(values[0]),
                squaredError: Double(values[1]),
                learningRate: optimizer.learningRate
            )
            try requireFinite(report.loss, step: step, "pretrain.training.learningRate")
            guard try progress(report) else { return }
        }
    }

    /// Everything that is needed to go on later, by name.
    public func checkpoint() -> StateDictionary {
        var state = model.state().addingPrefix("model.")
        state.merge(average.state().addingPrefix("ema."))
        state.merge(optimizer.state().addingPrefix("optimizer."))
        state["step"] = Tensor([step], shape: [])
        return state
    }

    /// Restores what `checkpoint()` returned.
    ///
    /// - Parameter state: A checkpoint of a model of the same size.
    /// - Throws: `StateMismatchError` if it does not fit.
    public func restore(_ state: StateDictionary) throws(StateMismatchError) {
        try model.load(state.removingPrefix("model."))
        try average.load(state.removingPrefix("ema."))
        try optimizer.load(state.removingPrefix("optimizer."))
        step = try state.step()
    }
}
