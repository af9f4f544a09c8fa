import ArgumentParser
import Experiments
import Foundation
import Reporting

/// What `--json` prints of a run.
private struct RunSummary: Encodable {
    let run: String
    let results: RunResults
}

/// A command that works on a run folder, or estimates what its stages will need.
private func withPipeline(
    _ run: RunOptions,
    _ compute: ComputeOptions,
    _ output: OutputOptions,
    stages: [RunStage]? = nil,
    _ body: (Pipeline, URL, Terminal) throws -> Void
) throws {
    try Failure.reporting {
        let environment = try compute.environment()
        let (recipe, folder) = try run.resolve()
        let terminal = Terminal(output)
        defer { if run.dryRun { try? FileManager.default.removeItem(at: folder) } }
        let pipeline = try Pipeline(
            recipe,
            in: folder,
            environment: environment,
            observer: terminal
        )
        if run.dryRun {
            let estimate = try pipeline.estimate(stages)
            if output.json { try Output.json(estimate) } else { Output.line(estimate.text) }
            return
        }
        do {
            try body(pipeline, folder, terminal)
        } catch  where run.fresh && Failure(error).code == 75 {
            throw Failure(
                75,
                "Interrupted. Everything up to here is saved: to go on, run the same command without "
                    + "--fresh, with --output \(folder.path)."
            )
        }
        if output.json {
            try Output.json(RunSummary(run: folder.path, results: try pipeline.results()))
        }
    }
}

/// The command `distill run`.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the whole pipeline: fine-tune, sample, baselines, evaluate, report.",
        discussion: """
            Finished stages are skipped and an interrupted one is resumed: the same command \
            continues where it stopped, with the same result.
            """
    )

    @OptionGroup var options: RunOptions
    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try withPipeline(options, compute, output) { pipeline, folder, _ in
            try pipeline.run()
            try pipeline.findNeighbours(of: Report(run: folder).comparedImages())
            let report = try Report(run: folder).write()
            try Failure.requireNoInterruption()
            if !output.json {
                Output.line(try pipeline.results().table)
                Output.line("Report: \(report.path)")
            }
        }
    }
}

/// The command `distill encode`.
struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encodes the training set into latents, once.",
        discussion: """
            The result is <run folder>/latents/: the mean and deviation of the latents of every \
            image and of its mirror image, from which training samples. Other commands encode any \
            missing latents themselves. After an interruption, the same command continues where it \
            stopped.
            """
    )

    @OptionGroup var options: RunOptions
    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try withPipeline(options, compute, output, stages: [.encode]) { pipeline, _, terminal in
            if let folder = try pipeline.encode() { terminal.note("Latents: \(folder.path)") }
        }
    }
}

/// The command `distill pretrain`.
struct Pretrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trains a class-conditional diffusion transformer from scratch.",
        discussion: "The result is <run folder>/checkpoints/pretrained.safetensors."
    )

    @OptionGroup var options: RunOptions
    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try withPipeline(options, compute, output, stages: [.pretrain]) { pipeline, _, terminal in
            let file = try pipeline.pretrain()
            terminal.note("Weights: \(file.path)")
        }
    }
}

/// The command `distill finetune`.
struct Finetune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fine-tunes the model with the criteria of Minimax Diffusion.",
        discussion: "The result is <run folder>/checkpoints/finetuned.safetensors."
    )

    @OptionGroup var options: RunOptions
    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try withPipeline(options, compute, output, stages: [.finetune]) { pipeline, _, _ in
            try pipeline.finetune()
        }
    }
}

/// The command `distill sample`.
struct Sample: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Samples the surrogate dataset from the fine-tuned model.",
        discussion: """
            Fine-tunes the model first if that has not been done. The result is <run \
            folder>/surrogate/, which torchvision's ImageFolder and Hugging Face's imagefolder can \
            load.
            """
    )

    @OptionGroup var options: RunOptions
    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try withPipeline(
            options,
            compute,
            output,
            stages: [.finetune, .sample]
        ) { pipeline, _, _ in
            try pipeline.finetune()
            try pipeline.sample()
        }
    }
}

/// The command `distill baseline`.
struct Baseline: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a surrogate dataset with a baseline method.",
        discussion: """
            Selected real images: random, drawn by the seed; k-center, far from one another; \
            herding, with a mean near that of their class. Samples from a model: dit, the \
            pre-trained model as it is, or fine-tuned with the diffusion loss alone. Optimised \
            images: dm, by distribution matching; idc-1 and idc, by gradient matching, with one \
            or several images stored in each; glad, by optimising latents of the autoencoder. The \
            result is <run folder>/baselines/<method>/.
            """
    )

    @Argument(help: "The baseline method.")
    var method: BaselineMethod

    @OptionGroup var options: RunOptions
    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try withPipeline(
            options,
            compute,
            output,
            stages: [.baseline(method.rawValue)]
        ) { pipeline, _, _ in
            try pipeline.baseline(method.rawValue)
        }
    }
}

extension BaselineMethod: ExpressibleByArgument {}

/// The command `distill report`.
struct MakeReport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Rebuilds the report of a run, a comparison or a folder of runs from its files.",
        discussion: """
            For a run, it writes report.html; for a comparison, its tables, figures and \
            comparison.html; for a folder of runs, index.html, which compares them.
            """
    )

    @Argument(
        help: "The folder of a run, of a comparison or of several runs.",
        completion: .directory
    )
    var folder: String

    @OptionGroup var output: OutputOptions

    func run() throws {
        try Failure.reporting {
            let url = URL(fileURLWithPath: folder, isDirectory: true)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
                throw Failure(66, "There is no run folder \(url.path).")
            }
            guard isFolder.boolValue else {
                throw Failure(
                    66,
                    "\(url.path) is a file: name the folder of a run, of a comparison or of several "
                        + "runs."
                )
            }
            let report = try page(url)
            if output.json {
                try Output.json(["report": report.path])
            } else {
                Output.line(report.path)
            }
        }
    }

    private func page(_ url: URL) throws -> URL {
        try Comparison.gather(url, observer: Terminal(output))
        if ComparisonReport.isComparison(url) {
            let published = try ComparisonReport.publishedDataset(url).map {
                try PublishedNumbers(
                    contentsOf: InstalledFiles.url("Resources/published.csv"),
                    dataset: $0
                )
            }
            return try Comparison.exclusively(in: url, observer: Terminal(output)) {
                try ComparisonReport(comparison: url, published: published).write()
            }
        }
        if !RunIndex.isRun(url), let index = RunIndex(folder: url) { return try index.write() }
        return try Report(run: url).write()
    }
}
