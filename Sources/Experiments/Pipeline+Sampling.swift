import Datasets
import Diffusion
import Foundation
import Images
import Models
import Torch

extension Pipeline {
    /// Draws the surrogate dataset from the fine-tuned models into `surrogate/`.
    public func sample() throws {
        try draw(
            from: phases().map { phase in (phase.labels, { try self.finetunedModel(phase) }) },
            into: "surrogate",
            stage: "sample",
            summary: "Drawn from a diffusion transformer fine-tuned with Minimax Diffusion."
        )
    }

    /// Draws `baselines/dit/` from the pre-trained model, fine-tuned without the criteria first if
    /// the recipe says so.
    func drawFromPretrained() throws {
        let baseline = BaselineMethod.dit
        if recipe.dit.finetunes, !folder.has("\(baseline.place)/metadata.jsonl") {
            try finetune(.plain)
        }
        try draw(
            from: recipe.dit.finetunes
                ? phases().map { phase in
                    (phase.labels, { try self.finetunedModel(phase, .plain) })
                } : [(try data().classOrder, pretrainedModel)],
            into: baseline.place,
            stage: baseline.stage,
            summary: recipe.dit.finetunes
                ? "Drawn from a diffusion transformer fine-tuned with the diffusion loss alone."
                : baseline.summary
        )
    }

    /// Classes, and the model that they are drawn from.
    private typealias Drawing = (labels: [Int], model: () throws -> ModelFile)

    /// Draws every image that is missing.
    ///
    /// Batches are always composed in the same way, since the
    /// last bits of a matrix product depend on the size of a batch.
    private func draw(
        from drawings: [Drawing],
        into name: String,
        stage: String,
        summary: String
    ) throws {
        guard !folder.has("\(name)/metadata.jsonl") else {
            observer.note("\(stage): done before")
            return
        }
        let writer = try SurrogateWriter(
            folder: folder.path(name),
            classNames: try data().classNames
        )
        let count = recipe.sample.imagesPerClass
        let total = try data().classNames.count * count
        let hasSome = (0..<total).contains { place in
            writer.isComplete(label: place / count, index: place % count)
        }
        var done = 0
        var watch = Stopwatch(stage, in: folder, on: device, isNew: !hasSome)
        for drawing in drawings {
            let images = drawing.labels.sorted().flatMap { label in
                (0..<count).map { (label: label, image: $0) }
            }
            let batches = stride(from: 0, to: images.count, by: recipe.sample.batchSize).map {
                Array(images[$0..<min($0 + recipe.sample.batchSize, images.count)])
            }
            var painter: Painter?
            for batch in batches {
                if !batch.allSatisfy({ writer.isComplete(label: $0.label, index: $0.image) }) {
                    let current = try painter ?? Painter(self, drawing.model())
                    painter = current
                    let made = try current.images(batch, checkInterruption)
                    for (entry, image) in zip(batch, made) {
                        try writer.write(image, label: entry.label, index: entry.image)
                    }
                    try watch.book()
                    try checkInterruption()
                }
                done += batch.count
                observer.progress(
                    stage: stage,
                    done: done,
                    total: total,
                    unit: "images",
                    detail: ""
                )
            }
        }
        let entries = try data().classNames.indices.flatMap { label in
            (0..<count).map { SurrogateEntry(label: label, index: $0, seed: recipe.seed) }
        }
        try writer.finish(entries, summary: summary)
        try watch.book()
    }

    /// The model of a file, as it is fastest to sample from.
    func samplingModel(_ file: ModelFile) throws -> DiT {
        let model = try file.model(device: device)
        model.freeze()
        if let precision = environment.precision { model.lowerFrozenWeights(to: precision) }
        return model
    }
}

/// A model with all that is needed to make images with it.
private struct Painter {
    private let model: DiT
    private let autoencoder: any ImageAutoencoder
    private let labels: [Int]
    private let recipe: Recipe
    private let seed: UInt64
    private let device: Device
    private let precision: DType?

    init(_ pipeline: Pipeline, _ file: ModelFile) throws {
        labels = try pipeline.networkLabels(file.description)
        autoencoder = try pipeline.autoencoder(file.description.autoencoder)
        pipeline.lowerWeights(of: autoencoder)
        model = try pipeline.samplingModel(file)
        recipe = pipeline.recipe
        seed = pipeline.seed
        device = pipeline.device
        precision = pipeline.environment.precision
    }

    /// One batch of images, each a function of seed, class and number alone.
    ///
    /// - Parameters:
    ///   - batch: Class and number of each.
    ///   - check: Called after every step of the sampler; what it throws ends the sampling.
    /// - Returns: The images, in the order of the batch.
    /// - Throws: What `check` throws.
    func images(
        _ batch: [(label: Int, image: Int)],
        _ check: () throws -> Void
    ) throws -> [Image] {
        let configuration = model.configuration
        let shape = [configuration.channels, configuration.inputSize, configuration.inputSize]
        var noise = NoiseSource(
            seed: seed,
            images: batch.map { (label: labels[$0.label], image: $0.image) }
        )
        let start = noise.next(shape, on: device)
        let classes = Tensor(batch.map { labels[$0.label] }).moved(to: device)
        let guidance = ClassifierFreeGuidance(
            scale: recipe.sample.guidance,
            nullLabel: configuration.classCount,
            channels: recipe.sample.guidedChannels.channels
        )
        let network = guidance.guiding { x, timesteps, labels in
            withAutocast(precision, on: device) { model(x, timesteps: timesteps, labels: labels) }
        }
        let latents = try recipe.sample.result(
            network: network,
            start: start,
            labels: classes,
            noise: noise,
            check
        )
        let pixels = withAutocast(precision, on: device) { autoencoder.decoded(latents) }
        return Image.images(pixels.moved(to: .cpu))  // [B, C, H, W]
    }
}

extension Image {
    /// The images of a batch, uint8 [B, C, H, W].
    static func images(_ pixels: Tensor) -> [Image] {
        let shape = pixels.shape
        let bytes = pixels.permuted(0, 2, 3, 1).contiguous().bytes()
        let size = shape[1] * shape[2] * shape[3]
        return (0..<shape[0]).map { place in
            Image(
                width: shape[3],
                height: shape[2],
                channels: shape[1],
                bytes: Array(bytes[place * size..<(place + 1) * size])
            )
        }
    }
}

extension SampleSettings {
    /// Runs the chosen sampler to its end.
    ///
    /// - Parameters:
    ///   - network: The denoiser, with its guidance.
    ///   - start: Standard normal noise, [B, C, H, W].
    ///   - labels: [B].
    ///   - noise: What the steps add.
    ///   - check: Called after every step; what it throws ends the sampling.
    /// - Returns: [B, C, H, W].
    /// - Throws: What `check` throws, and `RespacingError` for steps that the schedule has not.
    func result(
        network: @escaping Denoiser,
        start: Tensor,
        labels: Tensor,
        noise: NoiseSource,
        _ check: () throws -> Void
    ) throws -> Tensor {
        let whole = NoiseSchedule()
        switch sampler {
        case .ddpm:
            return try AncestralSampler(
                whole.respaced(.sections([steps])),
                network: network,
                start: start,
                labels: labels,
                noise: noise
            ).result(check)
        case .ddim:
            return try DDIMSampler(
                whole.respaced(.sections([steps])),
                eta: eta,
                network: network,
                start: start,
                labels: labels,
                noise: noise
            ).result(check)
        case .dpmSolver:
            return try DPMSolverPlusPlus(
                whole.respaced(.solver(steps)),
                network: network,
                start: start,
                labels: labels
            ).result(check)
        }
    }
}
