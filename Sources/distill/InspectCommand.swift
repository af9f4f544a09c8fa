import ArgumentParser
import Checkpoints
import Datasets
import Experiments
import Foundation
import Torch

/// The command `distill inspect`.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells in plain words what a checkpoint, dataset, latent cache or run folder is."
    )

    @Argument(help: "A safetensors file, a folder of images or latents, or a run folder.")
    var path: String

    @OptionGroup var output: OutputOptions

    /// What was found.
    private struct Summary: Encodable {
        let kind: String
        let facts: [String: String]
    }

    func run() throws {
        try Failure.reporting {
            let url = URL(fileURLWithPath: path)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
                throw Failure(66, "There is no \(url.path).")
            }
            let (kind, facts) = try isFolder.boolValue ? folder(url) : checkpoint(url)
            if output.json {
                try Output.json(
                    Summary(kind: kind, facts: Dictionary(facts, uniquingKeysWith: { $1 }))
                )
            } else {
                Output.line(kind)
                for (name, value) in facts { Output.line("  \(name): \(value)") }
            }
        }
    }

    private func checkpoint(_ url: URL) throws -> (String, [(String, String)]) {
        let file = try SafetensorsFile(contentsOf: url)
        let state = file.state()
        var types = [String: Int]()
        for (_, tensor) in state { types["\(tensor.dtype)", default: 0] += 1 }
        var facts = [
            ("tensors", "\(state.count)"), ("values", "\(state.elementCount)"),
            (
                "types",
                types.sorted { $0.key < $1.key }.map { "\($1) × \($0)" }
                    .joined(separator: ", ")
            ),
        ]
        if let model = try? ModelFile(contentsOf: url).description {
            let a = model.architecture
            facts += [
                (
                    "model",
                    "DiT, \(a.depth) blocks of width \(a.hiddenSize), \(a.headCount) heads, "
                        + "patch \(a.patchSize), \(a.inputSize)×\(a.inputSize)×\(a.channels), "
                        + "\(a.scaledBlockCount) blocks with scale factors"
                ),
                ("works on", model.autoencoder.name),
                ("classes", model.classNames.joined(separator: ", ")),
                ("origin", model.origin),
            ]
        }
        for (key, value) in file.metadata.sorted(by: { $0.key < $1.key })
        where key != "distill.model" { facts.append((key, value)) }
        if output.verbose {
            for (name, tensor) in state { facts.append((name, "\(tensor.dtype) \(tensor.shape)")) }
        }
        return ("safetensors file", facts)
    }

    private func facts(_ cache: LatentCache) -> [(String, String)] {
        let key = cache.key
        let shape = cache.latentShape.map { "\($0)" }.joined(separator: "×")
        return [
            ("images", "\(cache.count)"),
            ("classes", cache.classNames.joined(separator: ", ")),
            ("latents", "\(shape), stored in \(key.storage)"),
            ("deviation", cache.hasDeviation ? "yes" : "none: an image has one latent"),
            ("mirrored images", cache.hasFlips ? "yes" : "no"),
            ("crop", key.imageSize == 0 ? "none" : "\(key.imageSize) pixels"),
            ("precision of the encoder", key.precision),
            ("encoder", key.autoencoder),
            ("dataset", key.dataset),
            ("checksums", "good"),
        ]
    }

    private func folder(_ url: URL) throws -> (String, [(String, String)]) {
        let isRun = FileManager.default.fileExists(
            atPath: url.appendingPathComponent("recipe.resolved.yaml").path
        )
        if isRun { return ("run folder", RunSummaryFacts(url).facts) }
        if LatentCache.isPresent(in: url) {
            return ("latent cache", facts(try LatentCache(opening: url)))
        }
        let images = try StandaloneEvaluation.open(url.path)
        let counts = images.indicesByClass().map(\.count)
        let scan = images.scan()
        var facts = [
            ("images", "\(images.count)"),
            (
                "classes",
                "\(images.classNames.count): "
                    + zip(images.classNames, counts)
                    .map { "\($0) (\($1))" }.joined(separator: ", ")
            ),
            ("unreadable", "\(scan.unreadable.count)"),
            ("fingerprint", try images.fingerprint()),
        ]
        if let widths = scan.widths, let heights = scan.heights {
            facts.insert(
                (
                    "pixels",
                    "\(widths.lowerBound)–\(widths.upperBound) × "
                        + "\(heights.lowerBound)–\(heights.upperBound)"
                ),
                at: 2
            )
        }
        for image in scan.unreadable.prefix(10) {
            facts.append((image.identifier, image.reason))
        }
        return ("image dataset", facts)
    }
}
