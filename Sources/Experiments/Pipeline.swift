import Checkpoints
import Datasets
import Diffusion
import Distillation
import Evaluation
import Foundation
import Models
import NeuralNetworks
import Torch
import Training

/// The stages of a run.
///
/// Each one is skipped when its result is there, and resumed where it was interrupted.
public final class Pipeline {
    /// Where and how a run is computed.
    public struct Environment {
        /// Where the work runs.
        public var device: Device
        /// `bfloat16` for autocast, or nil for float32 throughout.
        public var precision: DType?
        /// Whether only deterministic algorithms are allowed.
        public var isDeterministic: Bool
        /// The command line, for the provenance.
        public var arguments: [String]
        /// Whether the run is to save its state and stop.
        public var isInterrupted: () -> Bool

        /// Describes an environment.
        public init(
            device: Device = .cpu,
            precision: DType? = nil,
            isDeterministic: Bool = false,
            arguments: [String] = [],
            isInterrupted: @escaping () -> Bool = { Interruption.isRequested }
        ) {
            self.device = device
            self.precision = precision
            self.isDeterministic = isDeterministic
            self.arguments = arguments
            self.isInterrupted = isInterrupted
        }
    }

    let recipe: Recipe
    let folder: RunFolder
    let environment: Environment
    let observer: any RunObserver
    let metrics: MetricsLog
    private var loadedData: RunData?
    /// Opens the real images in the place of this pipeline, for several that share them.
    var openData: (() throws -> RunData)?
    var loadedTeacher: Teacher?
    /// What K-Center and herding measure distances in, [N, F].
    var loadedFeatures: Tensor?

    var device: Device { environment.device }
    var seed: UInt64 { UInt64(recipe.seed) }

    /// Opens the run folder.
    ///
    /// - Parameters:
    ///   - recipe: What is computed.
    ///   - url: The run folder.
    ///   - environment: Where and how.
    ///   - observer: Hears of the progress.
    /// - Throws: `RunError` if the folder belongs to another recipe or is in use.
    public init(
        _ recipe: Recipe,
        in url: URL,
        environment: Environment,
        observer: any RunObserver
    ) throws {
        self.recipe = recipe
        self.environment = environment
        self.observer = observer
        folder = try RunFolder(url, for: recipe)
        metrics = try MetricsLog(folder)
        if let old = try folder.read(json: "provenance.json", as: Provenance.self) { resume(old) }
    }

    /// The same number of threads gives the same numbers, and so does the same precision, which is
    /// not changed behind anyone's back.
    private func resume(_ old: Provenance) {
        if Engine.threadCount != old.threads, (1...1024).contains(old.threads) {
            observer.note("threads: \(old.threads), as when the run began")
            Engine.threadCount = old.threads
        }
        let now = (precision: precisionName, device: "\(device)")
        if (old.precision, old.device) != (now.precision, now.device) {
            observer.warn(
                "This run began in \(old.precision) on \(old.device) and goes on in "
                    + "\(now.precision) on \(now.device): its numbers are those of neither."
            )
        }
    }

    private var precisionName: String { "\(environment.precision ?? .float32)" }

    /// The real images; loaded when they are first needed.
    func data() throws -> RunData {
        if let loadedData { return loadedData }
        let data = try openData?() ?? RunData(recipe.data)
        try use(data)
        return data
    }

    /// Takes images that another run of the same data has loaded.
    func use(_ data: RunData) throws {
        loadedData = data
        guard let old = try folder.read(json: "provenance.json", as: Provenance.self) else {
            return try writeProvenance(data)
        }
        for record in data.records {
            guard let before = old.datasets.first(where: { $0.role == record.role }),
                before.fingerprint != record.fingerprint
            else { continue }
            observer.warn(
                "The images of \(record.role), \(record.path), are not those that the run "
                    + "\(folder.url.path) began with (\(before.images) then, \(record.images) now): "
                    + "what it has made of those stays."
            )
        }
    }

    private func writeProvenance(_ data: RunData) throws {
        let provenance = Provenance(
            version: Version.number,
            commit: Version.commit,
            libtorch: Engine.version,
            device: "\(device)",
            cpuCapability: Engine.cpuCapability,
            threads: Engine.threadCount,
            precision: precisionName,
            datasets: data.records,
            seeds: [recipe.seed] + recipe.evaluate.seeds,
            arguments: environment.arguments,
            startedAt: ISO8601DateFormatter().string(from: Date())
        )
        try folder.write(json: provenance, to: "provenance.json")
    }

    /// The whole pipeline: fine-tune, sample, baselines, evaluate; first of all pre-train, if the
    /// recipe says so.
    public func run() throws {
        try requireKnown(recipe.baselines)
        _ = try requestedCounts()
        try requireEvaluation()
        if !pretrainsHere { try requireWeights() }
        try requireImages(for: recipe.baselines)
        try requireTestImages()
        if pretrainsHere { try pretrain() }
        try finetune()
        try sample()
        for method in recipe.baselines { try baseline(method) }
        try evaluate()
    }

    /// Stops here if a signal has come; whatever had to be saved is saved.
    func checkInterruption() throws {
        if environment.isInterrupted() { throw InterruptedError() }
    }
}
