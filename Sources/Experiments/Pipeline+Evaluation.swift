import Datasets
import Evaluation
import Foundation
import Torch
import Training

extension Pipeline {
    /// Trains networks on the surrogate and the baselines and tests them: `results.json`.
    public func evaluate() throws {
        let sets = evaluatedSets()
        let counts = try requestedCounts()
        for network in recipe.evaluate.networks {
            for count in counts {
                for set in sets {
                    try evaluate(set, network: network, count: count)
                    try checkInterruption()
                }
            }
        }
    }

    /// Trains networks on the images of one method, as `evaluate` does on those of all.
    ///
    /// - Parameter method: The method of the recipe, or one of its baselines.
    /// - Throws: What `evaluate` throws.
    func evaluate(only method: String) throws {
        let counts = try requestedCounts()
        let sets = evaluatedSets().filter { [method, "\(method)-float"].contains($0.method) }
        for network in recipe.evaluate.networks {
            for count in counts {
                for set in sets { try evaluate(set, network: network, count: count) }
            }
        }
    }

    /// What networks are trained on: name of the method, folder in the run, and whether the float
    /// images in it are used.
    private func evaluatedSets() -> [(method: String, place: String, isFloat: Bool)] {
        var sets = [(method: "minimax", place: "surrogate", isFloat: false)]
        for name in recipe.baselines {
            let place = "baselines/\(name)"
            sets.append((method: name, place: place, isFloat: false))
            if recipe.evaluate.floatImages, folder.has("\(place)/\(FloatImages.fileName)") {
                sets.append((method: "\(name)-float", place: place, isFloat: true))
            }
        }
        return sets
    }

    /// The numbers of images per class that networks are trained on; nil for all that were made.
    func requestedCounts() throws -> [Int?] {
        let wanted = recipe.evaluate.imagesPerClass
        let made = recipe.sample.imagesPerClass
        guard wanted.allSatisfy({ 1...made ~= $0 }), Set(wanted).count == wanted.count else {
            throw RunError(
                .invalidSettings,
                "evaluate.imagesPerClass is \(wanted): expected different numbers from 1 to "
                    + "sample.imagesPerClass, which is \(made)."
            )
        }
        let whole = recipe.baselines.filter {
            BaselineMethod(rawValue: $0)?.isNested(recipe.coreset) == false
        }
        if let fewer = wanted.first(where: { $0 < made }), let method = whole.first {
            throw RunError(
                .invalidSettings,
                "evaluate.imagesPerClass has \(fewer), but \(method) makes a set of \(made) images "
                    + "a class as a whole, of which a part is none of its sets. Make one run for "
                    + "each number, or a grid for `distill compare`, which does."
            )
        }
        return wanted.isEmpty ? [nil] : wanted.map { $0 }
    }

    private func evaluate(
        _ trained: (method: String, place: String, isFloat: Bool),
        network: String,
        count: Int?
    ) throws {
        let (method, place, isFloat) = trained
        let suffix = count.map { " \($0)" } ?? ""
        let stage = "evaluate \(method) \(network)\(suffix)"
        var results = try folder.read(json: "results.json", as: RunResults.self) ?? RunResults()
        let isDone = results.results.contains {
            $0.method == method && $0.network == network
                && $0.imagesPerClass == count ?? $0.imagesPerClass
        }
        if isDone {
            observer.note("\(stage): done before")
            return
        }
        let data = try data()
        let all = try ImageFolder(folder.path(place))
        var options = try evaluationOptions(method: method, network: network)
        var files: any LabelledImages = all
        if method.hasPrefix(BaselineMethod.idc.rawValue), !method.hasPrefix("idc-1") {
            // All images that are decoded of the stored ones.
            options.storedImagesPerClass = recipe.sample.imagesPerClass
        } else if let count {
            let chosen = try recipe.evaluate.choose.choose(count, of: all, seed: seed)
            (files, options.choice) = (chosen.images, chosen.record)
        }
        let images =
            try isFloat
            ? FloatImages.load(folder.path(place), inOrderOf: files)
            : RunData.load(files, recipe.data, for: options.evaluationProtocol, role: .train)
        let test = try data.testSet(for: options.evaluationProtocol)
        var watch = Stopwatch(stage, in: folder, on: device)
        let name = "evaluate-\(method)-\(network)" + (count.map { "-\($0)" } ?? "")
        let checkpoint = folder.path("checkpoints/\(name).safetensors")
        // Other networks see the same images with the same scores.
        let labels = "soft-labels/\(method)" + (count.map { "-\($0)" } ?? "")
        let result: EvaluationResult
        do {
            result = try Evaluation.evaluate(
                train: EvaluationSet(
                    images: images,
                    path: isFloat ? "\(place)/\(FloatImages.fileName)" : place,
                    fingerprint: try isFloat
                        ? FloatImages.fingerprint(folder.path(place), files)
                        : files.fingerprint()
                ),
                test: test,
                options: options,
                on: device,
                teacher: try teacher(),
                // Only another seed would read them.
                softLabels: options.seeds.count > 1 ? folder.path(labels) : nil,
                checkpoint: checkpoint
            ) { event in
                try self.report(event, stage: stage, method: method, network: network, count: count)
                return self.environment.isInterrupted() ? .stop : .continue
            }
        } catch {
            // What an interrupted training has cost is kept, too.
            try? watch.book()
            throw error
        }
        try watch.book()
        results = try folder.read(json: "results.json", as: RunResults.self) ?? RunResults()
        results.results.append(result)
        try folder.write(json: results, to: "results.json")
    }

