import ArgumentParser
import Evaluation
import Experiments
import Foundation
import Training

/// The command `distill evaluate`.
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trains networks from scratch on a folder of images and reports their accuracy.",
        discussion: """
            Classes of the two folders are matched by name. A folder holds one folder a class, or \
            the four files of MNIST and its relatives.
            """
    )

    @Option(help: "The training images: a folder of class folders, or an IDX folder.")
    var train: String

    @Option(help: "The test images.")
    var test: String

    @Option(
        help: "The network: convnet-DEPTH (3 for 28 pixels, 6 for 256), resnet-ap-10, resnet-18."
    )
    var network = "convnet-3"

    @Option(
        name: .customLong("protocol"),
        help: """
            The protocol: gu-hard-28 for grey images of 28×28 pixels; for photographs, which are \
            resized, gu-hard-224 as published, or the same at another size: gu-hard-64, \
            gu-hard-128, gu-hard-256.
            """
    )
    var evaluationProtocol = "gu-hard-28"

    @Option(help: "Epochs of training (default: by images per class, as published).")
    var epochs: Int?

    @Option(help: "How often the test set is looked at; published: 100.")
    var evaluations = 100

    @Option(parsing: .upToNextOption, help: "One network is trained for each seed.")
    var seeds: [Int] = [0, 1, 2]

    @Option(help: "What made the training images; only recorded.")
    var method = "unknown"

    @Option(help: "File in which an unfinished evaluation is kept, so that it can be resumed.")
    var checkpoint: String?

    @Flag(help: "Only estimate time and memory, from a few epochs that are not kept.")
    var dryRun = false

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try Failure.reporting {
            let environment = try compute.environment()
            let terminal = Terminal(output)
            let evaluation = StandaloneEvaluation(
                train: train,
                test: test,
                method: method,
                network: network,
                evaluationProtocol: evaluationProtocol,
                epochs: epochs,
                evaluations: evaluations,
                seeds: seeds,
                checkpoint: checkpoint.map { URL(fileURLWithPath: $0) }
            )
            if dryRun {
                let estimate = try evaluation.estimate(environment: environment)
                if output.json { try Output.json(estimate) } else { Output.line(estimate.text) }
                return
            }
            let result = try evaluation.run(environment: environment, observer: terminal)
            if output.json {
                try Output.json(result)
            } else {
                var results = RunResults()
                results.results = [result]
                Output.line(results.table)
            }
        }
    }
}
