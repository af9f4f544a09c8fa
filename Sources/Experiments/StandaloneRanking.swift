import Checkpoints
import Datasets
import Evaluation
import Foundation
import Images
import Models
import Torch
import Training

/// The scores of DD-Ranking for a folder of images: how much of an accuracy is due to the images,
/// and not to soft labels or augmentation.
public struct StandaloneRanking {
    /// What is ranked, and how; see `distill rank --help`.
    public struct Settings: Sendable {
        /// The surrogate images.
        public var surrogate = ""
        /// The real training images that it stands for.
        public var real = ""
        /// The test images.
        public var test = ""
        /// The network.
        public var network = "convnet-3"
        /// The protocol of trainings with hard labels.
        public var hardProtocol = "gu-hard-28"
        /// The protocol that the surrogate is meant for; nil: the one with hard labels.
        public var ownProtocol: String?
        /// Epochs on all real images; nil: the protocol's.
        public var realEpochs: Int?
        /// What labels the images, if the own protocol has soft labels.
        public var teacher: String?
        /// The network of a teacher whose file does not say it.
        public var teacherNetwork: String?
        /// A training of every kind for each.
        public var seeds = [0, 1, 2, 3, 4]
        /// Bytes that each set of images may take in memory; larger ones are read from their files.
        public var memory: Int?
        /// w of LRS and γ of ARS.
        public var weight = 0.5
        /// The folder in which trainings are kept: another surrogate of the same images finds those on
        /// real images there.
        public var output = ""

        /// The defaults.
        public init() {}
    }

    private let settings: Settings

    /// Describes a ranking.
    public init(_ settings: Settings) { self.settings = settings }

    /// Trains all networks, or those that are not in the folder yet, and computes the scores.
    ///
    /// - Parameters:
    ///   - environment: Where and how.
    ///   - observer: Hears of the progress.
    /// - Returns: The scores, which are also written to `ranking-NETWORK-HASH.json`, whose name tells
    ///   rankings with other images or settings apart.
    /// - Throws: The errors of datasets and of `evaluate`.
    public func run(
        environment: Pipeline.Environment,
        observer: any RunObserver
    ) throws -> RankingResult {
        try requireSense()
        let images = try Images(settings)
        let teacher = try teacher(images, environment)
        for kind in RankingTraining.allCases {
            let options = try options(kind, environment)
            let evaluationProtocol = options.evaluationProtocol
            try requireEvaluable(
                train: images.set(kind, seed: settings.seeds[0], for: evaluationProtocol),
                test: images.testSet(for: evaluationProtocol),
                options: options,
                on: environment.device,
                teacher: evaluationProtocol.needsTeacher ? teacher : nil
            )
        }
        let folder = URL(fileURLWithPath: settings.output, isDirectory: true)
        try OutputFolder.make(folder.appendingPathComponent("trainings"))
        let lock = try FolderLock(folder)
        defer { withExtendedLifetime(lock) {} }
        var trainings = [RankingTraining: [EvaluationResult]]()
        for kind in RankingTraining.allCases {
            trainings[kind] = try train(kind, images, teacher, in: folder, environment, observer)
        }
        func values(_ kind: RankingTraining) -> [Double] {
            (trainings[kind] ?? []).flatMap(\.last.values)
        }
        let result = RankingResult(
            labels: try LabelRobustness(
                seeds: settings.seeds,
                realHard: values(.realHard),
                syntheticHard: values(.syntheticHard),
                syntheticAny: values(.syntheticAny),
                randomAny: values(.randomAny),
                weight: settings.weight
            ),
            augmentation: try AugmentationRobustness(
                seeds: settings.seeds,
                syntheticAugmented: values(.syntheticAny),
                randomAugmented: values(.randomAny),
                syntheticPlain: values(.syntheticPlain),
                randomPlain: values(.randomPlain),
                weight: settings.weight
            ),
            trainings: trainings
        )
        let file = folder.appendingPathComponent("ranking-\(name(images, teacher)).json")
        try AtomicFile.write(ReadableJSON.data(result), to: file)
        observer.note("The scores are in \(file.path)")
        return result
    }

    /// Measures a few epochs of every kind of training; nothing of them is kept.
    ///
    /// - Parameter environment: Where and how.
    /// - Returns: What `run` will need.
    /// - Throws: The errors of datasets and of `evaluate`.
    public func estimate(environment: Pipeline.Environment) throws -> RunEstimate {
        try requireSense()
        let images = try Images(settings)
        let teacher = try teacher(images, environment)
        var stages = [RunEstimate.Stage]()
        var peak = PeakMemory(on: environment.device)
        for kind in RankingTraining.allCases
        where kind != .syntheticAny || settings.ownProtocol != nil {
            let options = try options(kind, environment)
            let one = try estimateOneSeed(
                train: images.set(kind, seed: settings.seeds[0], for: options.evaluationProtocol),
                test: images.testSet(for: options.evaluationProtocol),
                options: options,
                on: environment.device,
                teacher: options.evaluationProtocol.needsTeacher ? teacher : nil
            )
            peak.note()
            stages.append(
                .init(
                    stage: kind.rawValue,
                    work: "\(settings.seeds.count) trainings of \(one.epochs) epochs",
                    seconds: one.seconds * Double(settings.seeds.count)
                )
            )
        }
        return RunEstimate(
            stages: stages,
            memoryBytes: peak.bytes,
            diskBytes: 0
        )
    }

