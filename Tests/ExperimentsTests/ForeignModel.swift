import Checkpoints
import Datasets
import Experiments
import Foundation
import Images
import Models
import TestSupport
import Torch

/// A model of others with random weights, and images of some of its classes.
enum ForeignModel {
    /// The smallest model with the form of the published ones: 1000 classes, 4 channels.
    static let architecture = DiT.Configuration(
        inputSize: 4,
        hiddenSize: 16,
        depth: 2,
        headCount: 1
    )

    /// Images of some classes, a tiny autoencoder, a DiT with random weights and a recipe for them.
    ///
    /// - Parameters:
    ///   - names: The class folders.
    ///   - deviation: How much noise is added to the weights of a new model.
    ///   - body: Gets the folder of everything, the recipe and the weights.
    /// - Throws: What `body` throws, and what goes wrong with files.
    static func withData(
        _ names: [String],
        deviation: Double = 0.02,
        _ body: (URL, Recipe, StateDictionary) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            for (number, part) in ["train", "test"].enumerated() {
                let writer = try SurrogateWriter(
                    folder: folder.appendingPathComponent(part),
                    classNames: names
                )
                for (label, _) in names.enumerated() {
                    for index in 0..<4 {
                        let level = UInt8(40 * label + 10 * number + index)
                        let image = Image(width: 40, height: 34, channels: 3, filledWith: level)
                        try writer.write(image, label: label, index: index)
                    }
                }
            }
            var generator = RandomGenerator(seed: 2, purpose: .initialization)
            // A new model ends in zeros, and its labels have no effect.
            let weights = DiT(architecture, using: &generator).state().mapValues {
                $0 + generator.normal($0.shape) * deviation
            }
            try PyTorchCheckpoint.save(
                groups: ["model": weights.mapValues { $0 * 0 }, "ema": weights],
                to: folder.appendingPathComponent("DiT.pt")
            )
            var recipe = Recipe()
            recipe.data.train.path = folder.appendingPathComponent("train").path
            recipe.data.test.path = folder.appendingPathComponent("test").path
            recipe.data.size = 32
            recipe.data.channels = 3
            recipe.model.autoencoder = try writeTinyAutoencoder(in: folder)
            recipe.model.weights = folder.appendingPathComponent("DiT.pt").path
            recipe.finetune.minimax.batchSize = 4
            recipe.finetune.minimax.steps = 3
            recipe.finetune.minimax.emaDecay = 0
            recipe.sample.imagesPerClass = 2
            recipe.sample.steps = 2
            recipe.sample.batchSize = 3
            recipe.evaluate.networks = []
            try body(folder, recipe, weights)
        }
    }
}
