import ArgumentParser
import Checkpoints
import Foundation
import Torch

/// The command `distill convert`.
struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Converts a checkpoint to another format, naming scheme or data type.",
        discussion: """
            Reads safetensors and PyTorch files of DiT, Minimax Diffusion, diffusers, \
            latent-diffusion and TAESD; tensors of other models keep their names. The extension \
            of the output file decides the format: .safetensors, or .pt, .pth and .bin for a file \
            that torch.load reads.

            From a training checkpoint, a .pt file keeps the weights and their average (model, \
            ema); a safetensors file keeps the average.
            """
    )

    @Argument(help: "The checkpoint to read.", completion: .file())
    var input: String

    @Argument(
        help: ArgumentHelp("The file to write.", valueName: "output"),
        completion: .file()
    )
    var result: String

    @Option(
        help: """
            The naming scheme of the tensors (default: that of facebookresearch/DiT, diffusers' \
            AutoencoderKL or TAESD).
            """
    )
    var layout: WeightLayout?

    @Option(help: "The dictionary of a training checkpoint to convert, for example model.")
    var weights: String?

    @Option(help: "The data type of floating-point tensors (default: unchanged).")
    var dtype: Precision?

    @OptionGroup var output: OutputOptions

    /// Types for weights.
    enum Precision: String, ExpressibleByArgument, CaseIterable {
        case float32, bfloat16, float16

        var dtype: DType {
            switch self {
            case .float32: .float32
            case .bfloat16: .bfloat16
            case .float16: .float16
            }
        }
    }

    /// What was written.
    private struct Summary: Encodable {
        let file: String
        let groups: [String]
        let layout: String?
        let tensors: Int
        let values: Int
    }

    private var isSafetensors: Bool { result.hasSuffix(".safetensors") }

    func validate() throws {
        guard [".safetensors", ".pt", ".pth", ".bin"].contains(where: result.hasSuffix) else {
            throw ValidationError("The output file must end in .safetensors, .pt, .pth or .bin.")
        }
    }

    func run() throws {
        try Failure.reporting {
            let checkpoint = try Checkpoint(contentsOf: URL(fileURLWithPath: input))
            let groups = try groups(of: checkpoint)
            let url = URL(fileURLWithPath: result)
            AtomicFile.removeLeftovers(of: url)
            if isSafetensors {
                let state = groups.first?.state ?? StateDictionary()
                try Safetensors.save(state, metadata: metadata(checkpoint), to: url)
            } else {
                try PyTorchCheckpoint.save(groups.map { ($0.name, $0.state) }, to: url)
            }
            let summary = Summary(
                file: url.path,
                groups: groups.map(\.name).filter { !$0.isEmpty },
                layout: groups.first?.layout?.rawValue,
                tensors: groups.reduce(0) { $0 + $1.state.count },
                values: groups.reduce(0) { $0 + $1.state.elementCount }
            )
            guard !output.json else { return try Output.json(summary) }
            Output.line(
                "\(summary.file): \(summary.tensors) tensors, \(summary.values) values, "
                    + "named as in \(summary.layout ?? "the input")"
            )
        }
    }

    /// State dictionaries to write; one without a name is the whole file.
    private typealias Group = (name: String, state: StateDictionary, layout: WeightLayout?)

    private func groups(of checkpoint: Checkpoint) throws -> [Group] {
        guard let found = checkpoint.recognizedWeights(in: weights) else {
            return [try unrecognized(checkpoint)]
        }
        // Both the weights and their average, as training scripts keep them.
        var all = [found]
        if weights == nil, !isSafetensors, found.group == "ema",
            let model = checkpoint.recognizedWeights(in: "model")
        {
            all.insert(model, at: 0)
        }
        tell(found, isOnly: all.count == 1)
        warnOfGuess(found)
        return try all.map { weights in
            var state = try checkpoint.state(weights)
            if let layout { state = try layout.exported(state, for: result) }
            let name = all.count > 1 ? weights.group : ""
            return (name, converted(state), layout ?? weights.layout.native)
        }
    }

    private func unrecognized(_ checkpoint: Checkpoint) throws -> Group {
        if let layout {
            throw Failure(
                65,
                "\(input): no known model was found\(weights.map { " in \($0)" } ?? "")"
                    + ", so its tensors cannot be named as in \(layout.rawValue). Look at the file "
                    + "with `distill inspect`, or omit --layout to keep the names."
            )
        }
        var state = checkpoint.state()
        if let weights { state = state.removingPrefix(weights + "/") }
        guard state.count > 0 else {
            throw Failure(
                65,
                "\(input) has no tensors\(weights.map { " in the dictionary \($0)" } ?? ""). "
                    + "Look at the file with `distill inspect`."
            )
        }
        return ("", converted(state), nil)
    }

    private func converted(_ state: StateDictionary) -> StateDictionary {
        guard let dtype else { return state }
        return state.mapValues { $0.dtype.isFloatingPoint ? $0.converted(to: dtype.dtype) : $0 }
    }

    /// The free text of a safetensors file goes with it where the names stay the same.
    private func metadata(_ checkpoint: Checkpoint) -> [String: String] {
        var metadata = ["format": "pt"]
        guard checkpoint.format == .safetensors, layout == nil,
            case .dictionary(let members) = checkpoint.content
        else { return metadata }
        for case (let name, .text(let text)) in members.map({ ($0.name, $0.value) }) {
            metadata[name] = text
        }
        return metadata
    }

    private func tell(_ weights: RecognizedWeights, isOnly: Bool) {
        guard !output.quiet else { return }
        if isOnly, !weights.group.isEmpty {
            Terminal.write("Using the weights in \(weights.group).\n")
        }
        let others = weights.otherNames
        guard !others.isEmpty else { return }
        let names = others.prefix(3).joined(separator: ", ") + (others.count > 3 ? " …" : "")
        Terminal.write(
            "Leaving out \(others.count) tensors not in \(weights.layout.rawValue): \(names)\n"
        )
    }

    private func warnOfGuess(_ weights: RecognizedWeights) {
        guard case .dit(let sizes) = weights.sizes, sizes.guesses.contains("inputSize"),
            layout != .diffusersDiT
        else { return }
        Terminal.write(
            "Warning: the file does not state the size of the latents; \(sizes.inputSize) is "
                + "assumed for the position embeddings. A config.json beside the file would "
                + "state it.\n"
        )
    }
}

extension WeightLayout: ExpressibleByArgument {}
