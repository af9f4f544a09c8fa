import Distillation
import Evaluation
import Foundation
import Models
import Torch

/// What a run will need, measured on a few of its own steps.
public struct RunEstimate: Sendable, Equatable {
    /// Wall time of encoding the training set, in seconds; 0 for models that work on pixels.
    public let encodeSeconds: Double
    /// Wall time of the fine-tuning, in seconds.
    public let finetuneSeconds: Double
    /// Wall time of drawing the surrogate and the `dit` baseline, in seconds.
    public let sampleSeconds: Double
    /// Number of networks that will be trained.
    public let networkCount: Int
    /// Largest resident memory so far, in bytes; evaluation may need more.
    public let memoryBytes: Int
    /// Room for checkpoints and images, in bytes.
    public let diskBytes: Int

    /// For people.
    public var text: String {
        let encoding = String(format: "encoding      about %.1f min\n", encodeSeconds / 60)
        return (encodeSeconds > 0 ? encoding : "")
            + String(
                format: """
                    fine-tuning   about %.1f min
                    sampling      about %.1f min
                    evaluation    %d networks to train
                    memory        at least %.1f GB
                    disk          about %.0f MB
                    """,
                finetuneSeconds / 60,
                sampleSeconds / 60,
                networkCount,
                Double(memoryBytes) / 1e9,
                Double(diskBytes) / 1e6
            )
    }
}

extension Pipeline {
    /// Measures three updates and one step of sampling; nothing of them is kept.
    public func estimate() throws -> RunEstimate {
        let file = try pretrainedModel()
        let encoding = try encodingEstimate(file.description.autoencoder)
        let source = try estimateSource(file.description)
        let parameters = recipe.finetune.minimax
        let model = try file.model(scaledBlockCount: recipe.model.scaledBlocks, device: device)
        let method = MinimaxDiffusion(
            model,
            networkLabels: try networkLabels(file.description),
            latentShape: source.latentShape,
            parameters: parameters,
            seed: seed,
            precision: environment.precision,
            device: device
        )
        var marks = [ContinuousClock.now]
        method.run(on: source) { step in
            marks.append(.now)
            return step.step < 4
        }
        // The first update is slower than the others.
        let update = (marks[4] - marks[1]) / .seconds(3)

        let settings = recipe.sample
        let rows = settings.batchSize * (settings.guidance == 1 ? 1 : 2)
        let x = Tensor.zeros([rows] + source.latentShape, device: device)
        let labels = Tensor.zeros([rows], dtype: .int64, device: device)
        let steps = (0..<2).map { _ in
            let start = ContinuousClock.now
            withoutGradient {
                withAutocast(environment.precision, on: device) {
                    _ = model(x, timesteps: labels, labels: labels)
                }
            }
            device.synchronize()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        let images = try data().train.classNames.count * settings.imagesPerClass
        let batches = (images + settings.batchSize - 1) / settings.batchSize
        let modelCount = recipe.baselines.contains("dit") ? 2 : 1
        let weightBytes = file.weights.elementCount * 4
        let trained = model.trainableParameters().reduce(0) { $0 + $1.tensor.count }
        return RunEstimate(
            encodeSeconds: encoding?.encodeSeconds ?? 0,
            finetuneSeconds: update * Double(recipe.finetune.minimax.steps),
            sampleSeconds: steps[1] * Double(settings.steps * batches * modelCount)
                + (encoding?.decodeSecondsPerImage ?? 0) * Double(images * modelCount),
            networkCount: recipe.evaluate.networks.count * recipe.evaluate.seeds.count
                * (recipe.baselines.count + 1),
            memoryBytes: Memory.peakBytes(on: device),
            diskBytes: (encoding?.diskBytes ?? 0) + weightBytes + 4 * 4 * trained
                + (recipe.baselines.count + 1) * images * source.latentShape.reduce(1, *)
        )
    }
}
