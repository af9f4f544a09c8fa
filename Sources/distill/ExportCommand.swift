import ArgumentParser
import Experiments
import Foundation

extension SurrogateExport.Format: ExpressibleByArgument {}

/// The command `distill export`.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Exports a surrogate dataset for use in other programs.",
        discussion: """
            imagefolder: one folder per class, for torchvision's ImageFolder and Hugging Face. \
            tar-shards: WebDataset, with PNG and .cls files. safetensors and pt: the tensors \
            images [N, C, H, W] (bytes) and labels [N], with the class names; \
            torch.load(path, weights_only=True) reads the pt file.
            """
    )

    @Argument(help: "A run folder, or a folder of class folders.", completion: .directory)
    var folder: String

    @Option(help: "The output format.")
    var format: SurrogateExport.Format

    @Option(help: "The method whose images to export, for example dit (default: the surrogate).")
    var method: String?

    @Option(
        name: [.long, .short],
        help: "The output folder or file, which must not exist yet (default: beside the images)."
    )
    var output: String?

    @OptionGroup var messages: OutputOptions

    private struct Outcome: Encodable {
        let output: String
        let images: Int
    }

    func run() throws {
        try Failure.reporting {
            let export = try SurrogateExport(URL(fileURLWithPath: folder), method: method)
            let place = output.map { URL(fileURLWithPath: $0) } ?? export.defaultOutput(format)
            let count = try export.write(format, to: place)
            if messages.json {
                try Output.json(Outcome(output: place.path, images: count))
            } else {
                Output.line("\(count) images: \(place.path)")
            }
        }
    }
}
