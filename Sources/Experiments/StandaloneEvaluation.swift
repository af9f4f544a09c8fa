import Datasets
import Evaluation
import Foundation
import Images
import Models
import Torch
import Training

/// An evaluation outside of a run folder: train on one folder, test on another.
public struct StandaloneEvaluation {
    /// What is evaluated, and how; see `distill evaluate --help`.
    public struct Settings: Sendable {
        /// The training images.
        public var train = ""
        /// The test images.
        public var test = ""
        /// What made the training images; only recorded.
        public var method = "unknown"
        /// The network.
        public var network = "convnet-3"
        /// The protocol, with its variations.
        public var evaluationProtocol = "gu-hard-28"
        /// Epochs of training; nil: the protocol's.
        public var epochs: Int?
        /// How often the test set is looked at.
        public var evaluations = 100
        /// The epoch whose accuracy is reported.
        public var selection = EvaluationOptions.Selection.last
        /// Images of each class to train on; nil: all.
        public var imagesPerClass: Int?
        /// How they are chosen.
        public var choice = ImageChoice.random
        /// The seed of a random choice.
        public var choiceSeed: UInt64 = 0
        /// One network is trained for each seed.
        public var seeds = [0, 1, 2]
        /// What labels the images, for protocols with soft labels.
        public var teacher: String?
        /// The network of a teacher whose file does not say it.
        public var teacherNetwork: String?
        /// Folder in which the teacher's scores are kept.
        public var softLabels: String?
        /// File for the trained network.
        public var savedNetwork: String?
        /// File of an unfinished evaluation; nil: one in the user's cache, removed at the end.
        public var checkpoint: String?
        /// File of results that takes the result in.
        public var results: String?
        /// Bytes of images kept in memory; larger sets are read again in every epoch.
        public var memory: Int?

        /// The defaults.
        public init() {}
    }

    private let settings: Settings

    /// Describes an evaluation.
    public init(_ settings: Settings) { self.settings = settings }

    private func options(_ environment: Pipeline.Environment) throws -> EvaluationOptions {
        let evaluationProtocol = try EvaluationProtocol.named(settings.evaluationProtocol)
        func refuse(_ option: String, _ reason: String) -> RunError {
            RunError(.invalidSettings, "\(option) changes nothing here: \(reason).")
        }
        if settings.softLabels != nil, !evaluationProtocol.storesSoftLabels {
            throw refuse("--soft-labels", "\(evaluationProtocol.id) stores no scores of a teacher")
        }
        if settings.teacherNetwork != nil, settings.teacher == nil {
            throw refuse("--teacher-network", "no teacher is named with --teacher")
        }
        return EvaluationOptions(
            method: settings.method,
            network: try .init(settings.network),
            evaluationProtocol: evaluationProtocol,
            epochs: settings.epochs,
            evaluations: settings.evaluations,
            selection: settings.selection,
            seeds: settings.seeds,
            precision: environment.precision == .bfloat16 ? .bfloat16 : .float32
        )
    }

    /// Opens a dataset; its format is told by the names of its files.
    ///
    /// - Parameters:
    ///   - path: A folder of class folders, of IDX files, of CIFAR's binary files or of tar shards;
    ///     for IDX and CIFAR, `FOLDER#test` names the test part; `FOLDER#fastai` is ImageWoof or
    ///     ImageNette of fastai in ImageNet's split, `FOLDER#fastai#test` its test part.
    ///   - part: What is added to the path of an IDX, CIFAR or fastai folder.
    /// - Returns: The images.
    /// - Throws: `RunError` or `DatasetError` if it is none of them.
    public static func open(_ path: String, part: String = "") throws -> any LabelledImages {
        var path = path
        func takes(_ word: String) -> Bool {
            guard path.hasSuffix(word) else { return false }
            path.removeLast(word.count)
            return true
        }
        let isTest = takes("#test") || part == "#test"
        let isFastAI = takes("#fastai")
        var source = DataSource()
        source.path = path
        guard FileManager.default.fileExists(atPath: source.path) else {
            throw RunError(.missingFile, "There is no folder \(source.path).")
        }
        source.format =
            isFastAI ? .fastai : DataSource.format(of: URL(fileURLWithPath: source.path))
        source.split = isTest ? .test : .train
        return try source.open(role: "data")
    }

