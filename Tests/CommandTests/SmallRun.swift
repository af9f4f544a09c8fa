import Foundation
import Images
import Testing
import Torch

/// A dataset of two classes, a model for it and a recipe: a run of the whole pipeline with the
/// real command takes seconds.
struct SmallRun {
    /// Where everything lies; the working folder of the commands.
    let folder: URL

    /// Writes the files and trains the model, if it is needed.
    init(in folder: URL, imagesPerClass: Int = 12, hasModel: Bool = true) throws {
        self.folder = folder
        let train = folder.appendingPathComponent("train")
        try SmallRun.writeImages(train, count: imagesPerClass, seed: 1)
        try SmallRun.writeImages(folder.appendingPathComponent("test"), count: 6, seed: 2)
        let recipes = folder.appendingPathComponent("Recipes")
        try FileManager.default.createDirectory(at: recipes, withIntermediateDirectories: true)
        let text = """
            name: small
            data:
              train: {path: train}
              test: {path: test}
              flips: false
            model: {weights: model.safetensors}
            pretrain:
              patchSize: 7
              hiddenSize: 16
              depth: 2
              heads: 2
              training: {steps: 6, batchSize: 4, warmupSteps: 2, decaySteps: 2}
            finetune:
              minimax: {steps: 40, batchSize: 4, memorySize: 3, emaDecay: 0.97}
              checkpointEvery: 2
              logEvery: 2
            sample: {imagesPerClass: 4, steps: 8, batchSize: 2}
            evaluate: {epochs: 12, evaluations: 2, seeds: [0, 1]}
            """
        try Data(text.utf8).write(to: folder.appendingPathComponent("recipe.yaml"))
        guard hasModel else { return }
        let pretraining = try DistillProcess(
            ["pretrain", "recipe.yaml", "--quiet", "-o", "pretraining"],
            in: folder
        )
        try #require(pretraining.exitCode == 0, "\(pretraining.errors)")
        try FileManager.default.copyItem(
            at: folder.appendingPathComponent("pretraining/checkpoints/pretrained.safetensors"),
            to: folder.appendingPathComponent("model.safetensors")
        )
    }

    /// Images of 28×28 pixels, bright on the left or on the right.
    private static func writeImages(_ folder: URL, count: Int, seed: UInt64) throws {
        for (label, name) in ["left", "right"].enumerated() {
            let place = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            for index in 0..<count {
                var generator = RandomGenerator(seed: seed, index: UInt64(label * 1000 + index))
                let noise = generator.integers(28 * 28, below: 100)
                let bytes = noise.enumerated().map { position, noise in
                    UInt8(noise + ((position % 28 >= 14) == (label == 1) ? 120 : 0))
                }
                let image = Image(width: 28, height: 28, channels: 1, bytes: bytes)
                try image.pngData().write(to: place.appendingPathComponent("\(index).png"))
            }
        }
    }

    /// Starts `distill run` without waiting for its end.
    func start(_ run: String, _ settings: [String] = []) throws -> Process {
        try DistillProcess.start(["run", "recipe.yaml", "-o", run] + settings, in: folder)
    }

    /// Everything that must not depend on interruptions, by name.
    func outcome(_ run: String) throws -> [String: Data] {
        let root = folder.appendingPathComponent(run)
        var result = [String: Data]()
        for name in try FileManager.default.subpathsOfDirectory(atPath: root.path)
        where name.hasSuffix(".png") || name.hasSuffix("metadata.jsonl")
            || name.hasSuffix("finetuned.safetensors") || name.hasSuffix("neighbours.json")
        {
            result[name] = try Data(contentsOf: root.appendingPathComponent(name))
        }
        let data = try Data(contentsOf: root.appendingPathComponent("results.json"))
        let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        for entry in try #require(object?["results"] as? [[String: Any]]) {
            let method = try #require(entry["method"] as? String)
            for kind in ["last", "best"] {
                let accuracy = try #require(entry[kind] as? [String: Any])
                result["\(kind) of \(method)"] = Data("\(accuracy["values"] ?? "")".utf8)
            }
        }
        return result
    }
}
