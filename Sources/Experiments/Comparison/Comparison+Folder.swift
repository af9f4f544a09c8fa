import Checkpoints
import Evaluation
import Foundation
import Models
import Training

/// A cell that could not be computed.
public struct FailedCell: Codable, Sendable, Equatable {
    /// Its key.
    public let cell: String
    /// What went wrong.
    public let error: String
}

extension Comparison {
    func folder(of unit: SharedUnit) -> URL {
        url.appendingPathComponent("shared/\(unit.key)", isDirectory: true)
    }

    func folder(of cell: GridCell) -> URL {
        url.appendingPathComponent("cells/\(cell.key)", isDirectory: true)
    }

    /// The result of a cell; nil until it is there.
    func result(of cell: GridCell) -> EvaluationResult? {
        storedResult(of: cell).flatMap { fits($0, cell) ? $0 : nil }
    }

    func storedResult(of cell: GridCell) -> EvaluationResult? {
        read("results.json", in: folder(of: cell), as: RunResults.self)?.results.first
    }

    /// Whether a result is a cell's: one that was trained for other epochs or in other batches, in
    /// an earlier state of the grid, is not.
    func fits(_ result: EvaluationResult, _ cell: GridCell) -> Bool {
        let settings = cell.recipe.evaluate
        guard let wanted = try? EvaluationProtocol.named(settings.evaluationProtocol),
            let network = try? NetworkName(cell.network)
        else { return false }
        let classes = result.classes
        // Of images that are decoded of fewer stored ones.
        let trained = Int((Double(result.train.images) / Double(max(classes, 1))).rounded())
        let name = wanted.name(
            epochs: settings.epochs > 0
                ? settings.epochs : wanted.epochs(imagesPerClass: trained, classCount: classes),
            imagesPerClass: cell.imagesPerClass,
            trainingImagesPerClass: trained,
            classCount: classes,
            network: network
        )
        return result.evaluationProtocol == name
    }

    /// What a cell failed with.
    func failure(of cell: GridCell) -> FailedCell? {
        isFinished(cell) ? nil : read("failed.json", in: folder(of: cell), as: FailedCell.self)
    }

    func read<Value: Decodable>(_ name: String, in folder: URL, as type: Value.Type) -> Value? {
        (try? Data(contentsOf: folder.appendingPathComponent(name)))
            .flatMap { try? JSONDecoder().decode(type, from: $0) }
    }

    /// Makes sure that a folder that is there belongs to the same grid.
    func requireOwnFolder() throws {
        guard !exists(url.appendingPathComponent("recipe.resolved.yaml")) else {
            throw RunError(
                .otherRecipe,
                "The folder \(url.path) holds a run. Use another --output for the comparison."
            )
        }
        let resolved = url.appendingPathComponent("grid.resolved.yaml")
        guard let old = try RunFolder.text(resolved) else { return }
        let before = try Grid.read(yaml: old, name: resolved.path)
        let lines = try differences(from: before) + differingTrainings()
        guard lines.isEmpty else {
            throw RunError(
                .otherRecipe,
                "The folder \(url.path) belongs to another grid. These settings differ:\n"
                    + lines.joined(separator: "\n")
                    + "\nUse another --output or the same settings."
            )
        }
    }

    /// Makes the folder, and writes down the grid as it is now.
    func open() throws {
        let resolved = url.appendingPathComponent("grid.resolved.yaml")
        let text = try plan.grid.yaml()
        if (try? String(contentsOf: resolved, encoding: .utf8)) == text { return }
        try OutputFolder.make(url)
        try AtomicFile.write(Data(text.utf8), to: resolved)
    }

