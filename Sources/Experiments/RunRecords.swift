import Evaluation
import Foundation
import Torch

/// What a stage of a run cost.
public struct StageCost: Codable, Sendable, Equatable {
    /// For example `finetune`, `sample`, `evaluate minimax convnet-3`.
    public let stage: String
    /// Wall time, interruptions left out.
    public var seconds: Double
    /// Largest resident memory, or largest memory of the GPU.
    public var peakMemoryBytes: Int
    /// Where it ran.
    public let device: String
    /// Number of values that were optimised: of images, latents or trained weights; nil for stages that
    /// optimise none.
    public var optimizedValues: Int?
    /// How far pixels have moved from the images that the method began with: the mean of |x − y|,
    /// in units of 0 to 1; nil for stages that optimise no images.
    public var meanChange: Double?
}

/// `results.json`: accuracies and costs.
public struct RunResults: Codable, Sendable, Equatable {
    /// One entry for each method, network and protocol.
    public var results: [EvaluationResult] = []
    /// One entry a stage.
    public var costs: [StageCost] = []

    /// Nothing measured.
    public init() {}

    /// Adds what a part of a stage cost to what it cost before.
    mutating func add(_ cost: StageCost) {
        guard let place = costs.firstIndex(where: { $0.stage == cost.stage }) else {
            costs.append(cost)
            return
        }
        costs[place].seconds += cost.seconds
        costs[place].peakMemoryBytes = max(costs[place].peakMemoryBytes, cost.peakMemoryBytes)
        if let count = cost.optimizedValues { costs[place].optimizedValues = count }
        if let change = cost.meanChange { costs[place].meanChange = change }
    }
}

/// Measures a stage and books its costs in `results.json`.
struct Stopwatch {
    private let stage: String
    private let folder: RunFolder
    private let device: Device
    private var replaces: Bool
    private var last = ContinuousClock.now

    /// Begins to measure.
    ///
    /// - Parameters:
    ///   - stage: What is measured.
    ///   - folder: Where it is booked.
    ///   - device: Where it runs.
    ///   - isNew: Whether nothing is left of an earlier attempt, whose costs do not count then.
    init(_ stage: String, in folder: RunFolder, on device: Device, isNew: Bool = false) {
        self.stage = stage
        self.folder = folder
        self.device = device
        replaces = isNew
        Memory.resetPeak(on: device)
    }

    /// Books the time since the last booking, so that an interruption loses little of it.
    ///
    /// - Parameters:
    ///   - optimizedValues: Number of values that were optimised, when that is done.
    ///   - meanChange: How far pixels have moved then.
    /// - Throws: `RunError` if `results.json` cannot be read or written.
    mutating func book(optimizedValues: Int? = nil, meanChange: Double? = nil) throws {
        let now = ContinuousClock.now
        var results = try folder.read(json: "results.json", as: RunResults.self) ?? RunResults()
        if replaces { results.costs.removeAll { $0.stage == stage } }
        replaces = false
        results.add(
            StageCost(
                stage: stage,
                seconds: (now - last) / .seconds(1),
                peakMemoryBytes: Memory.peakBytes(on: device),
                device: "\(device)",
                optimizedValues: optimizedValues,
                meanChange: meanChange
            )
        )
        try folder.write(json: results, to: "results.json")
        last = now
    }
}

/// `metrics.jsonl`: one JSON object a logged step.
///
/// After a resume a step may stand there twice; the last one counts.
struct MetricsLog {
    private let file: FileHandle
    private let path: String

    init(_ folder: RunFolder) throws {
        let url = folder.path("metrics.jsonl")
        path = url.path
        if !FileManager.default.fileExists(atPath: url.path) {
            guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
                throw RunError(.unusable, "\(url.path) cannot be written.")
            }
        }
        file = try FileHandle(forUpdating: url)
        // A line that was cut off when the process was killed is ended first.
        let end = try file.seekToEnd()
        if end > 0 {
            try file.seek(toOffset: end - 1)
            let last = try file.read(upToCount: 1)
            if last != Data("\n".utf8) {
                try file.truncate(atOffset: MetricsLog.lineStart(file, end))
            }
        }
    }

    /// Where the last, incomplete line begins.
    private static func lineStart(_ file: FileHandle, _ end: UInt64) -> UInt64 {
        try? file.seek(toOffset: 0)
        let data = (try? file.readToEnd()) ?? Data()
        return UInt64(data.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)
    }

    /// Appends a line.
    func log(stage: String, _ values: [String: Double], text: [String: String] = [:]) throws {
        var object: [String: Any] = ["stage": stage]
        for (key, value) in values where value.isFinite {
            object[key] = value == value.rounded() && abs(value) < 1e15 ? Int(value) : value
        }
        for (key, value) in text { object[key] = value }
        let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])
        do {
            try file.write(contentsOf: data + Data("\n".utf8))
        } catch {
            throw RunError(
                .unusable,
                "\(path) cannot be written (\(error.systemReason)). Make room, or move the "
                    + "run folder, and run the same command again: the last checkpoint is whole."
            )
        }
    }
}

