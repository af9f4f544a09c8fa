import ArgumentParser
import Experiments
import Foundation

@main
struct Distill: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "distill",
        abstract: "Distils a large labelled image dataset into a tiny surrogate.",
        discussion: """
            The surrogate, 10 to 100 images per class, is meant to train a network from scratch \
            with as little loss of accuracy as possible. The method is Minimax Diffusion (Gu et \
            al., CVPR 2024); baselines and evaluation are built in.

            Start with:  distill run Recipes/fashion-mnist-demo.yaml
            """,
        version: Version.number,
        subcommands: [
            Run.self, Encode.self, Pretrain.self, Finetune.self, Sample.self, Baseline.self,
            Evaluate.self, Rank.self, Metrics.self, Compare.self, Export.self, MakeReport.self,
            Inspect.self, Convert.self, FetchFiles.self, Doctor.self,
        ]
    )

    /// Prints help or the version.
    private static func show(_ text: String) {
        do {
            try Failure.reporting { Output.line(text) }
        } catch {
            exit(withError: error)
        }
    }

    /// A device chosen late would be one that libtorch has forgotten; see `Device.named`.
    static func main() {
        StandardStreams.prepare()
        Interruption.unblock()
        // A limit on the size of files is then an error like a full disk.
        signal(SIGXFSZ, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if (command as? any Resumable)?.savesWhenInterrupted == true { Interruption.listen() }
            try command.run()
        } catch  where exitCode(for: error) == .success {
            show(fullMessage(for: error))
        } catch {
            exit(withError: error)
        }
    }
}
