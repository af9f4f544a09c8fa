import Checkpoints
import Datasets
import Distillation
import Evaluation
import Foundation
import Images
import Models
import Torch
import Training

extension Pipeline {
    /// Makes the surrogate of another method in `baselines/<method>/`.
    ///
    /// - Parameter name: the name of a `BaselineMethod`.
    /// - Throws: `RunError` for another method or settings that do not fit.
    public func baseline(_ name: String) throws {
        try requireKnown([name])
        try requireImages(for: [name])
        for method in try BaselineMethod.named([name]) {
            switch method {
            case .random, .kCenter, .herding: try choose(method)
            case .dit: try drawFromPretrained()
            case .dm, .idc1, .idc, .glad: try optimize(method)
            }
        }
    }

    /// Makes sure, before any work starts, that there are such methods and that they can run.
    func requireKnown(_ names: [String]) throws {
        let methods = try BaselineMethod.named(names)
        for method in methods { try requireSettings(of: method) }
        guard methods.contains(.dit), recipe.model.labelTable == .rebuild, !recipe.dit.finetunes
        else { return }
        throw RunError(
            .invalidSettings,
            "baselines: dit samples the pre-trained model, but with model.labelTable=rebuild that "
                + "knows none of these classes before it is fine-tuned. Fine-tune it with "
                + "dit.finetunes=true, or leave dit out of the baselines (in a grid: of its methods)."
        )
    }

    /// Makes sure, before any work starts, that every class has as many images as methods begin with
    /// or choose.
    func requireImages(for names: [String]) throws {
        let count = recipe.sample.imagesPerClass
        func require(_ count: Int) throws {
            let data = try data()
            try RealImages.require(
                count,
                ofEach: data.classNames,
                counts: data.source.indicesByClass().map(\.count)
            )
        }
        for method in try BaselineMethod.named(names) {
            switch method {
            case .dit: break
            case .random, .kCenter, .herding: try requireChoice(of: method)
            case .dm: if recipe.dm.initialization == .real { try require(count) }
            case .idc1, .idc: try require(idcParameters(method).initialImagesPerClass(count))
            case .glad: try require(count)
            }
        }
    }

    /// Makes sure that networks and augmentations exist and fit the images.
    private func requireSettings(of method: BaselineMethod) throws {
        func requireNetwork(_ name: String) throws {
            let data = try data()
            var generator = RandomGenerator(seed: 0)
            _ = try NetworkName(name).makeClassifier(
                imageSize: data.height,
                channels: data.channels,
                classCount: data.classNames.count,
                using: &generator
            )
        }
        if method.optimizesImages { try requireSizeOfFloatImages() }
        switch method {
        case .random, .dit: break
        case .kCenter, .herding:
            guard recipe.coreset.features == "train" else {
                _ = try namedExtractor()
                return
            }
            try requireNetwork(recipe.coreset.network)
            guard recipe.coreset.epochs < 1 else { return }
            throw RunError(
                .invalidSettings,
                "coreset.epochs is \(recipe.coreset.epochs): expected at least 1."
            )
        case .dm:
            try recipe.dm.validate()
            try requireNetwork(recipe.dm.network)
            try requireAugmentation("dm.augmentation", recipe.dm.augmentation)
        case .idc1, .idc:
            let parameters = try idcParameters(method)
            try parameters.validate()
            let side = try min(data().height, data().width)
            guard parameters.factor <= side else {
                throw RunError(
                    .invalidSettings,
                    "idc.factor is \(parameters.factor), but images of \(side) pixels cannot be cut "
                        + "into more than \(side) tiles a side."
                )
            }
            try requireNetwork(recipe.idc.network)
            try requireAugmentation("idc.augmentation", recipe.idc.augmentation)
            if parameters.factor > 1 {
                try requireNoDeterminism(of: "enlarging the stored images (idc.factor)")
            }
        case .glad:
            try recipe.glad.validate()
            try requireNetwork(recipe.glad.network)
            try requireAugmentation("glad.augmentation", recipe.glad.augmentation)
            try requirePrior()
        }
    }

    private func requireAugmentation(_ setting: String, _ strategy: String) throws {
        let operations = try SiameseAugmentation(strategy).operations
        if operations.contains(.scale) || operations.contains(.rotate) {
            try requireNoDeterminism(of: "scale and rotate in \(setting)")
        }
    }

    /// Refuses what has no deterministic derivative on CUDA: libtorch would stop in the first step.
    private func requireNoDeterminism(of work: String) throws {
        guard environment.isDeterministic, device.kind == .cuda else { return }
        throw RunError(
            .invalidSettings,
            "--deterministic: on CUDA \(work) cannot be differentiated so. Leave the flag or that "
                + "out, or use --device cpu."
        )
    }