/// `provenance.json`: what produced the numbers of a run.
public struct Provenance: Codable, Sendable {
    /// Version of this package.
    public var version: String
    /// Commit of the checkout the program was built in, or "unknown".
    public var commit: String
    /// Version of libtorch.
    public var libtorch: String
    /// Where the run was started.
    public var device: String
    /// The processor's vector instructions that libtorch uses.
    public var cpuCapability: String
    /// Number of threads; a resumed run uses the same, so that its numbers are the same.
    public var threads: Int
    /// Precision of matrix products.
    public var precision: String
    /// The datasets with their fingerprints.
    public var datasets: [DatasetRecord]
    /// Seeds of the run and of the evaluations.
    public var seeds: [Int]
    /// The command line.
    public var arguments: [String]
    /// When the run was started, ISO 8601.
    public var startedAt: String

    /// A dataset that was used.
    public struct DatasetRecord: Codable, Sendable {
        /// What it was used for.
        public var role: String
        /// Where it was.
        public var path: String
        /// A digest of names, labels and contents.
        public var fingerprint: String
        /// Number of images.
        public var images: Int
    }
}

/// The version of this package.
public enum Version {
    /// Semantic version.
    public static let number = "0.1.0"

    /// The commit of a branch, which has a file of its own or a line in `packed-refs`.
    private static func commit(of reference: String, in git: URL) -> String? {
        let file = git.appendingPathComponent(reference)
        if let text = try? String(contentsOf: file, encoding: .utf8) {
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let packed = git.appendingPathComponent("packed-refs")
        return (try? String(contentsOf: packed, encoding: .utf8))?.split(separator: "\n")
            .first { $0.hasSuffix(" \(reference)") }?
            .split(separator: " ").first.map(String.init)
    }

    /// The commit that the checkout is at which the executable lies in, or that it was installed from;
    /// "unknown" if neither is known.
    public static var commit: String {
        [checkedOutCommit, installedCommit].compactMap(\.self).first { !$0.isEmpty } ?? "unknown"
    }

    /// What `make install` wrote down.
    private static var installedCommit: String? {
        let file = InstalledFiles.url("Resources/installed-commit.txt")
        return (try? String(contentsOf: file, encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static var checkedOutCommit: String? {
        InstalledFiles.checkout.flatMap(commit(ofCheckout:))
    }

    /// The commit that a checkout is at, or one of its worktrees; nil for sources without a history.
    package static func commit(ofCheckout folder: URL) -> String? {
        var git = folder.appendingPathComponent(".git")
        var common = git
        // A worktree has a file instead of the folder, and its branches are the main checkout's.
        if let link = try? String(contentsOf: git, encoding: .utf8), link.hasPrefix("gitdir: ") {
            let path = link.dropFirst(8).trimmingCharacters(in: .whitespacesAndNewlines)
            git = URL(fileURLWithPath: path, relativeTo: folder)
            let shared = try? String(
                contentsOf: git.appendingPathComponent("commondir"),
                encoding: .utf8
            )
            common = URL(
                fileURLWithPath: (shared ?? ".").trimmingCharacters(in: .whitespacesAndNewlines),
                relativeTo: URL(fileURLWithPath: git.path, isDirectory: true)
            )
        }
        let head = git.appendingPathComponent("HEAD")
        guard let line = try? String(contentsOf: head, encoding: .utf8) else { return nil }
        let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
        return text.hasPrefix("ref: ") ? commit(of: String(text.dropFirst(5)), in: common) : text
    }
}
