import Checkpoints
import Diffusion
import Foundation
import Models
import NeuralNetworks
import Torch

/// A DiT, a batch and everything drawn for it: what both sides of the comparison work on.
struct Workload {
    /// Sizes by name; the first is the model of the demonstration.
    static let configurations: [String: DiT.Configuration] = [
        "small": DiT.Configuration(
            inputSize: 28,
            patchSize: 4,
            channels: 1,
            hiddenSize: 144,
            depth: 6,
            headCount: 6,
            classCount: 10
        ),
        "dit-s-2": .small(patchSize: 2),
        "dit-b-2": .base(patchSize: 2),
    ]

    let configuration: DiT.Configuration
    let weights: StateDictionary
    let x0: Tensor
    let noise: Tensor
    let timesteps: Tensor
    let labels: Tensor
    private let diffusion = GaussianDiffusion()

    /// Draws weights and a batch.
    init(_ configuration: DiT.Configuration, batchSize: Int) {
        self.configuration = configuration
        var generator = RandomGenerator(seed: 1)
        // New models end in zeros; here every weight shall count.
        let model = DiT(configuration, using: &generator)
        withoutGradient {
            for (name, tensor) in model.parameters() where name != "pos_embed" {
                tensor.add(generator.normal(tensor.shape), scaledBy: 0.02)
            }
        }
        weights = model.state()
        let side = configuration.inputSize
        let shape = [batchSize, configuration.channels, side, side]
        x0 = generator.normal(shape)
        noise = generator.normal(shape)
        timesteps = Tensor(generator.integers(batchSize, below: diffusion.schedule.stepCount))
        labels = Tensor(generator.integers(batchSize, below: configuration.classCount))
    }

    /// Writes it all for the other side.
    func write(to folder: URL) throws {
        let numbers = [
            "inputSize": configuration.inputSize, "patchSize": configuration.patchSize,
            "channels": configuration.channels, "hiddenSize": configuration.hiddenSize,
            "depth": configuration.depth, "headCount": configuration.headCount,
            "classCount": configuration.classCount,
        ]
        try Safetensors.save(
            weights,
            metadata: numbers.mapValues(String.init),
            to: folder.appending(path: "weights.safetensors")
        )
        let batch: [(String, Tensor)] = [
            ("x0", x0), ("noise", noise), ("timesteps", timesteps), ("labels", labels),
        ]
        try Safetensors.save(
            StateDictionary(batch),
            to: folder.appending(path: "batch.safetensors")
        )
    }

    /// A model with the drawn weights.
    func model() throws -> DiT {
        var generator = RandomGenerator(seed: 0)
        let model = DiT(configuration, using: &generator)
        try model.load(weights)
        return model
    }

    /// A training that starts at the drawn weights.
    func training(precision: DType?) throws -> Training {
        try Training(model: model(), workload: self, diffusion: diffusion, precision: precision)
    }

    /// The sampling of one batch: DDIM with guidance 2, two predictions an image and step.
    func samples(_ model: DiT, steps: Int, precision: DType?) -> Tensor {
        let stride = diffusion.schedule.stepCount / steps
        let schedule = diffusion.schedule.respaced(to: (0..<steps).map { $0 * stride })
        let guidance = ClassifierFreeGuidance(
            scale: 2,
            nullLabel: configuration.classCount,
            channels: .all
        )
        let network = guidance.guiding { x, timesteps, labels in
            withAutocast(precision) { model(x, timesteps: timesteps, labels: labels) }
        }
        return DDIMSampler(schedule, network: network, start: noise, labels: labels).result()
    }
}

/// Updates of a model on one batch, as pre-training makes them.
final class Training {
    private let model: DiT
    private let workload: Workload
    private let diffusion: GaussianDiffusion
    private let precision: DType?
    private let optimizer: AdamW
    private let average: ExponentialMovingAverage

    init(model: DiT, workload: Workload, diffusion: GaussianDiffusion, precision: DType?) {
        self.model = model
        self.workload = workload
        self.diffusion = diffusion
        self.precision = precision
        let parameters = model.trainableParameters()
        optimizer = AdamW(parameters, learningRate: 1e-4)
        average = ExponentialMovingAverage(of: parameters, decay: 0.999)
    }

    /// One update; returns the loss before it.
    func step() -> Double {
        let batch = workload
        let xt = diffusion.noised(batch.x0, noise: batch.noise, at: batch.timesteps)
        let output = withAutocast(precision) {
            model(xt, timesteps: batch.timesteps, labels: batch.labels)
        }
        let loss = diffusion.loss(
            output: output,
            x0: batch.x0,
            xt: xt,
            noise: batch.noise,
            at: batch.timesteps
        ).total.mean()
        optimizer.zeroGradients()
        loss.backward()
        optimizer.step()
        average.update()
        return loss.item
    }
}
