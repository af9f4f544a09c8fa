import Datasets
import Evaluation
import Foundation
import Torch
import Training

/// An evaluation outside of a run folder: train on one folder, test on another.
public struct StandaloneEvaluation {
    private let train: String
    private let test: String
    private let options: (Pipeline.Environment) throws -> EvaluationOptions
    private let checkpoint: URL?

    /// Describes an evaluation; see `distill evaluate --help`.
    public init(
        train: String,
        test: String,
        method: String,
        network: String,
        evaluationProtocol: String,
        epochs: Int?,
        evaluations: Int,
        seeds: [Int],
        checkpoint: URL?
    ) {
        self.train = train
        self.test = test
        self.checkpoint = checkpoint
        options = { environment in
            EvaluationOptions(
                method: method,
                network: try .init(network),
                evaluationProtocol: try .named(evaluationProtocol),
                epochs: epochs,
                evaluations: evaluations,
                seeds: seeds,
                precision: environment.precision == .bfloat16 ? .bfloat16 : .float32
            )
        }
    }

    /// Opens a dataset; its format is told by the names of its files.
    ///
    /// - Parameters:
    ///   - path: A folder of class folders, of IDX files, of CIFAR's binary files or of tar shards;
    ///     for IDX and CIFAR, `FOLDER#test` names the test part.
    ///   - part: What is added to the path of an IDX or CIFAR folder.
    /// - Returns: The images.
    /// - Throws: `RunError` or `DatasetError` if it is none of them.
    public static func open(_ path: String, part: String = "") throws -> any LabelledImages {
        let isTest = path.hasSuffix("#test") || part == "#test"
        var source = DataSource()
        source.path = path.hasSuffix("#test") ? String(path.dropLast(5)) : path
        guard FileManager.default.fileExists(atPath: source.path) else {
            throw RunError(.missingFile, "There is no folder \(source.path).")
        }
        source.format = DataSource.format(of: URL(fileURLWithPath: source.path))
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
        let options = try options(environment)
        let (train, test) = try sets(for: options.evaluationProtocol)
        return try evaluate(
            train: train,
            test: test,
            options: options,
            on: environment.device,
            checkpoint: checkpoint
        ) { event in
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
    }

    /// Measures a few epochs; nothing of them is kept.
    ///
    /// - Parameter environment: Where and how.
    /// - Returns: What `run` will need.
    /// - Throws: The errors of datasets and of `evaluate`.
    public func estimate(environment: Pipeline.Environment) throws -> RunEstimate {
        let options = try options(environment)
        let (train, test) = try sets(for: options.evaluationProtocol)
        let one = try estimateOneSeed(
            train: train,
            test: test,
            options: options,
            on: environment.device
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
            diskBytes: 0
        )
    }

    private func sets(
        for evaluationProtocol: EvaluationProtocol
    ) throws -> (train: EvaluationSet, test: EvaluationSet) {
        // The test part of an IDX folder stands beside its training part.
        func set(_ path: String, part: String) throws -> EvaluationSet {
            let files = try StandaloneEvaluation.open(path, part: part)
            return EvaluationSet(
                images: try evaluationProtocol.load(files),
                path: path,
                fingerprint: try files.fingerprint()
            )
        }
        return (try set(train, part: ""), try set(test, part: "#test"))
    }
}
