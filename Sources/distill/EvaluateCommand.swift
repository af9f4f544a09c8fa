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
            Classes of the two folders are matched by name. A folder holds one folder per class, \
            tar shards, or the files of MNIST, its relatives or CIFAR. FOLDER#fastai is fastai's \
            ImageWoof or ImageNette, with the images of ImageNet's training set for --train and \
            of its validation set for --test.
            """
    )

    @Option(help: "The training images: a folder of class folders, or an IDX folder.")
    var train: String

    @Option(help: "The test images.")
    var test: String

    @Option(
        help: """
            The network: convnet-DEPTH (3 for 28 pixels, 6 for 224), resnet-ap-10, -18 or -34, \
            resnet-10, -18, -34 or -50, mobilenet-v2, efficientnet-lite0; with variants such as \
            convnet-3-w64-batchnorm.
            """
    )
    var network = "convnet-3"

    @Option(
        name: .customLong("protocol"),
        help: """
            The protocol: gu-hard-28 for greyscale images of 28×28 pixels; for photographs, which \
            are resized, gu-hard-224 as published, or the same at another size: gu-hard-64, \
            gu-hard-128, gu-hard-256; with a teacher's soft labels, rded-soft-300 or fkd-300; \
            dm-dsa-28 and dm-dsa-32. Variations: +size=, +epochs=, +batch=, +temperature=, \
            +patches=, +augmentation=none.
            """
    )
    var evaluationProtocol = "gu-hard-28"

    @Option(help: "Training epochs (default: by images per class, as published).")
    var epochs: Int?

    @Option(help: "How many times to evaluate on the test set; published: 100.")
    var evaluations = 100

    @Option(
        help: """
            The epoch to report: last; best, chosen on the test set, as published; holdout, \
            chosen on a held-out fifth of the training images.
            """
    )
    var select = EvaluationOptions.Selection.last

    @Option(help: "Train on this many images per class (default: all).")
    var imagesPerClass: Int?

    @Option(
        help: """
            How to choose these images: random, by --choose-seed, or first, the first in string \
            order of their files, as in the published experiments.
            """
    )
    var choose = ImageChoice.random

    @Option(help: "The seed of the random choice; a different seed gives different images.")
    var chooseSeed: UInt64 = 0

    @Option(
        name: [.long, .customLong("seed")],
        parsing: .upToNextOption,
        help: "Random seeds; one network is trained for each."
    )
    var seeds: [Int] = [0, 1, 2]

    @Option(help: "The method that made the training images; only recorded.")
    var method = "unknown"

    @Option(
        help: """
            File in which to save the network trained with the first seed, as a teacher or for \
            features.
            """
    )
    var save: String?

    @Option(help: "File of the network that labels the images, for protocols with soft labels.")
    var teacher: String?

    @Option(
        help: """
            The architecture of a teacher that was not made by --save, such as resnet-50 for \
            torchvision's weights.
            """
    )
    var teacherNetwork: String?

    @Option(help: "Folder in which fkd-300 keeps the teacher's scores.")
    var softLabels: String?

    @Option(
        help: """
            File in which to keep an unfinished evaluation, so that the same command continues \
            it, also with more seeds (default: one in the user's cache, removed at the end).
            """
    )
    var checkpoint: String?

    @Option(
        help: """
            File (JSON) to which the result is added: beside others, or merged with the same \
            measurement for other seeds.
            """
    )
    var results: String?

    @OptionGroup var images: MemoryOptions

    @Flag(help: "Only estimate time and memory, from a few epochs that are not kept.")
    var dryRun = false

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let imagesPerClass, imagesPerClass < 1 {
            throw ValidationError("--images-per-class must be at least 1.")
        }
    }

    func run() throws {
        try Failure.reporting {
            try WritableFile.require(save, for: "--save")
            try WritableFile.require(checkpoint, for: "--checkpoint")
            try WritableFile.require(results, for: "--results")
            let environment = try compute.environment()
            let terminal = Terminal(output)
            let evaluation = StandaloneEvaluation(settings)
            if dryRun {
                let estimate = try evaluation.estimate(environment: environment)
                if output.json { try Output.json(estimate) } else { Output.line(estimate.text) }
                return
            }
            let result = try evaluation.run(environment: environment, observer: terminal)
            if output.json {
                try Output.json(result)
            } else {
                var all = RunResults()
                all.merge(result)
                if let results { all = try RunResults.read(URL(fileURLWithPath: results)) }
                let merged = all.results.first {
                    $0.isSameMeasurement(as: result) && Set(result.seeds).isSubset(of: $0.seeds)
                }
                Output.line(all.table)
                Output.line((merged ?? result).conditions)
            }
        }
    }

    private var settings: StandaloneEvaluation.Settings {
        var settings = StandaloneEvaluation.Settings()
        settings.train = train
        settings.test = test
        settings.method = method
        settings.network = network
        settings.evaluationProtocol = evaluationProtocol
        settings.epochs = epochs
        settings.evaluations = evaluations
        settings.selection = select
        settings.imagesPerClass = imagesPerClass
        settings.choice = choose
        settings.choiceSeed = chooseSeed
        settings.seeds = seeds
        settings.teacher = teacher
        settings.teacherNetwork = teacherNetwork
        settings.softLabels = softLabels
        settings.savedNetwork = save
        settings.checkpoint = checkpoint
        settings.results = results
        settings.memory = images.bytes
        return settings
    }
}

extension EvaluationOptions.Selection: ExpressibleByArgument {}
extension ImageChoice: ExpressibleByArgument {}
