import Checkpoints
import Experiments
import Foundation

/// What `distill inspect` tells about a file of weights; only its head is read.
struct CheckpointFacts {
    let kind: String
    private(set) var facts = [(String, String)]()
    /// The outline of the tensors' names.
    let keys: [String]

    init(_ url: URL) throws {
        let checkpoint = try Checkpoint(contentsOf: url)
        kind = checkpoint.format == .safetensors ? "safetensors file" : "PyTorch file"
        keys = KeyTree(checkpoint.entries).lines
        if checkpoint.format != .safetensors {
            facts.append(("format", checkpoint.format.rawValue))
        }
        let size = try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int
        facts.append(("size", Terminal.bytes(size ?? 0)))
        facts.append(("tensors", "\(checkpoint.entries.count)"))
        facts.append(("values", "\(checkpoint.entries.reduce(0) { $0 + $1.count })"))
        facts.append(("types", CheckpointFacts.types(checkpoint)))
        addModel(checkpoint)
        addContent(checkpoint)
    }

    private static func types(_ checkpoint: Checkpoint) -> String {
        var counts = [String: Int]()
        for entry in checkpoint.entries { counts["\(entry.dtype)", default: 0] += 1 }
        return counts.sorted { $0.key < $1.key }.map { "\($1) × \($0)" }.joined(separator: ", ")
    }

    private mutating func addModel(_ checkpoint: Checkpoint) {
        if ModelFile.isOwn(checkpoint),
            let description = try? ModelFile(contentsOf: checkpoint.url).description
        {
            let a = description.architecture
            facts.append(
                (
                    "model",
                    "DiT, \(a.depth) blocks of width \(a.hiddenSize), \(a.headCount) heads, "
                        + "patch \(a.patchSize), \(a.inputSize)×\(a.inputSize)×\(a.channels), "
                        + "\(a.scaledBlockCount) blocks with scale factors"
                )
            )
            facts.append(("works on", description.autoencoder.name))
            facts.append(("classes", description.classNames.joined(separator: ", ")))
            facts.append(("origin", description.origin))
            return
        }
        if let network = checkpoint.trainedNetworkFacts {
            facts += network.map { ($0.name, $0.value) }
            return
        }
        guard let weights = checkpoint.recognizedWeights() else {
            facts.append(("model", "not recognised"))
            return
        }
        facts.append(("model", "\(weights.sizes)"))
        facts.append(("parameters", "\(weights.parameterCount)"))
        facts.append(("layout", "\(weights.layout.rawValue) (\(weights.layout.title))"))
        if !weights.group.isEmpty {
            facts.append(("weights", "in \(weights.group)"))
        }
        for (index, problem) in weights.problems.enumerated() {
            facts.append(("problem \(index + 1)", problem))
        }
        if !weights.unknownNames.isEmpty {
            facts.append(("without a place", weights.unknownNames.joined(separator: ", ")))
        }
        if !weights.otherNames.isEmpty {
            facts.append(("beside the model", "\(weights.otherNames.count) tensors"))
        }
    }

    /// What is stored besides tensors: free text, settings, counters.
    private mutating func addContent(_ checkpoint: Checkpoint) {
        guard case .dictionary(let members) = checkpoint.content else { return }
        if checkpoint.format != .safetensors {
            facts.append(("keys", members.prefix(20).map(\.name).joined(separator: ", ")))
        }
        let tensors = Set(
            checkpoint.entries.map { $0.name.split(separator: "/").first.map(String.init) ?? "" }
        )
        for member in members
        where !["distill.model", "distill.network"].contains(member.name) {
            switch member.value {
            case .text(let text): facts.append((member.name, text))
            case .tensor: break
            default:
                // Of a dictionary with tensors in it, the outline tells.
                guard !tensors.contains(member.name) else { continue }
                facts.append((member.name, "\(member.value)"))
            }
        }
    }
}
