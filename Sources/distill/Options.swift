import ArgumentParser
import Experiments
import Foundation
import Torch
import Training

/// Where and how a command computes.
struct ComputeOptions: ParsableArguments {
    @Option(help: "cpu, cuda, cuda:N, mps or auto (the best there is).")
    var device = "auto"

    @Option(
        help: """
            float32 reproduces the reference's numbers; bfloat16 is faster where the hardware \
            multiplies it; auto chooses.
            """
    )
    var precision = PrecisionChoice.auto

    @Option(help: "Threads of an operation on the CPU (default: one a core).")
    var threads: Int?

    @Flag(
        help: """
            Only deterministic algorithms: on CUDA, too, a resumed run then equals an \
            uninterrupted one bit for bit. On the CPU that is always so.
            """
    )
    var deterministic = false

    enum PrecisionChoice: String, ExpressibleByArgument, CaseIterable {
        case float32, bfloat16, auto
    }

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads must be at least 1.") }
    }

    /// Chooses the device before anything else is asked of libtorch.
    func environment() throws -> Pipeline.Environment {
        // cuBLAS reads this when it starts.
        if deterministic { setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0) }
        let device = try Device.named(device)
        if deterministic { Engine.useDeterministicAlgorithms(true) }
        Engine.keepFreedMemory()
        if let threads { Engine.threadCount = threads }
        let precision: DType? =
            switch precision {
            case .float32: nil
            case .bfloat16: .bfloat16
            case .auto: Precision.automatic(on: device).autocastType
            }
        return Pipeline.Environment(
            device: device,
            precision: precision,
            arguments: CommandLine.arguments
        )
    }
}

/// How many images are kept in memory.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: """
            Gigabytes of images kept in memory; larger sets are read from their files in every \
            epoch (default: an eighth of the machine's memory).
            """
    )
    var memory: Double?

    /// The same in bytes; nil: the default.
    var bytes: Int? { memory.map { Int($0 * 1e9) } }

    func validate() throws {
        if let memory, !(0...1e6).contains(memory) {
            throw ValidationError("--memory is in gigabytes: expected 0 to 1000000.")
        }
    }
}

/// What a command tells while it works.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object on standard output as the last line.")
    var json = false

    @Flag(name: [.long, .short], help: "Tell more on standard error.")
    var verbose = false

    @Flag(name: [.long, .short], help: "Tell only warnings and errors on standard error.")
    var quiet = false
}

/// The recipe of a run and the folder it works in.
struct RunOptions: ParsableArguments {
    @Argument(help: "A recipe (YAML); see Recipes/.", completion: .file(extensions: ["yaml"]))
    var recipe: String

    @Option(
        name: .customLong("set"),
        parsing: .singleValue,
        help: "Overrides a setting: --set finetune.minimax.steps=200 (repeatable)."
    )
    var overrides: [String] = []

    @Option(help: "Seed of everything that is drawn, 0 or larger (default: the recipe's).")
    var seed: Int?

    @Option(name: [.long, .short], help: "The run folder (default: Runs/<name of the recipe>).")
    var output: String?

    @Flag(help: "Start anew in a folder beside an existing run.")
    var fresh = false

    @Flag(help: "Only estimate time, memory and disk, from a few steps that are not kept.")
    var dryRun = false

    func resolve() throws -> (recipe: Recipe, folder: URL) {
        let url = InstalledFiles.url(recipe)
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw Failure(66, "There is no recipe \(url.path).")
        }
        let overrides = overrides + (seed.map { ["seed=\($0)"] } ?? [])
        let resolved = try Recipe.read(url, overrides: overrides)
        if dryRun {
            let name = "distill-dry-run-\(UUID().uuidString)"
            return (resolved, FileManager.default.temporaryDirectory.appendingPathComponent(name))
        }
        let folder = URL(fileURLWithPath: output ?? "Runs/\(resolved.name)", isDirectory: true)
        return (resolved, fresh ? RunOptions.unused(folder) : folder)
    }

    /// The first of NAME, NAME-2, NAME-3 … that does not exist.
    private static func unused(_ folder: URL) -> URL {
        var candidate = folder
        var number = 2
        while FileManager.default.fileExists(atPath: candidate.path) {
            candidate = folder.deletingLastPathComponent()
                .appendingPathComponent("\(folder.lastPathComponent)-\(number)")
            number += 1
        }
        return candidate
    }
}
