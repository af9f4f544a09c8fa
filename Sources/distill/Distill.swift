import ArgumentParser
import Experiments
import Foundation

@main
struct Distill: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "distill",
        abstract: "Makes a tiny surrogate of a large labelled image dataset.",
        discussion: """
            A network trained from scratch on the surrogate (10 to 100 images a class) does \
            almost as well as one trained on the whole dataset. The method is Minimax Diffusion \
            (Gu et al., CVPR 2024); the methods it is compared with and the evaluation are built \
            in.

            Start with:  distill run Recipes/fashion-mnist-demo.yaml
            """,
        version: Version.number,
        subcommands: [
            Run.self, Encode.self, Pretrain.self, Finetune.self, Sample.self, Baseline.self,
            Evaluate.self, Rank.self, Metrics.self, Compare.self, Export.self, MakeReport.self,
            Inspect.self, Convert.self, FetchFiles.self, Doctor.self,
        ]
    )

    /// A device chosen late would be one that libtorch has forgotten; see `Device.named`.
    static func main() {
        Interruption.listen()
        // A limit on the size of files is then an error like a full disk.
        signal(SIGXFSZ, SIG_IGN)
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            exit(withError: error)
        }
    }
}
