import Checkpoints
import Datasets
import Distillation
import Foundation
import Models
import NeuralNetworks
import Torch

extension Pipeline {
    /// What makes latents of images and images of latents, on the device of the run.
    ///
    /// - Parameter wanted: What a model was trained with; nil for what the recipe says, or the
    ///   pixels themselves.
    /// - Returns: The autoencoder.
    /// - Throws: `RunError` if the recipe names none or another one.
    func autoencoder(_ wanted: AutoencoderDescription? = nil) throws -> any ImageAutoencoder {
        if case .pixels(let space) = wanted { return space }
        let path = recipe.model.autoencoder
        guard !path.isEmpty else {
            guard let wanted else { return PixelSpace(measuring: try data().train().images) }
            throw RunError(
                .invalidSettings,
                "The model works on the latents of \(wanted.name), but model.autoencoder is empty: "
                    + "name its folder."
            )
        }
        let opened = try openedAutoencoder([
            ("model.autoencoder", path), ("model.decoder", recipe.model.decoder),
        ])
        if let wanted, !wanted.hasSameLatents(as: opened.description) {
            throw RunError(
                .invalidSettings,
                "model.autoencoder: the model was trained on the latents of \(wanted.name) with "
                    + "\(wanted.latentChannels) channels and a scale of "
                    + "\(wanted.scaling.scale.map { "\($0)" }.joined(separator: ", ")), but \(path) "
                    + "holds \(opened.description.name) with "
                    + "\(opened.description.latentChannels) channels or another scale. Name the "
                    + "autoencoder that the model was trained with."
            )
        }
        opened.move(to: device)
        if device.kind != .cpu, let model = opened as? AutoencoderKL {
            // One image leaves a GPU idle; eight of 256×256 take about 2 GB.
            model.pixelsAtOnce = 8 * 256 * 256
        }
        return opened
    }

    /// An autoencoder that the recipe names.
    ///
    /// - Parameter settings: The setting of the encoder and, if it may have another one, that of
    ///   the decoder, with their values.
    /// - Returns: The autoencoder, on the CPU.
    /// - Throws: `RunError` that names a missing file, and what `AutoencoderFiles.open` throws.
    func openedAutoencoder(
        _ settings: [(name: String, path: String)]
    ) throws -> AutoencoderFiles.Opened {
        for (setting, path) in settings where !path.isEmpty {
            let place = InstalledFiles.url(path).path
            let parts = ["", "_encoder.safetensors", "_encoder.pth"].map { place + $0 }
            guard !parts.contains(where: FileManager.default.fileExists(atPath:)) else { continue }
            throw RunError(
                .missingFile,
                "\(setting): there is no \"\(path)\". "
                    + (Manifest.remedy(for: path).map { "Get it with: \($0)" }
                        ?? "Name a folder of diffusers, or a folder and \"taesd\" or \"taesd3\".")
            )
        }
        let places = settings.map { $0.path.isEmpty ? "" : InstalledFiles.url($0.path).path }
        return try AutoencoderFiles.open(
            places[0],
            decoder: places.count > 1 ? places[1] : ""
        )
    }

    /// The training set as a diffusion model sees it.
    ///
    /// Pixels are shifted and scaled at every use; other latents are encoded once and cached.
    func latents(_ wanted: AutoencoderDescription) throws -> any LatentSource {
        let autoencoder = try autoencoder(wanted)
        guard case .pixels = autoencoder.description else {
            return try CachedLatents(try latentCache(autoencoder), flips: recipe.data.flips)
        }
        let train = try data().train()
        return try ImageLatents(
            images: train.images,
            labels: train.labels,
            autoencoder: autoencoder,
            flips: recipe.data.flips
        )
    }

    /// Encodes the training set into `latents/`, or finishes what an earlier session has begun.
    ///
    /// - Returns: The folder of the cache; nil for models that work on pixels.
    @discardableResult
    public func encode() throws -> URL? {
        let autoencoder = try autoencoder()
        if case .pixels = autoencoder.description {
            observer.note("encode: the model works on pixels, so there is nothing to encode")
            return nil
        }
        return try latentCache(autoencoder).folder
    }

    /// Keeps frozen weights in the type that autocast computes with.
    func lowerWeights(of autoencoder: any ImageAutoencoder) {
        guard let precision = environment.precision else { return }
        (autoencoder as? Module)?.lowerFrozenWeights(to: precision)
    }

    private func latentCache(_ autoencoder: any ImageAutoencoder) throws -> LatentCache {
        let data = try data()
        let url = folder.path("latents")
        try autoencoder.description.requireFit(
            height: data.height,
            width: data.width,
            channels: data.channels
        )
        let key = try LatentCacheKey(
            autoencoder,
            dataset: data.trainFingerprint,
            imageSize: recipe.data.size,
            channels: recipe.data.channels,
            hasFlips: recipe.data.flips
        )
        if let cache = try? LatentCache(opening: url, expecting: key) { return cache }
        var watch = Stopwatch("encode", in: folder, on: device)
        let isComplete = try LatentCache.write(
            data.source,
            key: key,
            to: url,
            // An interruption loses one file at most: seconds on a GPU, a minute on a processor.
            options: device.kind == .cpu
                ? .init(shardSize: 64, batchSize: 8) : .init(shardSize: 512, batchSize: 64),
            // In float32 whatever the run computes in: the same latents on every machine.
            encoder: { images in
                let posterior = autoencoder.encoded(images)
                return (posterior.mean, posterior.deviation)
            },
            progress: { progress in
                observer.progress(
                    stage: "encode",
                    done: progress.done,
                    total: progress.total,
                    unit: "images",
                    detail: ""
                )
                return !environment.isInterrupted()
            }
        )
        try watch.book()
        guard isComplete else { throw InterruptedError() }
        // What was there before was verified, and what was added comes from this process.
        return try LatentCache(opening: url, expecting: key, isVerified: false)
    }
}
