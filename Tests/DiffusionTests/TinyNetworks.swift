import Diffusion
import Foundation
import Models
import TestSupport
import Torch

extension DiT {
    /// The network of a golden file, with its weights.
    static func golden(_ golden: Golden) throws -> DiT {
        let config = golden.config
        var configuration = DiT.Configuration(
            inputSize: try config["input_size"].int,
            patchSize: try config["patch_size"].int,
            channels: config["in_channels"].isNull ? 4 : try config["in_channels"].int,
            hiddenSize: try config["hidden_size"].int,
            depth: try config["depth"].int,
            headCount: try config["num_heads"].int,
            mlpRatio: config["mlp_ratio"].isNull ? 4 : try config["mlp_ratio"].double,
            classCount: try config["num_classes"].int
        )
        let weights = golden.group("model.")
        if weights.names.contains(where: DiT.isScaleFactor) {
            configuration = configuration.withScaleFactors()
        }
        var generator = RandomGenerator(seed: 0)
        let model = DiT(configuration, using: &generator)
        try model.load(weights)
        model.move(to: golden.device)
        return model
    }

    /// A small network whose weights are all random, so that every part of it counts.
    static func random(channels: Int, side: Int = 8, classCount: Int = 4) -> DiT {
        var generator = RandomGenerator(seed: 7)
        let model = DiT(
            DiT.Configuration(
                inputSize: side,
                patchSize: 2,
                channels: channels,
                hiddenSize: 16,
                depth: 2,
                headCount: 2,
                classCount: classCount
            ),
            using: &generator
        )
        withoutGradient {
            for (_, tensor) in model.trainableParameters() {
                tensor.add(generator.normal(tensor.shape), scaledBy: 0.05)
            }
        }
        return model
    }

    /// The network as samplers call it.
    var denoiser: Denoiser { { self($0, timesteps: $1, labels: $2) } }
}

/// Data whose best denoiser is known: independent normal pixels.
struct NormalData {
    var mean = 0.7
    var deviation = 0.4
    private let alphaBars = NoiseSchedule().alphaBars

    /// The expectation of ε given x_t.
    var denoiser: Denoiser {
        { x, timesteps, _ in
            let alphaBar = alphaBars[timesteps.values(as: Int.self)[0]]
            let variance = alphaBar * deviation * deviation + 1 - alphaBar
            return (x - alphaBar.squareRoot() * mean) * ((1 - alphaBar).squareRoot() / variance)
        }
    }

    /// Where the noiseless process leads from x at a timestep.
    func end(of x: Tensor, at timestep: Int) -> Tensor {
        let alphaBar = alphaBars[timestep]
        let variance = alphaBar * deviation * deviation + 1 - alphaBar
        return (x - alphaBar.squareRoot() * mean) * (deviation / variance.squareRoot()) + mean
    }
}