    /// Methods, networks, seeds and varied values may come and go; what all cells have in common may
    /// not change, since finished cells stay.
    private func differences(from old: Grid) throws -> [String] {
        var differences = RunFolder.differences(
            try Comparison.common(old.recipe).yaml(),
            try Comparison.common(plan.grid.recipe).yaml()
        )
        if let before = old.imagesPerClass.max(), let now = plan.grid.imagesPerClass.max(),
            before != now
        {
            differences.append(
                "  largest of imagesPerClass: \(before) there, \(now) here (smaller sets are chosen "
                    + "from the largest)"
            )
        }
        return differences
    }

    /// A grid's recipe without what changes no result, or what the grid lists itself.
    private static func common(_ recipe: Recipe) -> Recipe {
        var common = recipe.forResults
        let defaults = Recipe()
        common.name = defaults.name
        common.baselines = defaults.baselines
        common.sample.imagesPerClass = defaults.sample.imagesPerClass
        common.evaluate.imagesPerClass = defaults.evaluate.imagesPerClass
        common.evaluate.networks = defaults.evaluate.networks
        common.evaluate.seeds = defaults.evaluate.seeds
        return common
    }

    /// Cells of the folder that were trained for other epochs or in other batches, also those of
    /// networks that the grid did without for a while.
    private func differingTrainings() -> [String] {
        let lines = plan.cells.flatMap { cell -> [String] in
            let file = folder(of: cell).appendingPathComponent("recipe.resolved.yaml")
            let now = cell.recipe.evaluate
            let result = storedResult(of: cell)
            // A cell that came to nothing, perhaps because its batches were too large, is free.
            guard result != nil || hasCheckpoint(cell) else { return [] }
            guard let before = (try? Recipe.read(file))?.evaluate else {
                guard let result, !fits(result, cell) else { return [] }
                return [
                    "  \(cell.key): \(result.evaluationProtocol) there, other epochs or batches here"
                ]
            }
            let batches = [before, now].map { settings in
                (try? EvaluationProtocol.named(settings.evaluationProtocol))?.variation.batch
                    .map(String.init) ?? "the protocol's"
            }
            return [
                before.epochs == now.epochs
                    ? nil
                    : "  epochs.\(cell.network) for \(cell.imagesPerClass) images per class: "
                        + "\(before.epochs) there, \(now.epochs) here",
                batches[0] == batches[1]
                    ? nil
                    : "  batchSize.\(cell.network): \(batches[0]) there, \(batches[1]) here",
            ].compactMap { $0 }
        }
        return Set(lines).sorted()
    }

    /// Whether a training of a cell was begun and kept.
    private func hasCheckpoint(_ cell: GridCell) -> Bool {
        let place = folder(of: cell).appendingPathComponent("checkpoints").path
        return (try? FileManager.default.contentsOfDirectory(atPath: place))?.isEmpty == false
    }

    /// Removes the folder of a cell that came to nothing under other settings than it has now.
    func removeIfOutdated(_ cell: GridCell) {
        let place = folder(of: cell)
        let file = place.appendingPathComponent("recipe.resolved.yaml")
        guard let before = try? Recipe.read(file), before != cell.recipe,
            let lock = try? FolderLock(place)
        else { return }
        // Looked for under the lock: another process may have come to an end just now.
        withExtendedLifetime(lock) {
            guard storedResult(of: cell) == nil, !hasCheckpoint(cell) else { return }
            try? FileManager.default.removeItem(at: place)
        }
    }

    /// Tells, before any work starts, what some of it will fail for: too few images, weights that are
    /// not there, features that nobody has.
    func warnOfMissing() throws {
        let data = try data(plan.grid.recipe.data)
        func warn(_ subject: String, _ check: () throws -> Void) {
            do { try check() } catch { observer.warn("\(subject) will fail: \(error)") }
        }
        try inScratch { pipeline in
            for method in plan.grid.methods where method != Grid.ownMethod {
                warn("method \(method)") { try pipeline.requireImages(for: [method]) }
            }
            let drawing = plan.grid.methods.filter { [Grid.ownMethod, "dit"].contains($0) }
            if !drawing.isEmpty, plan.grid.recipe.model.weights != "pretrain" {
                warn(drawing.joined(separator: ", ")) { try pipeline.requireWeights() }
            }
        }
        let features = plan.grid.distribution.features
        guard features != "none" else { return }
        warn("the figure of the distribution") {
            _ = try FeatureExtractor.named(
                features,
                channels: data.channels,
                pixelSize: min(32, data.height),
                on: environment.device
            )
        }
    }

