import Checkpoints
import Experiments
import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("The files of trained models", .serialized)
struct TrainedWeightsTests {
    /// Expects that a file holds the averages of the last checkpoint, which are not its weights.
    ///
    /// - Parameters:
    ///   - result: The file.
    ///   - checkpoint: The checkpoint.
    ///   - isTrained: Which tensors are trained, by name.
    /// - Throws: If a tensor is missing.
    private func expectAverages(
        in result: StateDictionary,
        of checkpoint: StateDictionary,
        where isTrained: (String) -> Bool
    ) throws {
        let averages = checkpoint.removingPrefix("ema.")
        let last = checkpoint.removingPrefix("model.")
        #expect(Set(averages.names) == Set(result.names.filter(isTrained)))
        for (name, average) in averages {
            let tensor = try #require(result[name])
            expectIdentical(tensor, average, name)
            let weight = try #require(last[name])
            #expect(tensor.bytes() != weight.bytes(), "\(name)")
        }
    }

    @Test(
        "hold the averages of what was trained, and everything else as it was",
        arguments: [nil, .bfloat16] as [DType?]
    )
    func averages(precision: DType?) throws {
        try withTemporaryFolder { folder in
            try writeImages(folder.appendingPathComponent("train"), perClass: 12, seed: 1)
            try writeImages(folder.appendingPathComponent("test"), perClass: 6, seed: 2)
            // A multiple of what lies between two checkpoints, so that the last one is that of the
            // end.
            let recipe = tinyRecipe(folder)
            #expect(recipe.pretrain.training.steps % recipe.pretrain.checkpointEvery == 0)
            #expect(recipe.finetune.minimax.steps % recipe.finetune.checkpointEvery == 0)
            let run = folder.appendingPathComponent("run")
            func pipeline() throws -> Pipeline {
                try Pipeline(
                    recipe,
                    in: run,
                    environment: .init(precision: precision, isInterrupted: { false }),
                    observer: SilentObserver()
                )
            }
            func state(_ name: String) throws -> StateDictionary {
                try Safetensors.load(contentsOf: run.appendingPathComponent("checkpoints/\(name)"))
            }
            let weights = try pipeline().pretrain()
            let pretrained = try state("pretrained.safetensors")
            try expectAverages(in: pretrained, of: state("pretrain.safetensors")) {
                // It is computed, not learned.
                $0 != "pos_embed"
            }
            try FileManager.default.copyItem(
                at: weights,
                to: URL(fileURLWithPath: recipe.model.weights)
            )
            try pipeline().finetune()
            let finetuned = try state("finetuned.safetensors")
            try expectAverages(
                in: finetuned,
                of: state("finetune.safetensors"),
                where: DiT.isFineTuned
            )
            // Also where they were lowered for the fine-tuning.
            for (name, tensor) in pretrained where !DiT.isFineTuned(name) {
                expectIdentical(try #require(finetuned[name]), tensor, name)
            }
        }
    }
}
