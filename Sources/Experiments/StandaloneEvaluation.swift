import Datasets
import Evaluation
import Foundation
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

    /// Opens a folder of class folders, or an IDX folder.
    ///
    /// - Parameter path: The folder; for IDX, `FOLDER#test` names the test part.
    /// - Returns: The images.
    /// - Throws: `DatasetError` if it is neither.
    public static func open(_ path: String) throws -> any LabelledImages {
        let isTest = path.hasSuffix("#test")
        let folder = URL(
            fileURLWithPath: isTest ? String(path.dropLast(5)) : path,
            isDirectory: true
        )
        guard FileManager.default.fileExists(atPath: folder.path) else {
            throw RunError(.missingFile, "There is no folder \(folder.path).")
        }
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        if files.contains(where: { $0.contains("-idx3-ubyte") }) {
            return try IDXDataset(folder: folder, split: isTest ? .test : .train)
        }
        return try ImageFolder(folder)
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
        // The test part of an IDX folder stands beside its training part.
        func set(_ path: String, part: String) throws -> EvaluationSet {
            let plain = try? StandaloneEvaluation.open(path + part)
            let files = try plain ?? StandaloneEvaluation.open(path)
            return EvaluationSet(
                images: try RunData.load(files, DataSettings()),
                path: path,
                fingerprint: try files.fingerprint()
            )
        }
        return try evaluate(
            train: set(train, part: ""),
            test: set(test, part: "#test"),
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
}