    /// Trains the networks of one kind, one a seed.
    private func train(
        _ kind: RankingTraining,
        _ images: Images,
        _ teacher: Teacher?,
        in folder: URL,
        _ environment: Pipeline.Environment,
        _ observer: any RunObserver
    ) throws -> [EvaluationResult] {
        try settings.seeds.map { seed in
            var options = try options(kind, environment)
            options.seeds = [seed]
            if kind.isRandom { options.choice = images.choice(seed: seed) }
            let train = try images.set(kind, seed: seed, for: options.evaluationProtocol)
            let stage = "\(kind.rawValue), seed \(seed)"
            let teacher = options.evaluationProtocol.needsTeacher ? teacher : nil
            return try evaluate(
                train: train,
                test: try images.testSet(for: options.evaluationProtocol),
                options: options,
                on: environment.device,
                teacher: teacher,
                checkpoint: checkpoint(options, train, images, teacher, environment, in: folder)
            ) { event in
                switch event {
                case .training(.epoch(let epoch, let epochs, let loss), _, _, _):
                    observer.progress(
                        stage: stage,
                        done: epoch,
                        total: epochs,
                        unit: "epochs",
                        detail: String(format: "loss %.3f", loss)
                    )
                case .finished(_, _, _, let last, _):
                    observer.note(String(format: "\(stage): %.1f %%", last * 100))
                case .ignoredCheckpoint(let reason):
                    throw RunError(
                        .invalidSettings,
                        "\(reason) Remove it, or name another --output."
                    )
                default: break
                }
                return environment.isInterrupted() ? .stop : .continue
            }
        }
    }

    /// The file of a training, by all that it depends on: the same one for every kind and every
    /// surrogate that needs it.
    private func checkpoint(
        _ options: EvaluationOptions,
        _ train: EvaluationSet,
        _ images: Images,
        _ teacher: Teacher?,
        _ environment: Pipeline.Environment,
        in folder: URL
    ) -> URL {
        let parts = [
            train.fingerprint, images.testFingerprint, "\(options.network)",
            options.evaluationProtocol.id, options.epochs.map(String.init) ?? "",
            "\(options.seeds)", teacher?.record.digest ?? "", "\(environment.device)",
            environment.precision.map { "\($0)" } ?? "",
        ]
        let name = "\(SHA256.hexadecimalDigest(of: parts).prefix(16)).safetensors"
        return folder.appendingPathComponent("trainings/\(name)")
    }

    /// What the file of the scores is called after: all that they depend on.
    private func name(_ images: Images, _ teacher: Teacher?) -> String {
        let parts =
            images.fingerprints + [
                settings.hardProtocol, settings.ownProtocol ?? "",
                settings.realEpochs.map(String.init) ?? "", "\(settings.seeds)",
                "\(settings.weight)", teacher?.record.digest ?? "",
            ]
        return "\(settings.network)-\(SHA256.hexadecimalDigest(of: parts).prefix(12))"
    }

    private func options(
        _ kind: RankingTraining,
        _ environment: Pipeline.Environment
    ) throws -> EvaluationOptions {
        let name =
            kind.isHard ? settings.hardProtocol : settings.ownProtocol ?? settings.hardProtocol
        let usual = try EvaluationProtocol.named(name)
        return EvaluationOptions(
            method: kind == .realHard ? "whole" : kind.isRandom ? "random" : "surrogate",
            network: try .init(settings.network),
            evaluationProtocol: kind.isPlain ? usual.withoutAugmentation : usual,
            epochs: kind == .realHard ? settings.realEpochs : nil,
            evaluations: 1,
            precision: environment.precision == .bfloat16 ? .bfloat16 : .float32
        )
    }

    private func teacher(
        _ images: Images,
        _ environment: Pipeline.Environment
    ) throws -> Teacher? {
        guard let path = settings.teacher, let own = settings.ownProtocol else { return nil }
        return try Teacher(
            contentsOf: URL(fileURLWithPath: path),
            network: settings.teacherNetwork.map { try NetworkName($0) },
            classNames: images.classNames,
            imageSize: try EvaluationProtocol.named(own).imageSize,
            on: environment.device
        )
    }

    /// Refuses what could only fail, or mean nothing, after the first trainings.
    private func requireSense() throws {
        let hard = try EvaluationProtocol.named(settings.hardProtocol)
        let own = try settings.ownProtocol.map { try EvaluationProtocol.named($0) } ?? hard
        guard !hard.needsTeacher else {
            throw RunError(
                .invalidSettings,
                "--protocol is the one with hard labels; \(hard.id) has soft labels. Name it with "
                    + "--own-protocol."
            )
        }
        guard own.needsTeacher == (settings.teacher != nil) else {
            throw RunError(
                .invalidSettings,
                own.needsTeacher
                    ? "The protocol \(own.id) has soft labels: name a trained network with --teacher."
                    : "--teacher changes nothing here: no protocol has soft labels."
            )
        }
        guard settings.teacher != nil || settings.teacherNetwork == nil else {
            throw RunError(
                .invalidSettings,
                "--teacher-network changes nothing here: no teacher is named with --teacher."
            )
        }
        guard own != own.withoutAugmentation else {
            throw RunError(
                .invalidSettings,
                "\(own.id) has no augmentation: ARS compares trainings with and without. Name the "
                    + "protocol with its augmentation; images are trained on without it as well."
            )
        }
        _ = try NetworkName(settings.network)
    }
}
