import Evaluation
import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("Networks are trained by the rules of each protocol")
struct ProtocolTrainingTests {
    /// A protocol, and the training of six epochs that it stands for.
    struct Rules: Sendable, CustomTestStringConvertible {
        let id: String
        /// More than another protocol's batch, where that can be.
        let imageCount: Int
        /// The learning rate of each epoch.
        let rates: [Double]
        let training: TrainingOptions
        var testDescription: String { id }
    }

    static let rules: [Rules] = [
        Rules(
            id: "gu-hard-28",
            imageCount: 64,
            rates: [0.01, 0.01, 0.01, 0.01, 0.002, 0.0004],
            training: TrainingOptions(
                epochs: 6,
                batchSize: 64,
                update: .sgd,
                learningRate: 0.01,
                schedule: .twoSteps,
                momentum: 0.9,
                weightDecay: 5e-4,
                decayFactor: 0.2,
                augmentation: .publishedGrey,
                usesCutMix: true,
                evaluations: 6,
                seed: 3
            )
        ),
        Rules(
            id: "dm-dsa-28",
            imageCount: 70,
            rates: [0.01, 0.01, 0.01, 0.01, 0.001, 0.001],
            training: TrainingOptions(
                epochs: 6,
                batchSize: 256,
                update: .sgd,
                learningRate: 0.01,
                schedule: .oneStep,
                momentum: 0.9,
                weightDecay: 5e-4,
                decayFactor: 0.1,
                augmentation: .none,
                siamese: .published,
                usesCutMix: false,
                evaluations: 6,
                seed: 3
            )
        ),
        Rules(
            id: "fkd-300+size=16",
            imageCount: 70,
            rates: [
                0.001, 0.000_933_012_7, 0.000_75, 0.000_5, 0.000_25, 0.000_066_987_3,
            ],
            training: TrainingOptions(
                epochs: 6,
                batchSize: 1024,
                update: .adamW,
                learningRate: 0.001,
                schedule: .cosine,
                weightDecay: 0.01,
                augmentation: Augmentation(
                    cropScale: 0.08...1,
                    cropSize: 16,
                    antialiasesCrop: true,
                    flipProbability: 0.5
                ),
                usesCutMix: true,
                temperature: 20,
                evaluations: 6,
                firstLook: 0.8,
                seed: 3,
                imageSeed: 42
            )
        ),
        Rules(
            id: "rded-soft-300+size=16",
            imageCount: 70,
            rates: [
                0.001, 0.000_982_962_9, 0.000_933_012_7, 0.000_853_553_4, 0.000_75,
                0.000_629_409_5,
            ],
            training: TrainingOptions(
                epochs: 6,
                batchSize: 100,
                update: .adamW,
                learningRate: 0.001,
                schedule: .halfCosine,
                weightDecay: 0.01,
                augmentation: Augmentation(
                    patchGrid: 2,
                    cropScale: 0.5...1,
                    cropSize: 16,
                    antialiasesCrop: true,
                    flipProbability: 0.5
                ),
                usesCutMix: true,
                temperature: 20,
                evaluations: 6,
                firstLook: 0.8,
                seed: 3
            )
        ),
    ]

    /// The scores of a network for the images that a student sees.
    private struct Scores: SoftLabelling {
        let classifier: any ImageClassifier

        func logits(for images: Tensor, step: Int) -> Tensor {
            withoutGradient {
                classifier.evaluating { classifier(classifier.inPreferredOrder(images)) }
            }
        }
    }

    @Test(
        "the learning rate falls as published, and every step is one of that training",
        arguments: rules
    )
    func training(_ rules: Rules) throws {
        let proto = try EvaluationProtocol.named(rules.id)
        let (size, channels) = (proto.imageSize, proto.channels)
        let train = EvaluationSet.lines(
            rules.imageCount,
            size: size,
            channels: channels,
            noise: 120
        )
        let test = EvaluationSet.lines(20, size: size, channels: channels, seed: 2)
        let network: TrainedNetwork? = try proto.needsTeacher ? TrainedNetwork.ofLines() : nil

        var found = [TrainingEvent]()
        _ = try evaluate(
            train: train,
            test: test,
            options: EvaluationOptions(
                method: "lines",
                network: .small(),
                evaluationProtocol: proto,
                epochs: 6,
                evaluations: 6,
                seeds: [3],
                precision: .float32
            ),
            teacher: try network.map { try Teacher($0, path: "lines", digest: "lines") }
        ) { event in
            if let event = event.event(ofSeed: 3) { found.append(event) }
            return .continue
        }

        let rates = found.compactMap { event -> Double? in
            if case .step(_, of: 6, loss: _, learningRate: let rate) = event { rate } else { nil }
        }
        #expect(rates.count == 6)
        for (rate, expected) in zip(rates, rules.rates) { #expect(abs(rate - expected) < 1e-9) }
        #expect(try found == expected(rules.training, train.images, test.images, network))
    }

    /// The events of a training with a network of seed 3.
    private func expected(
        _ options: TrainingOptions,
        _ train: ImageSet,
        _ test: ImageSet,
        _ teacher: TrainedNetwork?
    ) throws -> [TrainingEvent] {
        var generator = RandomGenerator(seed: 3, purpose: .initialization)
        let student = try NetworkName.small().makeClassifier(
            imageSize: train.height,
            channels: train.channels,
            classCount: 2,
            using: &generator
        )
        var events = [TrainingEvent]()
        try SupervisedTraining.train(
            TrainingState(training: student, options: options),
            on: train,
            testing: test,
            normalizedBy: teacher == nil ? ChannelStatistics(of: train) : .imageNet,
            options: options,
            teacher: try teacher.map { Scores(classifier: try $0.makeClassifier()) }
        ) { event in
            events.append(event)
            return .continue
        }
        return events
    }
}
