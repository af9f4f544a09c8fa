import Checkpoints
import Datasets
import Distillation
import Foundation
import Models
import Torch
import Training

extension Pipeline {
    /// Chooses real images and copies them into `baselines/<method>/`.
    ///
    /// Files are copied byte by byte; images that are stored otherwise become PNG files.
    func choose(_ method: BaselineMethod) throws {
        guard !folder.has("\(method.place)/metadata.jsonl") else {
            observer.note("\(method.stage): done before")
            return
        }
        let data = try data()
        let count = recipe.sample.imagesPerClass
        let members = try requireChoice(of: method)
        // Features have costs of their own.
        if [.kCenter, .herding].contains(method) { _ = try coresetFeatures() }
        var watch = Stopwatch(method.stage, in: folder, on: device, isNew: true)
        let chosen = try places(method, members, count)
        let writer = try SurrogateWriter(
            folder: folder.path(method.place),
            classNames: data.classNames
        )
        var entries = [SurrogateEntry]()
        for (label, places) in chosen.enumerated() {
            for (index, place) in places.enumerated() {
                var entry = SurrogateEntry(label: label, index: index, seed: recipe.seed)
                entry.source = data.source.identifier(at: place)
                if let file = try data.source.storedFile(at: place) {
                    entry.fileExtension = file.fileExtension
                    try writer.write(copyOf: file, label: label, index: index)
                } else if !writer.isComplete(label: label, index: index) {
                    try writer.write(data.source.image(at: place), label: label, index: index)
                }
                entries.append(entry)
            }
            try checkInterruption()
        }
        try writer.finish(entries, summary: method.summary)
        try watch.book()
    }

    /// Makes sure that every class has as many images as are to be chosen.
    ///
    /// - Parameter method: What chooses.
    /// - Returns: The images of each class, positions in the training set.
    /// - Throws: `RunError` that names the first class with too few.
    @discardableResult
    func requireChoice(of method: BaselineMethod) throws -> [[Int]] {
        let (data, count) = (try data(), recipe.sample.imagesPerClass)
        let members = data.source.indicesByClass()
        guard let label = members.firstIndex(where: { $0.count < count }) else { return members }
        throw RunError(
            .invalidSettings,
            "\(method.stage): the class \(data.classNames[label]) has \(members[label].count) "
                + "images, \(count) are asked for. Lower sample.imagesPerClass."
        )
    }

    /// The chosen images of each class, positions in the training set.
    private func places(
        _ method: BaselineMethod,
        _ members: [[Int]],
        _ count: Int
    ) throws -> [[Int]] {
        switch method {
        case .kCenter:
            return CoresetSelection.kCenter(
                try coresetFeatures(),
                members: members,
                count: count,
                start: recipe.coreset.kCenterStart
            )
        case .herding:
            return CoresetSelection.herding(
                try coresetFeatures(),
                members: members,
                count: count
            )
        case .random, .dit, .dm, .idc1, .idc, .glad:
            let source = try data().source
            switch recipe.coreset.random {
            case .seed: return source.chosenPerClass(count, seed: seed)
            case .first: return try source.firstPlaces(members, count: count)
            }
        }
    }

    /// What distances between the training images are measured in: [N, F].
    private func coresetFeatures() throws -> Tensor {
        if let loadedFeatures { return loadedFeatures }
        let settings = recipe.coreset
        let isTrained = settings.features == "train"
        let extractor = try isTrained ? trainedExtractor() : namedExtractor()
        var watch = Stopwatch("features", in: folder, on: device)
        let count = try data().count
        func report(_ done: Int) throws {
            observer.progress(
                stage: "features",
                done: done,
                total: count,
                unit: "images",
                detail: ""
            )
            try checkInterruption()
        }
        // A network of this run knows the prepared images; others see the files.
        let features =
            try isTrained
            ? extractor.features(of: data().train(), progress: report)
            : extractor.features(of: data().source, progress: report)
        try watch.book()
        loadedFeatures = features
        return features
    }

    /// The extractor that the settings name.
    func namedExtractor() throws -> FeatureExtractor {
        let data = try data()
        let name = recipe.coreset.features
        return try .named(
            FileManager.default.fileExists(atPath: InstalledFiles.url(name).path)
                ? InstalledFiles.url(name).path : name,
            channels: data.channels,
            pixelSize: min(32, data.height),
            on: device
        )
    }

