import Datasets
import Diffusion
import Foundation
import Images
import Models
import Torch

extension Pipeline {
    /// Draws the surrogate dataset from the fine-tuned model into `surrogate/`.
    public func sample() throws {
        try draw(
            from: ModelFile(contentsOf: folder.path("checkpoints/finetuned.safetensors")),
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
                from: pretrainedModel(),
                into: "baselines/dit",
                stage: "baseline dit",
                summary: "Drawn from the pre-trained diffusion transformer as it is."
            )
        }
    }

    /// Makes sure, before any work starts, that there are such methods.
    func requireKnown(_ methods: [String]) throws {
        let known = ["random", "dit"]
        guard let stranger = methods.first(where: { !known.contains($0) }) else { return }
        throw RunError(
            .invalidSettings,
            "baselines: there is no method \"\(stranger)\": expected "
                + known.joined(separator: " or ") + "."
        )
    }

    /// Draws every image that is missing.
    ///
    /// Batches are always composed in the same way, since the
    /// last bits of a matrix product depend on the size of a batch.
    private func draw(
        from file: ModelFile,
        into name: String,
        stage: String,
        summary: String
    ) throws {
        guard !folder.has("\(name)/metadata.jsonl") else {
            observer.note("\(stage): done before")
            return
        }
        let settings = recipe.sample
        let labels = try networkLabels(file.description)
        let autoencoder = try autoencoder(file.description.autoencoder)
        lowerWeights(of: autoencoder)
        let writer = try SurrogateWriter(
            folder: folder.path(name),
            classNames: try data().train.classNames
        )
        let model = try samplingModel(file)
        let all = labels.indices.flatMap { label in
            (0..<settings.imagesPerClass).map { (label: label, image: $0) }
        }
        var watch = Stopwatch(stage, in: folder, on: device)
        for start in stride(from: 0, to: all.count, by: settings.batchSize) {
            let batch = Array(all[start..<min(start + settings.batchSize, all.count)])
            if !batch.allSatisfy({ writer.isComplete(label: $0.label, index: $0.image) }) {
                let images = try sampledImages(
                    batch,
                    model: model,
                    autoencoder: autoencoder,
                    labels: labels
                )
                for (entry, image) in zip(batch, images) {
                    try writer.write(image, label: entry.label, index: entry.image)
                }
                try watch.book()
            }
            observer.progress(
                stage: stage,
                done: start + batch.count,
                total: all.count,
                unit: "images",
                detail: ""
            )
            try checkInterruption()
        }
        try writer.finish(
            all.map { SurrogateEntry(label: $0.label, index: $0.image, seed: recipe.seed) },
            summary: summary
        )
        try watch.book()
    }

    /// The model of a file, as it is fastest to sample from.
    func samplingModel(_ file: ModelFile) throws -> DiT {
        let model = try file.model(device: device)
        model.freeze()
        if let precision = environment.precision { model.lowerFrozenWeights(to: precision) }
        return model
    }

    /// One batch of images, each a function of seed, class and number alone.
    private func sampledImages(
        _ batch: [(label: Int, image: Int)],
        model: DiT,
        autoencoder: any ImageAutoencoder,
        labels: [Int]
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
            nullLabel: configuration.classCount
        )
        let precision = environment.precision
        let device = device
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

    /// Chooses real images by the seed.
    private func chooseRandomly() throws {
        let name = "baselines/random"
        guard !folder.has("\(name)/metadata.jsonl") else {
            observer.note("baseline random: done before")
            return
        }
        var watch = Stopwatch("baseline random", in: folder, on: device)
        let train = try data().train
        let count = recipe.sample.imagesPerClass
        let writer = try SurrogateWriter(folder: folder.path(name), classNames: train.classNames)
        var entries = [SurrogateEntry]()
        for (label, className) in train.classNames.enumerated() {
            let members = train.labels.indices.filter { train.labels[$0] == label }
            guard members.count >= count else {
                throw RunError(
                    .invalidSettings,
                    "baseline random: the class \(className) has \(members.count) images, "
                        + "\(count) are asked for. Lower sample.imagesPerClass."
                )
            }
            var generator = RandomGenerator(
                seed: seed,
                purpose: .selection,
                index: UInt64(label)
            )
            for (index, place) in generator.permutation(members.count).prefix(count).enumerated() {
                if !writer.isComplete(label: label, index: index) {
                    try writer.write(
                        Image.images(train.images.gathered([members[place]]))[0],
                        label: label,
                        index: index
                    )
                }
                entries.append(SurrogateEntry(label: label, index: index, seed: recipe.seed))
            }
            try checkInterruption()
        }
        try writer.finish(entries, summary: "Real images, chosen at random.")
        try watch.book()
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