    /// Images as they were optimised are not resized for a protocol.
    private func requireSizeOfFloatImages() throws {
        guard recipe.evaluate.floatImages else { return }
        let proto = try EvaluationProtocol.named(recipe.evaluate.evaluationProtocol)
        let data = try data()
        guard (data.height, data.width) != (proto.imageSize, proto.imageSize) else { return }
        throw RunError(
            .invalidSettings,
            "evaluate.floatImages tests images as they were optimised, \(data.width)×\(data.height) "
                + "pixels, but \(proto.id) is for \(proto.imageSize). Set data.size to that, or "
                + "leave floatImages out: the PNG files are resized."
        )
    }

    /// A method that optimises images, with what it starts from, and how often it is saved and
    /// logged.
    func newMethod(
        _ method: BaselineMethod
    ) throws -> (method: any DistillationMethod, checkpointEvery: Int, logEvery: Int) {
        let real = try RealImages(data().train().moved(to: device))
        switch method {
        case .dm:
            let parameters = recipe.dm
            let dm = try DistributionMatching(
                real,
                imagesPerClass: recipe.sample.imagesPerClass,
                parameters: parameters,
                seed: seed,
                precision: environment.precision
            )
            return (dm, parameters.checkpointEvery, parameters.logEvery)
        case .idc1, .idc:
            let idc = try newIDC(method, on: real)
            return (idc, recipe.idc.checkpointEvery, recipe.idc.logEvery)
        case .glad:
            return (try newGLaD(on: real), recipe.glad.checkpointEvery, recipe.glad.logEvery)
        case .random, .kCenter, .herding, .dit:
            throw RunError(.invalidSettings, "\(method.rawValue) optimises no images.")
        }
    }

    /// Runs a method that optimises images, from its last checkpoint on, and writes its images.
    private func optimize(_ baseline: BaselineMethod) throws {
        guard !folder.has("\(baseline.place)/metadata.jsonl") else {
            observer.note("\(baseline.stage): done before")
            return
        }
        let (method, checkpointEvery, logEvery) = try newMethod(baseline)
        let start = method.images()
        let name = "checkpoints/baseline-\(baseline.rawValue).safetensors"
        let checkpoint = folder.path(name)
        if folder.has(name) {
            try method.restore(Safetensors.load(contentsOf: checkpoint))
            observer.note("\(baseline.stage): going on at step \(method.step)")
        }
        var watch = Stopwatch(baseline.stage, in: folder, on: device, isNew: method.step == 0)
        var meter = StepMeter()
        try method.run { step, values in
            meter.add(values)
            if step % max(logEvery, 1) == 0 || step == method.stepCount {
                let means = meter.means(step: step, batchSize: start.labels.count)
                try metrics.log(stage: baseline.stage, means)
                observer.progress(
                    stage: baseline.stage,
                    done: step,
                    total: method.stepCount,
                    unit: "steps",
                    detail: means["loss"].map { String(format: "loss %.4f", $0) } ?? "no match yet"
                )
            }
            let mustStop = environment.isInterrupted() && step < method.stepCount
            if step % max(checkpointEvery, 1) == 0 || mustStop {
                try Safetensors.save(method.checkpoint(), to: checkpoint)
                try watch.book()
            }
            return !mustStop
        }
        guard method.step == method.stepCount else { throw InterruptedError() }
        try Safetensors.save(method.checkpoint(), to: checkpoint)
        let change = method.images().meanChange(from: start)
        // Before the list of images, which says that all is done.
        try watch.book(optimizedValues: method.optimizedValueCount, meanChange: change)
        if let decoded = method.trainingImages() {
            let place = "stored/\(baseline.rawValue)"
            try write(method.images(), of: method, into: place, "What was optimised; not decoded.")
            try write(decoded, of: method, into: baseline.place, baseline.summary)
        } else {
            try write(method.images(), of: method, into: baseline.place, baseline.summary)
        }
        try watch.book()
    }

    /// Writes the images of a method as PNG files and, as they were optimised, as float tensors.
    private func write(
        _ images: SyntheticImages,
        of method: any DistillationMethod,
        into place: String,
        _ summary: String
    ) throws {
        let data = try data()
        let writer = try SurrogateWriter(folder: folder.path(place), classNames: data.classNames)
        try FloatImages.save(images, classNames: data.classNames, in: folder.path(place))
        var entries = [SurrogateEntry]()
        var index = 0
        for (row, image) in Image.images(images.pixels.moved(to: .cpu)).enumerated() {
            let label = images.labels[row]
            index = row > 0 && images.labels[row - 1] == label ? index + 1 : 0
            if !writer.isComplete(label: label, index: index) {
                try writer.write(image, label: label, index: index)
            }
            // A decoded image is a part of a stored one, which tells its origins.
            let origins = method.origins.count == images.labels.count ? method.origins[row] : []
            let sources = origins.map { data.source.identifier(at: $0) }
            entries.append(
                SurrogateEntry(
                    label: label,
                    index: index,
                    seed: recipe.seed,
                    source: sources.isEmpty ? nil : sources.joined(separator: ", ")
                )
            )
        }
        try writer.finish(
            entries,
            summary: summary + " `\(FloatImages.fileName)` holds them as they were optimised: "
                + "float32 `images` [N, C, H, W] in the order of this list, 0 being black and 1 "
                + "white, and `labels`."
        )
    }
}