    /// Trains and tests.
    ///
    /// - Parameters:
    ///   - environment: Where and how.
    ///   - observer: Hears of the progress.
    /// - Returns: The result.
    /// - Throws: The errors of datasets and of `evaluate`.
    public func run(
        environment: Pipeline.Environment,
        observer: any RunObserver
    ) throws -> EvaluationResult {
        var options = try options(environment)
        let results = settings.results.map { URL(fileURLWithPath: $0) }
        // Found out now rather than after the training.
        if let results { _ = try RunResults.read(results) }
        let (train, test, choice) = try sets(for: options.evaluationProtocol)
        options.choice = choice
        if let saved = settings.savedNetwork {
            let folder = URL(fileURLWithPath: saved).deletingLastPathComponent().path
            guard FileManager.default.isWritableFile(atPath: folder) else {
                throw RunError(.unusable, "The folder of \(saved) does not exist or is read-only.")
            }
        }
        let checkpoint = checkpoint(train, test, environment, observer)
        let result = try evaluate(
            train: train,
            test: test,
            options: options,
            on: environment.device,
            teacher: try teacher(of: train, environment),
            softLabels: settings.softLabels.map { URL(fileURLWithPath: $0) },
            savingNetworkTo: settings.savedNetwork.map { URL(fileURLWithPath: $0) },
            checkpoint: checkpoint
        ) { event in
            if case .ignoredCheckpoint(let reason) = event {
                throw RunError(
                    .invalidSettings,
                    "\(reason) Name another file with --checkpoint, or remove that one."
                )
            }
            if case .training(
                .epoch(let epoch, let epochs, let loss),
                let seed,
                let position,
                let count
            ) = event {
                observer.progress(
                    stage: "evaluate",
                    done: position * epochs + epoch,
                    total: count * epochs,
                    unit: "epochs",
                    detail: String(format: "seed %d, loss %.3f", seed, loss)
                )
            }
            return environment.isInterrupted() ? .stop : .continue
        }
        if let results { try RunResults.merge(result, into: results) }
        // Only now: a result that could not be written is not lost.
        if settings.checkpoint == nil, let checkpoint {
            try? FileManager.default.removeItem(at: checkpoint)
        }
        return result
    }

    /// The file of the unfinished evaluation: the one that is asked for, or one in the user's cache
    /// whose name tells evaluations apart.
    private func checkpoint(
        _ train: EvaluationSet,
        _ test: EvaluationSet,
        _ environment: Pipeline.Environment,
        _ observer: any RunObserver
    ) -> URL? {
        if let named = settings.checkpoint { return URL(fileURLWithPath: named) }
        var parts = [
            train.path, train.fingerprint, test.path, test.fingerprint, settings.method,
            settings.network, settings.evaluationProtocol, settings.epochs.map(String.init) ?? "",
            "\(settings.evaluations)", "\(settings.selection)", "\(settings.seeds)",
            settings.teacher ?? "", settings.savedNetwork ?? "", "\(environment.device)",
            environment.precision.map { "\($0)" } ?? "",
        ]
        if let labels = settings.softLabels { parts += ["soft labels", labels] }
        let folder = FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask).first?
            .appendingPathComponent("distill/evaluations", isDirectory: true)
        guard let folder,
            (try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true))
                != nil
        else {
            observer.warn("There is no folder for caches: this evaluation cannot be resumed.")
            return nil
        }
        let name = SHA256.hexadecimalDigest(of: parts)
        return folder.appendingPathComponent("\(name).safetensors")
    }

    /// Measures a few epochs; nothing of them is kept.
    ///
    /// - Parameter environment: Where and how.
    /// - Returns: What `run` will need.
    /// - Throws: The errors of datasets and of `evaluate`.
    public func estimate(environment: Pipeline.Environment) throws -> RunEstimate {
        let options = try options(environment)
        let (train, test, _) = try sets(for: options.evaluationProtocol)
        let one = try estimateOneSeed(
            train: train,
            test: test,
            options: options,
            on: environment.device,
            teacher: try teacher(of: train, environment)
        )
        return RunEstimate(
            stages: [
                .init(
                    stage: "evaluate",
                    work: "\(options.seeds.count) trainings of \(one.epochs) epochs",
                    seconds: one.seconds * Double(options.seeds.count)
                )
            ],
            memoryBytes: Memory.peakBytes(on: environment.device),
            diskBytes: settings.softLabels == nil
                ? 0 : 2 * train.images.count * train.images.classCount * one.epochs
        )
    }

    private func teacher(
        of train: EvaluationSet,
        _ environment: Pipeline.Environment
    ) throws -> Teacher? {
        try settings.teacher.map { path in
            try Teacher(
                contentsOf: URL(fileURLWithPath: path),
                network: settings.teacherNetwork.map { try NetworkName($0) },
                classNames: train.images.classNames,
                imageSize: EvaluationProtocol.named(settings.evaluationProtocol).imageSize,
                on: environment.device
            )
        }
    }

    private func sets(
        for evaluationProtocol: EvaluationProtocol
    ) throws -> (train: EvaluationSet, test: EvaluationSet, choice: String?) {
        func set(
            _ files: any LabelledImages,
            _ path: String,
            _ role: EvaluationProtocol.Role
        ) throws -> EvaluationSet {
            EvaluationSet(
                images: try evaluationProtocol.load(
                    files,
                    for: role,
                    memory: settings.memory ?? EvaluationProtocol.usualMemory
                ),
                path: path,
                fingerprint: try files.fingerprint()
            )
        }
        var train = try StandaloneEvaluation.open(settings.train)
        // The test part of an IDX folder stands beside its training part.
        let test = try StandaloneEvaluation.open(settings.test, part: "#test")
        // Before some are chosen: those would be images that the network is tested on, too.
        if try train.count == test.count && train.fingerprint() == test.fingerprint() {
            throw RunError(
                .invalidSettings,
                "\(settings.train) and \(settings.test) are the same images: a test on what a "
                    + "network was trained on says nothing. Name the test images with --test."
            )
        }
        var choice: String?
        if let count = settings.imagesPerClass {
            let chosen = try settings.choice.choose(count, of: train, seed: settings.choiceSeed)
            (train, choice) = (chosen.images, chosen.record)
        }
        return (
            try set(train, settings.train, .train), try set(test, settings.test, .test), choice
        )
    }
}
