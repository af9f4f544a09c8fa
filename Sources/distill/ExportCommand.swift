import ArgumentParser
import Experiments
import Foundation

/// The command `distill export`.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a surrogate dataset in the layout of other programs.",
        discussion: """
            imagefolder: one folder a class, for torchvision's ImageFolder and Hugging Face. \
            tar-shards: WebDataset, PNG and .cls. safetensors and pt: the tensors images \
            [N, C, H, W] of bytes and labels [N], with the names of the classes; the file of pt \
            opens with torch.load(path, weights_only=True).
            """
    )

    @Argument(help: "A run folder, or a folder of class folders.", completion: .directory)
    var folder: String

    @Option(help: "imagefolder, tar-shards, safetensors or pt.")
    var format: Format

    @Option(help: "Whose images of the run (default: the surrogate), for example dit.")
    var method: String?

    @Option(
        name: [.long, .short],
        help: "A folder or file that does not exist yet (default: beside the images)."
    )
    var output: String?

    @OptionGroup var messages: OutputOptions

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case imagefolder
        case tarShards = "tar-shards"
        case safetensors, pt
    }

    private struct Outcome: Encodable {
        let output: String
        let images: Int
    }

    func run() throws {
        try Failure.reporting {
            guard let layout = SurrogateExport.Format(rawValue: format.rawValue) else {
                throw Failure(64, "There is no format \(format.rawValue).")
            }
            let export = try SurrogateExport(URL(fileURLWithPath: folder), method: method)
            let place = output.map { URL(fileURLWithPath: $0) } ?? export.defaultOutput(layout)
            let count = try export.write(layout, to: place)
            if messages.json {
                try Output.json(Outcome(output: place.path, images: count))
            } else {
                Output.line("\(count) images: \(place.path)")
            }
        }
    }
}
