import Checkpoints
import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("The DiT with weights of diffusers", .tags(.golden))
struct DiffusersDiTGoldenTests {
    @Test("a checkpoint of diffusers gives the output of diffusers")
    func forward() throws {
        let golden = try Golden("diffusers_dit")
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("diffusion_pytorch_model.safetensors")
            try Safetensors.save(golden.group("model."), to: url)
            // The settings beside the weights tell what no shape does.
            let settings = """
                {"_class_name": "DiTTransformer2DModel",
                 "sample_size": \(try golden.config["input_size"].int),
                 "num_attention_heads": \(try golden.config["num_heads"].int)}
                """
            try Data(settings.utf8).write(to: folder.appendingPathComponent("config.json"))

            let checkpoint = try Checkpoint(contentsOf: url)
            let weights = try #require(checkpoint.recognizedWeights())
            guard case .dit(let sizes) = weights.sizes else {
                Issue.record("\(weights.sizes)")
                return
            }
            #expect(sizes.guesses.isEmpty)
            var generator = RandomGenerator(seed: 0)
            let model = DiT(DiT.Configuration(sizes), using: &generator)
            try model.load(try checkpoint.state(weights))
            model.setTraining(false)

            // At t = 0, where both models embed the time alike.
            let labels = try golden["input.y"]
            let output = try withoutGradient {
                model(
                    try golden["input.x"],
                    timesteps: .zeros(labels.shape, dtype: .int64),
                    labels: labels
                )
            }
            expectClose(output, try golden["expected.out"], relative: 2e-4)
        }
    }
}