    /// Makes sure, before any work starts, that all methods and networks fit the data.
    func requireFittingMethods() throws {
        try inScratch { pipeline in
            try pipeline.requireEvaluation()
            try pipeline.requireKnown(plan.grid.methods.filter { $0 != Grid.ownMethod })
        }
    }

    /// A pipeline with the largest number of images, in a folder that is removed afterwards.
    private func inScratch(_ body: (Pipeline) throws -> Void) throws {
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("distill-grid-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        var recipe = plan.grid.recipe
        recipe.evaluate.networks = plan.grid.networks
        recipe.evaluate.imagesPerClass = plan.grid.imagesPerClass
        recipe.sample.imagesPerClass =
            plan.grid.imagesPerClass.max() ?? recipe.sample.imagesPerClass
        // They are not those of the grid.
        recipe.baselines = []
        let pipeline = try Pipeline(
            recipe,
            in: scratch,
            environment: environment,
            observer: SilentObserver()
        )
        pipeline.openData = { [self] in try data(plan.grid.recipe.data) }
        try body(pipeline)
    }

    /// Makes sure, before any work starts, that networks can be tested.
    func requireTestImages() throws {
        let recipe = plan.grid.recipe
        try data(recipe.data).requireTestImages(for: .named(recipe.evaluate.evaluationProtocol))
    }

    // MARK: Links

    /// Puts the files that a later stage reads into its run folder.
    func linkResults(of needed: SharedUnit, into unit: SharedUnit) throws {
        let source = folder(of: needed)
        var names = [String]()
        switch needed.work {
        case .encode: names = ["latents"]
        case .pretrain, .finetune:
            let all = (try? FileManager.default.subpathsOfDirectory(atPath: source.path)) ?? []
            names = all.filter { name in
                let file = (name as NSString).lastPathComponent
                return name.hasPrefix("checkpoints/")
                    && ["pretrained.safetensors", "finetuned.safetensors"].contains(file)
            }
        case .features: names = [Pipeline.featuresFile]
        case .sample, .baseline: break
        }
        for name in names where exists(source.appendingPathComponent(name)) {
            try link(
                folder(of: unit).appendingPathComponent(name),
                to: source.appendingPathComponent(name)
            )
        }
    }

    /// Puts the images of a unit into the run folder of a cell.
    func linkImages(of unit: SharedUnit, into cell: GridCell) throws {
        for name in unit.images where exists(folder(of: unit).appendingPathComponent(name)) {
            try link(
                folder(of: cell).appendingPathComponent(name),
                to: folder(of: unit).appendingPathComponent(name)
            )
        }
    }

    private func exists(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.path) }

    /// Makes a relative link, so that the folder can be moved as a whole.
    func link(_ link: URL, to target: URL) throws {
        guard !exists(link) else { return }
        let parent = link.deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        let from = parent.standardizedFileURL.pathComponents
        let to = target.standardizedFileURL.pathComponents
        let common = zip(from, to).prefix { $0 == $1 }.count
        let path = [String](repeating: "..", count: from.count - common) + to[common...]
        do {
            try FileManager.default.createSymbolicLink(
                atPath: link.path,
                withDestinationPath: path.joined(separator: "/")
            )
        } catch {
            // Another process may have been faster.
            guard exists(link) else {
                throw RunError(
                    .unusable,
                    "The link \(link.path) cannot be made: \(error.systemReason)"
                )
            }
        }
    }
}
