import Evaluation
import Models
import Torch
import Training

extension NetworkName {
    /// A ConvNet with eight channels, trained in milliseconds.
    static func small(depth: Int = 1) -> NetworkName {
        var variant = Variant()
        variant.width = 8
        return NetworkName(.convNet, depth: depth, variant: variant)
    }
}

extension EvaluationSet {
    /// Grey images of 28×28 pixels without a pattern, in two classes: what a network finds in them
    /// depends on all its weights.
    static func noise(_ count: Int, seed: UInt64) throws -> EvaluationSet {
        var generator = RandomGenerator(seed: seed)
        let values = generator.integers(count * 28 * 28, below: 256).map { UInt8($0) }
        return EvaluationSet(
            images: try ImageSet(
                images: Tensor(values, shape: [count, 1, 28, 28]),
                labels: (0..<count).map { $0 % 2 },
                classNames: ["a", "b"]
            ),
            path: "noise-\(seed)",
            fingerprint: "noise-\(count)-\(seed)"
        )
    }
}

extension TrainedNetwork {
    /// A small network that tells coloured lines of 16×16 pixels across from those down.
    static func ofLines() throws -> TrainedNetwork {
        let set = EvaluationSet.lines(40, size: 16, channels: 3, seed: 9).images
        let options = TrainingOptions(
            epochs: 10,
            batchSize: 8,
            usesCutMix: false,
            evaluations: 1,
            seed: 1
        )
        var generator = RandomGenerator(seed: 1, purpose: .initialization)
        let classifier = try NetworkName.small().makeClassifier(
            imageSize: 16,
            channels: 3,
            classCount: 2,
            using: &generator
        )
        try SupervisedTraining.train(
            TrainingState(training: classifier, options: options),
            on: set,
            testing: nil,
            normalizedBy: .imageNet,
            options: options
        )
        let description = Description(
            network: .small(),
            imageSize: 16,
            channels: 3,
            statistics: .imageNet,
            classNames: set.classNames,
            origin: "lines"
        )
        return TrainedNetwork(description: description, weights: classifier.state())
    }
}

extension EvaluationEvent {
    /// What happened in the run of a seed; nil for all else.
    func event(ofSeed wanted: Int) -> TrainingEvent? {
        guard case .training(let event, seed: let seed, position: _, count: _) = self else {
            return nil
        }
        return seed == wanted ? event : nil
    }
}
