import ArgumentParser
import Experiments
import Foundation

/// The command `distill rank`.
struct Rank: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures how much of a surrogate's accuracy is due to its images: the scores of "
            + "DD-Ranking.",
        discussion: """
            Trains networks on the surrogate, on as many random real images and on all real \
            images, with hard labels, under the surrogate's own protocol and without \
            augmentation, and computes HLR, IOR, LRS and ARS from them. Finished training runs \
            are kept in the --output folder: after an interruption the same command continues, \
            and another surrogate of the same images is ranked without training on all of them \
            again. Documentation/metrics.md explains what each score means.
            """
    )

    @Option(help: "The surrogate images: a folder of class folders, or any other dataset.")
    var surrogate: String

    @Option(help: "The real training images that the surrogate stands for.")
    var real: String

    @Option(help: "The test images.")
    var test: String

    @Option(help: "The network; see `distill evaluate --help`.")
    var network = "convnet-3"

    @Option(
        name: .customLong("protocol"),
        help: "The protocol for training with hard labels; see `distill evaluate --help`."
    )
    var hardProtocol = "gu-hard-28"

    @Option(
        help: """
            The protocol that the surrogate is meant for, such as rded-soft-300; used for IOR and \
            ARS (default: that of --protocol).
            """
    )
    var ownProtocol: String?

    @Option(help: "Training epochs on all real images (default: the protocol's).")
    var realEpochs: Int?

    @Option(help: "File of the network that labels the images, if --own-protocol has soft labels.")
    var teacher: String?

    @Option(help: "The architecture of a teacher that was not made by `distill evaluate --save`.")
    var teacherNetwork: String?

    @Option(
        name: [.long, .customLong("seed")],
        parsing: .upToNextOption,
        help: """
            Random seeds; for each, one network of every kind is trained and random images are \
            drawn.
            """
    )
    var seeds: [Int] = [0, 1, 2, 3, 4]

    @Option(help: "The weight w of LRS and γ of ARS, from 0 to 1.")
    var weight = 0.5

    @OptionGroup var images: MemoryOptions

    @Option(name: [.long, .short], help: "The folder in which training runs and scores are kept.")
    var output: String

    @Flag(help: "Only estimate time and memory, from a few epochs that are not kept.")
    var dryRun = false

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var printing: OutputOptions

    func validate() throws {
        guard (0...1).contains(weight) else {
            throw ValidationError("--weight must be between 0 and 1.")
        }
        guard !seeds.isEmpty, Set(seeds).count == seeds.count, seeds.allSatisfy({ $0 >= 0 }) else {
            throw ValidationError("--seeds must be one or more distinct numbers, 0 or larger.")
        }
        if let realEpochs, realEpochs < 1 {
            throw ValidationError("--real-epochs must be at least 1.")
        }
    }

    func run() throws {
        try Failure.reporting {
            let environment = try compute.environment()
            let ranking = StandaloneRanking(settings)
            if dryRun {
                let estimate = try ranking.estimate(environment: environment)
                if printing.json { try Output.json(estimate) } else { Output.line(estimate.text) }
                return
            }
            let result = try ranking.run(environment: environment, observer: Terminal(printing))
            if printing.json { try Output.json(result) } else { Output.line(result.text) }
        }
    }

    private var settings: StandaloneRanking.Settings {
        var settings = StandaloneRanking.Settings()
        settings.surrogate = surrogate
        settings.real = real
        settings.test = test
        settings.network = network
        settings.hardProtocol = hardProtocol
        settings.ownProtocol = ownProtocol
        settings.realEpochs = realEpochs
        settings.teacher = teacher
        settings.teacherNetwork = teacherNetwork
        settings.seeds = seeds
        settings.weight = weight
        settings.memory = images.bytes
        settings.output = output
        return settings
    }
}