    /// Where the network that is trained for its features lies in a run.
    static let featuresFile = "checkpoints/features.safetensors"

    /// The network that is trained on the whole training set for its features, from its last
    /// checkpoint on; the result is `checkpoints/features.safetensors`.
    func trainedExtractor() throws -> FeatureExtractor {
        let result = Pipeline.featuresFile
        if !folder.has(result) { try trainFeatures(into: folder.path(result)) }
        return try FeatureExtractor(
            TrainedNetwork(contentsOf: folder.path(result)),
            on: device
        )
    }

    private func trainFeatures(into result: URL) throws {
        let set = try data().train().moved(to: device)
        let statistics = ChannelStatistics(of: set)
        let (state, options) = try newFeatureTraining(set)
        let name = "checkpoints/features-training.safetensors"
        if folder.has(name) {
            let file = try SafetensorsFile(contentsOf: folder.path(name))
            let text = file.metadata["record"] ?? ""
            let record = try JSONDecoder().decode(TrainingRecord.self, from: Data(text.utf8))
            try state.restore(file.state(), record: record)
            observer.note("features: going on at step \(state.record.step)")
        }
        func save() throws {
            let record = String(decoding: try JSONEncoder().encode(state.record), as: UTF8.self)
            try Safetensors.save(
                state.tensors(),
                metadata: ["record": record],
                to: folder.path(name)
            )
        }
        var watch = Stopwatch("features", in: folder, on: device)
        let isDone = try SupervisedTraining.train(
            state,
            on: set,
            testing: nil,
            normalizedBy: statistics,
            options: options
        ) { event in
            if case .epoch(let epoch, let epochs, let loss) = event {
                try metrics.log(stage: "features", ["epoch": Double(epoch), "loss": loss])
                observer.progress(
                    stage: "features",
                    done: epoch,
                    total: epochs,
                    unit: "epochs",
                    detail: String(format: "loss %.3f", loss)
                )
                try save()
                try watch.book()
            }
            return environment.isInterrupted() ? .stop : .continue
        }
        guard isDone else {
            try save()
            try watch.book()
            throw InterruptedError()
        }
        let description = TrainedNetwork.Description(
            network: try NetworkName(recipe.coreset.network),
            imageSize: set.height,
            channels: set.channels,
            statistics: statistics,
            classNames: set.classNames,
            origin: "\(options.epochs) epochs on \(recipe.data.train.path), seed \(recipe.seed)"
        )
        try TrainedNetwork(description: description, weights: state.classifier.state())
            .save(to: result)
        try watch.book()
    }

    /// The training of the network for features, before its first step.
    func newFeatureTraining(
        _ set: ImageSet
    ) throws -> (state: TrainingState, options: TrainingOptions) {
        var augmentation: Augmentation = set.channels == 3 ? .published : .publishedGrey
        if !recipe.data.flips { augmentation.flipProbability = 0 }
        let options = TrainingOptions(
            epochs: recipe.coreset.epochs,
            augmentation: augmentation,
            usesCutMix: false,
            precision: environment.precision == .bfloat16 ? .bfloat16 : .float32,
            seed: seed
        )
        var generator = RandomGenerator(seed: seed, purpose: .initialization)
        let classifier = try NetworkName(recipe.coreset.network).makeClassifier(
            imageSize: set.height,
            channels: set.channels,
            classCount: set.classCount,
            using: &generator
        )
        classifier.move(to: device)
        return (TrainingState(training: classifier, options: options), options)
    }
}

extension LabelledImages {
    /// The first images of every class in string order of the files' names, as torchvision's
    /// `ImageFolder` lists them; in the order of the source where there are no files.
    func firstPlaces(_ members: [[Int]], count: Int) throws -> [[Int]] {
        guard self.count > 0, try storedFile(at: 0) != nil else {
            return members.map { Array($0.prefix(count)) }
        }
        return members.map { places in
            // The parts of a split dataset lie in several folders.
            let names = places.map { identifier(at: $0).split(separator: "/").last ?? "" }
            return names.indices.sorted { names[$0].utf8.lexicographicallyPrecedes(names[$1].utf8) }
                .prefix(count).map { places[$0] }
        }
    }
}
