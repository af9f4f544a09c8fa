import ArgumentParser
import Experiments
import Foundation
import Torch
import Training

/// Where and how a command computes.
struct ComputeOptions: ParsableArguments {
    @Option(help: "The device: cpu, cuda, cuda:N, mps or auto (the best available).")
    var device = "auto"

    @Option(
        help: """
            float32 reproduces the reference's numbers; bfloat16 is faster on hardware with \
            native support; auto chooses by device.
            """
    )
    var precision = PrecisionChoice.auto

    @Option(help: "CPU threads, at most 1024 (default: one per core).")
    var threads: Int?

    @Flag(
        help: """
            Use only deterministic algorithms, so that on CUDA, too, a resumed run equals an \
            uninterrupted one bit for bit (refused for methods that have none). On the CPU this is \
            always the case.
            """
    )
    var deterministic = false

    enum PrecisionChoice: String, ExpressibleByArgument, CaseIterable {
        case float32, bfloat16, auto
    }

    func validate() throws {
        // Every thread takes memory; with very many of them libtorch crashes.
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads): it must be between 1 and 1024.")
        }
    }

    /// The device that was asked for; the processor where the best one cannot be used.
    private func chosenDevice() throws -> Device {
        guard device == "auto" else { return try Device.named(device) }
        do {
            return try Device.named(device)
        } catch {
            Terminal.write("Warning: \(error) The work goes on on the processor.\n")
            return .cpu
        }
    }

    /// Chooses the device before anything else is asked of libtorch.
    func environment() throws -> Pipeline.Environment {
        // cuBLAS reads this when it starts.
        if deterministic { setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0) }
        let device = try chosenDevice()
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
            isDeterministic: deterministic,
            arguments: CommandLine.arguments
        )
    }
}

/// How many images are kept in memory.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: """
            Gigabytes of images to keep in memory; larger sets are read from their files in \
            every epoch (default: one eighth of the machine's memory).
            """
    )
    var memory: Double?

    /// The same in bytes; nil: the default.
    var bytes: Int? { memory.map { Int($0 * 1e9) } }

    func validate() throws {
        if let memory, !(0...1e6).contains(memory) {
            throw ValidationError("--memory is in gigabytes and must be between 0 and 1000000.")
        }
    }
}

/// What a command tells while it works.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object as the last line of standard output.")
    var json = false

    @Flag(name: [.long, .short], help: "Print more detail to standard error.")
    var verbose = false

    @Flag(name: [.long, .short], help: "Print only warnings and errors to standard error.")
    var quiet = false
}

/// The recipe of a run and the folder it works in.
struct RunOptions: ParsableArguments {
    @Argument(help: "A recipe (YAML); see Recipes/.", completion: .file(extensions: ["yaml"]))
    var recipe: String

    @Option(
        name: .customLong("set"),
        parsing: .singleValue,
        help: "Override a setting, e.g. --set finetune.minimax.steps=200 (repeatable)."
    )
    var overrides: [String] = []

    @Option(help: "Random seed, 0 or larger (default: the recipe's).")
    var seed: Int?

    @Option(name: [.long, .short], help: "The run folder (default: Runs/<recipe name>).")
    var output: String?

    @Flag(help: "Start a new run, in a new folder beside any existing one.")
    var fresh = false

    @Flag(help: "Only estimate time, memory and disk space, from a few steps that are not kept.")
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
