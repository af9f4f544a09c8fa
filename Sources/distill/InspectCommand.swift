import ArgumentParser
import Checkpoints
import Datasets
import Experiments
import Foundation

/// The command `distill inspect`.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Describes a checkpoint, dataset, latent cache, run or comparison in plain words."
    )

    @Argument(
        help: """
            A safetensors or PyTorch file (.pt), a folder of weights, images or latents, or the \
            folder of a run, of a comparison or of several runs. FOLDER#test is the test split of \
            IDX or CIFAR files; FOLDER#fastai and FOLDER#fastai#test are the splits of fastai's \
            ImageWoof or ImageNette.
            """
    )
    var path: String

    @OptionGroup var output: OutputOptions

    /// What was found.
    private struct Summary: Encodable {
        let kind: String
        let facts: [String: String]
        /// The outline of a checkpoint's names.
        let keys: [String]?
    }

    /// Lines of the outline that are shown without `--verbose`.
    private static let outlineLength = 60

    func run() throws {
        try Failure.reporting {
            let url = URL(fileURLWithPath: path)
            var isFolder: ObjCBool = false
            let namesPart = path.hasSuffix("#test") || path.hasSuffix("#fastai")
            if namesPart, !FileManager.default.fileExists(atPath: url.path) {
                return try tell("image dataset", dataset(path), keys: nil)
            }
            guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
                throw Failure(66, "There is no \(url.path).")
            }
            let weights = isFolder.boolValue ? Checkpoint.weights(inFolder: url) : url
            guard let weights else {
                let (kind, facts) = try folder(url)
                return try tell(kind, facts, keys: nil)
            }
            let checkpoint = try CheckpointFacts(weights)
            try tell(checkpoint.kind, checkpoint.facts, keys: checkpoint.keys)
        }
    }

    private func tell(_ kind: String, _ facts: [(String, String)], keys: [String]?) throws {
        guard !output.json else {
            let facts = Dictionary(facts, uniquingKeysWith: { $1 })
            return try Output.json(Summary(kind: kind, facts: facts, keys: keys))
        }
        Output.line(kind)
        for (name, value) in facts { Output.line("  \(name): \(value)") }
        guard let keys else { return }
        let shown = output.verbose ? keys.count : min(keys.count, Inspect.outlineLength)
        Output.line("  names:")
        for line in keys.prefix(shown) { Output.line("    \(line)") }
        if shown < keys.count {
            Output.line("    … and \(keys.count - shown) more lines with --verbose")
        }
    }

    private func facts(_ cache: LatentCache) -> [(String, String)] {
        let key = cache.key
        let shape = cache.latentShape.map { "\($0)" }.joined(separator: "×")
        return [
            ("images", "\(cache.count)"),
            ("classes", cache.classNames.joined(separator: ", ")),
            ("latents", "\(shape), stored in \(key.storage)"),
            ("deviation", cache.hasDeviation ? "yes" : "none: each image has one latent"),
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
        if ComparisonFacts.isComparison(url) { return ("comparison", ComparisonFacts(url).facts) }
        if LatentCache.isPresent(in: url) {
            return ("latent cache", facts(try LatentCache(opening: url)))
        }
        if let runs = RunCollectionFacts(url) { return ("folder of runs", runs.facts) }
        return ("image dataset", try dataset(url.path))
    }

    private func dataset(_ path: String) throws -> [(String, String)] {
        let images = try StandaloneEvaluation.open(path)
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
        return facts
    }
}