    /// Makes sure, before any work starts, that the protocol, its networks and its teacher exist and
    /// fit each other.
    func requireEvaluation() throws {
        let settings = recipe.evaluate
        if settings.networks.isEmpty { return }
        let proto = try EvaluationProtocol.named(settings.evaluationProtocol)
        if proto.needsTeacher == settings.teacher.isEmpty {
            throw RunError(
                .invalidSettings,
                proto.needsTeacher
                    ? "The protocol \(proto.id) has soft labels: name a trained network as "
                        + "evaluate.teacher. `distill evaluate --save FILE` trains one on the whole "
                        + "dataset."
                    : "The protocol \(proto.id) has hard labels: it needs no evaluate.teacher."
            )
        }
        let teacher = InstalledFiles.url(settings.teacher)
        if proto.needsTeacher, !FileManager.default.fileExists(atPath: teacher.path) {
            throw RunError(
                .missingFile,
                "evaluate.teacher: there is no network \(teacher.path)."
            )
        }
        if settings.select == .holdout,
            let least = try requestedCounts().map({ $0 ?? recipe.sample.imagesPerClass }).min(),
            least < 2
        {
            throw RunError(
                .invalidSettings,
                "evaluate.select is holdout, but of one image of a class none can be held back."
            )
        }
        if settings.select == .holdout, proto.augmentation.cropSize != nil {
            let data = try data()
            try proto.requireHoldout(width: data.width, height: data.height)
        }
        if let teacher = try self.teacher() {
            let data = try data()
            _ = try teacher.columns(of: data.classNames)
            try teacher.requireFit(channels: data.channels, imageSize: proto.imageSize)
        }
        for network in recipe.evaluate.networks {
            let options = try evaluationOptions(method: "", network: network)
            var generator = RandomGenerator(seed: 0)
            _ = try options.network.makeClassifier(
                imageSize: options.evaluationProtocol.imageSize,
                channels: options.evaluationProtocol.channels,
                classCount: 2,
                using: &generator
            )
        }
    }

    /// Makes sure, before any work starts, that networks can be tested, if any are trained.
    func requireTestImages() throws {
        if recipe.evaluate.networks.isEmpty { return }
        try data().requireTestImages(for: .named(recipe.evaluate.evaluationProtocol))
    }

    /// The teacher of the recipe.
    func teacher() throws -> Teacher? {
        let path = recipe.evaluate.teacher
        // One for all sets: it is tested once.
        if !path.isEmpty, loadedTeacher == nil {
            loadedTeacher = try Teacher(contentsOf: InstalledFiles.url(path), on: device)
        }
        return loadedTeacher
    }

    func evaluationOptions(method: String, network: String) throws -> EvaluationOptions {
        let settings = recipe.evaluate
        return EvaluationOptions(
            method: method,
            network: try .init(network),
            evaluationProtocol: try .named(settings.evaluationProtocol),
            epochs: settings.epochs > 0 ? settings.epochs : nil,
            evaluations: settings.evaluations,
            selection: settings.select,
            seeds: settings.seeds,
            precision: environment.precision == .bfloat16 ? .bfloat16 : .float32
        )
    }

    private func report(
        _ event: EvaluationEvent,
        stage: String,
        method: String,
        network: String,
        count: Int?
    ) throws {
        let identity = ["method": method, "network": network]
        switch event {
        case .training(.epoch(let epoch, let epochs, let loss), let seed, let position, let count):
            observer.progress(
                stage: stage,
                done: position * epochs + epoch,
                total: count * epochs,
                unit: "epochs",
                detail: String(format: "seed %d, loss %.3f", seed, loss)
            )
        case .training(.looked(let epoch, let accuracy), let seed, _, _):
            var values = [
                "seed": Double(seed), "epoch": Double(epoch), "testAccuracy": accuracy,
            ]
            if let count { values["imagesPerClass"] = Double(count) }
            try metrics.log(stage: "evaluate", values, text: identity)
        case .finished(let seed, _, _, let last, _):
            observer.note(String(format: "\(stage): seed %d: %.1f %%", seed, last * 100))
        case .ignoredCheckpoint(let reason):
            observer.warn("\(stage): \(reason)")
        default:
            break
        }
    }
}
