import Diffusion
import Torch
import Training

/// The images of every step: each epoch is a new permutation; its incomplete last batch is left
/// out, as the reference does.
package struct DataOrder {
    private let count: Int
    private let batchSize: Int
    private let seed: UInt64
    private var epoch = -1
    private var order = [Int]()

    /// The order of a run.
    ///
    /// - Parameters:
    ///   - count: Number of images.
    ///   - batchSize: Images of a step; fewer where there are no more.
    ///   - seed: Of the run.
    package init(count: Int, batchSize: Int, seed: UInt64) {
        self.count = count
        self.batchSize = min(batchSize, count)
        self.seed = seed
    }

    /// The images of one step, whichever step was asked for before.
    package mutating func indices(at step: Int) -> [Int] {
        let (epoch, batch) = step.quotientAndRemainder(dividingBy: count / batchSize)
        if epoch != self.epoch {
            var generator = RandomGenerator(seed: seed, purpose: .dataOrder, index: UInt64(epoch))
            order = generator.permutation(count)
            self.epoch = epoch
        }
        return Array(order[batch * batchSize..<(batch + 1) * batchSize])
    }
}

/// One batch of a diffusion model's training, with everything that is drawn for it.
///
/// All draws are functions of the seed and the step, so a resumed run sees the same batches.
package struct DiffusionBatch {
    /// What a batch is drawn with.
    package struct Settings {
        /// The network's label of each class.
        let networkLabels: [Int]
        /// The network's label for "no class".
        let nullLabel: Int
        /// How often a label is replaced by "no class".
        let dropProbability: Double
        /// Timesteps are drawn from 0 up to this number.
        let timestepCount: Int
        /// Seed of the run.
        let seed: UInt64
        /// Where the batch is needed.
        let device: Device

        /// Puts settings together.
        package init(
            networkLabels: [Int],
            nullLabel: Int,
            dropProbability: Double,
            timestepCount: Int,
            seed: UInt64,
            device: Device
        ) {
            self.networkLabels = networkLabels
            self.nullLabel = nullLabel
            self.dropProbability = dropProbability
            self.timestepCount = timestepCount
            self.seed = seed
            self.device = device
        }
    }

    /// Clean latents, [B, C, H, W].
    package let x0: Tensor
    /// Standard normal noise of the same shape.
    package let noise: Tensor
    /// Timesteps, int64 [B].
    package let timesteps: Tensor
    /// Labels for the network, some replaced by "no class", int64 [B].
    package let labels: Tensor
    /// The class of every image.
    package let classes: [Int]

    /// What a batch holds of one class.
    struct ClassPart {
        /// The class.
        let label: Int
        /// Its clean latents, [n, C, H, W].
        let real: Tensor
        /// Their predictions, of the same shape.
        let predicted: Tensor
    }

    /// The clean latents and their predictions, class by class.
    ///
    /// The order of the rows is copied to the device once, and each class is a slice.
    ///
    /// - Parameter predictions: [B, C, H, W].
    /// - Returns: The classes of the batch, in their order.
    func sortedByClass(_ predictions: Tensor) -> [ClassPart] {
        let groups = Dictionary(grouping: classes.indices) { classes[$0] }
            .sorted { $0.key < $1.key }
        let order = Tensor(groups.flatMap(\.value)).moved(to: predictions.device)
        let (real, predicted) = (x0.gathered(order), predictions.gathered(order))
        var start = 0
        return groups.map { label, rows in
            let range = start..<start + rows.count
            start = range.upperBound
            return ClassPart(label: label, real: real[range], predicted: predicted[range])
        }
    }

    /// A batch with everything given.
    package init(x0: Tensor, noise: Tensor, timesteps: Tensor, labels: Tensor, classes: [Int]) {
        self.x0 = x0
        self.noise = noise
        self.timesteps = timesteps
        self.labels = labels
        self.classes = classes
    }

    /// Draws the batch of one step from the images with these indices.
    package init(
        from source: any LatentSource,
        indices: [Int],
        step: Int,
        settings: Settings
    ) {
        func generator(_ purpose: RandomGenerator.Purpose) -> RandomGenerator {
            RandomGenerator(seed: settings.seed, purpose: purpose, index: UInt64(step))
        }
        let device = settings.device
        classes = indices.map { source.labels[$0] }
        var draws = generator(.posterior)
        x0 = source.latents(indices, using: &draws).moved(to: device)
        draws = generator(.noise)
        noise = draws.normal(x0.shape).moved(to: device)
        draws = generator(.timesteps)
        let timesteps = draws.integers(indices.count, below: settings.timestepCount)
        self.timesteps = Tensor(timesteps).moved(to: device)
        draws = generator(.labelDropout)
        let labels = zip(classes, draws.uniformValues(indices.count)).map { label, draw in
            Double(draw) < settings.dropProbability
                ? settings.nullLabel : settings.networkLabels[label]
        }
        self.labels = Tensor(labels).moved(to: device)
    }
}

/// Makes sure that the loss of a diffusion model's training is a number, before a checkpoint of the
/// weights takes the place of a good one.
///
/// - Parameters:
///   - loss: The loss.
///   - step: The number of updates made.
///   - setting: The setting of the learning rate, for the message.
/// - Throws: `TrainingError` with the code `diverged` if it is not.
func requireFinite(_ loss: Double, step: Int, _ setting: String) throws(TrainingError) {
    guard !loss.isFinite else { return }
    throw TrainingError(
        .diverged,
        "The loss of step \(step) is no number any more: the training has diverged. Use a smaller "
            + "\(setting), or float32 instead of bfloat16."
    )
}
