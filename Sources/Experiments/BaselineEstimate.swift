import Distillation
import Foundation
import Torch
import Training

extension Pipeline {
    /// What the surrogate of another method will need, measured on a few of its steps.
    func estimateBaseline(
        _ name: String
    ) throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        let method = try BaselineMethod.named([name])[0]
        switch method {
        case .dit:
            let sampling = try estimateSampling(method.stage)
            guard recipe.dit.finetunes else { return sampling }
            let training = try estimateFinetuning()
            return (
                .init(
                    stage: method.stage,
                    work: "\(training.stage.work), then \(sampling.stage.work)",
                    seconds: training.stage.seconds + sampling.stage.seconds
                ),
                training.diskBytes + sampling.diskBytes
            )
        case .random:
            let work = "\(try surrogateCount()) images"
            return (.init(stage: method.stage, work: work, seconds: 1), try surrogateBytes())
        case .kCenter, .herding: return try estimateChoice(method)
        case .dm, .idc1, .idc, .glad: return try estimateOptimization(method)
        }
    }

    /// What the decoded images of IDC take as PNG files and as floats.
    private func decodedBytes(_ baseline: BaselineMethod) throws -> Int {
        let images = recipe.trainingImageFactor(of: baseline.rawValue)
        return images == 1 ? 0 : try images * surrogateBytes() * 5
    }

    private func estimateOptimization(
        _ baseline: BaselineMethod
    ) throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        let method = try newMethod(baseline).method
        var seconds = try secondsPerStep { goOn in try method.run { _, _ in goOn() } }
        if let idc = method as? IDC, idc.earlyStepsPerNetwork > 0 {
            // The first steps only train a network; the others match as well.
            let matching = try newIDC(
                baseline,
                on: RealImages(data().train().moved(to: device)),
                skipsEarlyEpochs: true
            )
            let match = try secondsPerStep { goOn in try matching.run { _, _ in goOn() } }
            let share =
                Double(idc.earlyStepsPerNetwork * recipe.idc.networks)
                / Double(idc.stepCount)
            seconds = seconds * share + match * (1 - share)
        }
        return (
            .init(
                stage: baseline.stage,
                work: "\(method.stepCount) steps, \(method.optimizedValueCount) values",
                seconds: seconds * Double(method.stepCount)
            ),
            // The checkpoint; images as PNG and as floats, and those of IDC once more, decoded.
            (method.checkpoint().elementCount + method.images().images.count) * 4
                + (try surrogateBytes()) + (try decodedBytes(baseline))
        )
    }

    /// The training of the network for features, if there is one, and one pass over the images.
    private func estimateChoice(
        _ method: BaselineMethod
    ) throws -> (stage: RunEstimate.Stage, diskBytes: Int) {
        let count = try data().count
        let some = try data().train(upTo: 64)
        guard recipe.coreset.features == "train" else {
            let extractor = try namedExtractor()
            let seconds = secondsPerStep { goOn in
                while goOn() { _ = extractor.features(of: some) }
            }
            return (
                .init(
                    stage: method.stage,
                    work: "\(count) images",
                    seconds: seconds / Double(some.count) * Double(count)
                ),
                try surrogateBytes()
            )
        }
        let set = some.moved(to: device)
        let training = try newFeatureTraining(set)
        var options = training.options
        options.epochs = 8
        let seconds = try secondsPerStep { goOn in
            try SupervisedTraining.train(
                training.state,
                on: set,
                testing: nil,
                normalizedBy: ChannelStatistics(of: set),
                options: options
            ) { event in
                guard case .step = event else { return .continue }
                return goOn() ? .continue : .stop
            }
        }
        let isTrained = folder.has("checkpoints/features.safetensors")
        let passes = (isTrained ? 0 : Double(recipe.coreset.epochs)) + 1.0 / 3
        let weights = training.state.tensors().elementCount * 4
        return (
            .init(
                stage: method.stage,
                work: (isTrained ? "" : "\(recipe.coreset.epochs) epochs on \(count) images, then ")
                    + "one look at \(count) images",
                seconds: seconds / Double(min(set.count, options.batchSize)) * Double(count)
                    * passes
            ),
            weights * 2 + (try surrogateBytes())
        )
    }
}

extension Recipe {
    /// How many training images a method makes of one stored image.
    func trainingImageFactor(of method: String) -> Int {
        guard method == BaselineMethod.idc.rawValue else { return 1 }
        let factor = max(idc.factor, 1)
        return factor * factor
    }
}
