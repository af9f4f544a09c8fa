import ArgumentParser
import Experiments
import Foundation
import Training

/// The command `distill metrics`.
struct Metrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares a surrogate with the real images without training: distance, "
            + "coverage, near copies.",
        discussion: """
            Computes Fréchet distance, precision, recall, density and coverage in a feature \
            space, and finds for every surrogate image the nearest real one of its class. Classes \
            of the two folders are matched by name. FOLDER#fastai is fastai's ImageWoof or \
            ImageNette in ImageNet's split. Networks compute in float32 unless --precision \
            bfloat16 is given. Documentation/metrics.md explains what each number tells, and what \
            it does not.
            """
    )

    @Option(help: "The surrogate images: a folder of class folders, or any other dataset.")
    var surrogate: String

    @Option(help: "The real images that the surrogate stands for, usually the training set.")
    var real: String

    @Option(
        help: """
            The features by which images are compared: pixels (at most 32×32), pixels-SIZE \
            (SIZE×SIZE), efficientnet-lite0, or the file of a trained network (also torchvision's \
            ResNet-50 and MobileNetV2).
            """
    )
    var features = "pixels"

    @Option(help: "The number of neighbours k for precision, recall, density and coverage.")
    var neighbours = 5

    @Flag(help: "Only estimate time and memory, from the features of a few images.")
    var dryRun = false

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try Failure.reporting {
            let environment = try compute.environment()
            let metrics = StandaloneMetrics(
                surrogate: surrogate,
                real: real,
                features: features,
                neighbours: neighbours,
                // Features of near copies must not differ by the rounding of bfloat16 unless that
                // is asked for.
                precision: compute.precision == .bfloat16 ? .bfloat16 : .float32
            )
            if dryRun {
                let estimate = try metrics.estimate(environment: environment)
                if output.json { try Output.json(estimate) } else { Output.line(estimate.text) }
                return
            }
            let result = try metrics.run(environment: environment, observer: Terminal(output))
            if output.json { try Output.json(result) } else { Output.line(result.text) }
        }
    }
}
