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

    /// Makes the surrogate of another method in `baselines/<method>/`.
    ///
    /// - Parameter method: `random` or `dit`.
    /// - Throws: `RunError` for another method or settings that do not fit.
    public func baseline(_ method: String) throws {
        try requireKnown([method])
        if method == "random" {
            try chooseRandomly()
        } else {
            try draw(
                from: [(try data().classOrder, pretrainedModel)],
                into: "baselines/dit",
                stage: "baseline dit",
                summary: "Drawn from the pre-trained diffusion transformer as it is."
            )
        }
    }

    /// Makes sure, before any work starts, that there are such methods.
    func requireKnown(_ methods: [String]) throws {
        let known = ["random", "dit"]
        guard let stranger = methods.first(where: { !known.contains($0) }) else {
            return try requireKnownClasses(methods)
        }
        throw RunError(
            .invalidSettings,
            "baselines: there is no method \"\(stranger)\": expected "
                + known.joined(separator: " or ") + "."
        )
    }

    /// Makes sure that a pre-trained model can be sampled as it is.
    private func requireKnownClasses(_ methods: [String]) throws {
        guard methods.contains("dit"), recipe.model.labelTable == .rebuild else { return }
        throw RunError(
            .invalidSettings,
            "baselines: dit samples the pre-trained model, but with model.labelTable=rebuild that "
                + "knows none of these classes before it is fine-tuned. Leave dit out, for example "
                + "with --set baselines=[random]."
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
        var done = 0
        var watch = Stopwatch(stage, in: folder, on: device)
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
                    for (entry, image) in zip(batch, try current.images(batch)) {
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

    /// Chooses real images by the seed.
    private func chooseRandomly() throws {
        let name = "baselines/random"
        guard !folder.has("\(name)/metadata.jsonl") else {
            observer.note("baseline random: done before")
            return
        }
        var watch = Stopwatch("baseline random", in: folder, on: device)
        let data = try data()
        let count = recipe.sample.imagesPerClass
        let writer = try SurrogateWriter(folder: folder.path(name), classNames: data.classNames)
        var entries = [SurrogateEntry]()
        let chosen = data.source.chosenPerClass(count, seed: seed)
        for (label, places) in chosen.enumerated() {
            guard places.count == count else {
                throw RunError(
                    .invalidSettings,
                    "baseline random: the class \(data.classNames[label]) has \(places.count) "
                        + "images, \(count) are asked for. Lower sample.imagesPerClass."
                )
            }
            let images = try RunData.load(data.source.subset(places), recipe.data).images
            for (index, image) in Image.images(images).enumerated() {
                if !writer.isComplete(label: label, index: index) {
                    try writer.write(image, label: label, index: index)
                }
                entries.append(SurrogateEntry(label: label, index: index, seed: recipe.seed))
            }
            try checkInterruption()
        }
        try writer.finish(entries, summary: "Real images, chosen at random.")
        try watch.book()
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
    func images(_ batch: [(label: Int, image: Int)]) throws -> [Image] {
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
            nullLabel: configuration.classCount
        )
        let network = guidance.guiding { x, timesteps, labels in
            withAutocast(precision, on: device) { model(x, timesteps: timesteps, labels: labels) }
        }
        let latents = try recipe.sample.result(
            network: network,
            start: start,
            labels: classes,
            noise: noise
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
    func result(
        network: @escaping Denoiser,
        start: Tensor,
        labels: Tensor,
        noise: NoiseSource
    ) throws -> Tensor {
        let whole = NoiseSchedule()
        switch sampler {
        case .ddpm:
            return AncestralSampler(
                try whole.respaced(.sections([steps])),
                network: network,
                start: start,
                labels: labels,
                noise: noise
            ).result()
        case .ddim:
            return DDIMSampler(
                try whole.respaced(.sections([steps])),
                eta: eta,
                network: network,
                start: start,
                labels: labels,
                noise: noise
            ).result()
        case .dpmSolver:
            return DPMSolverPlusPlus(
                try whole.respaced(.solver(steps)),
                network: network,
                start: start,
                labels: labels
            ).result()
        }
    }
}
