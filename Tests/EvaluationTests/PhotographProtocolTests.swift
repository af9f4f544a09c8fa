import Evaluation
import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("The protocols for photographs")
struct PhotographProtocolTests {
    private static let sizes = [64, 128, 224, 256]

    @Test("have the published settings and differ in size alone", arguments: sizes)
    func settings(_ size: Int) throws {
        let proto = try EvaluationProtocol.named("gu-hard-\(size)")
        #expect(proto.imageSize == size)
        #expect(proto.channels == 3)
        #expect(proto.resizesImages)
        #expect(proto.statistics == .imageNet)
        #expect(proto.augmentation == .published)
        let usual = proto.optimization(classCount: 100)
        #expect(usual.learningRate == 0.01)
        #expect(usual.weightDecay == 5e-4)
        #expect(usual.batchSize == 64)
        let many = proto.optimization(classCount: 101)
        #expect(many.learningRate == 0.1)
        #expect(many.weightDecay == 1e-4)
        #expect(many.batchSize == 128)
    }

    @Test("every protocol has a name of its own, and an unknown one is answered with all names")
    func names() throws {
        #expect(Set(EvaluationProtocol.all.map(\.id)).count == EvaluationProtocol.all.count)
        for proto in EvaluationProtocol.all {
            #expect(try EvaluationProtocol.named(proto.id) == proto)
        }
        let error = #expect(throws: TrainingError.self) {
            try EvaluationProtocol.named("gu-hard-112")
        }
        for proto in EvaluationProtocol.all {
            #expect(error?.message.contains(proto.id) == true)
        }
    }

    @Test("more than 100 classes are trained at their own rate, in larger batches")
    func manyClasses() throws {
        func first(_ classCount: Int) throws -> (steps: Int, learningRate: Double)? {
            let labels = (0..<130).map { $0 % classCount }
            let set = EvaluationSet(
                images: try ImageSet(
                    images: .zeros([130, 3, 64, 64], dtype: .uint8),
                    labels: labels,
                    classNames: (0..<classCount).map { "class \($0)" }
                ),
                path: "black",
                fingerprint: "black-\(classCount)"
            )
            var found: (Int, Double)?
            #expect(throws: EvaluationInterruption.self) {
                try evaluate(train: set, test: set, options: options(.convNet(depth: 5))) { event in
                    if case .training(.step(_, of: let steps, loss: _, let rate), _, _, _) = event {
                        found = (steps, rate)
                    }
                    return .stop
                }
            }
            return found
        }
        let many = try first(101)
        #expect(many?.steps == 2 * 2)
        #expect(many?.learningRate == 0.1)
        let few = try first(100)
        #expect(few?.steps == 2 * 3)
        #expect(few?.learningRate == 0.01)
    }

    @Test("every step is that of a training with the published numbers")
    func steps() throws {
        let set = EvaluationSet.lines(6, size: 64, channels: 3)
        var found = [Double]()
        _ = try evaluate(train: set, test: set, options: options(.convNet(depth: 4))) { event in
            if case .training(.step(_, of: _, let loss, learningRate: _), _, _, _) = event {
                found.append(loss)
            }
            return .continue
        }

        func expected(_ statistics: ChannelStatistics) throws -> [Double] {
            let published = TrainingOptions(
                epochs: 2,
                batchSize: 64,
                learningRate: 0.01,
                weightDecay: 5e-4,
                augmentation: .published,
                seed: 0
            )
            var generator = RandomGenerator(seed: 0, purpose: .initialization)
            let network = try NetworkName.convNet(depth: 4).makeClassifier(
                imageSize: 64,
                channels: 3,
                classCount: 2,
                using: &generator
            )
            var losses = [Double]()
            try SupervisedTraining.train(
                TrainingState(training: network, options: published),
                on: set.images,
                testing: nil,
                normalizedBy: statistics,
                options: published
            ) { event in
                if case .step(_, of: _, let loss, learningRate: _) = event { losses.append(loss) }
                return .continue
            }
            return losses
        }
        #expect(found.count == 2)
        #expect(try found == expected(.imageNet))
        #expect(try found != expected(ChannelStatistics(of: set.images)))
    }

    @Test("ResNetAP-10 learns by them")
    func learns() throws {
        var options = options(.resNetAP(depth: 10))
        options.evaluationProtocol = .guHard(imageSize: 32)
        options.epochs = 8
        let result = try evaluate(
            train: .lines(16, size: 32, channels: 3),
            test: .lines(20, size: 32, channels: 3, seed: 2),
            options: options
        )
        #expect(result.network == "resnet-ap-10")
        #expect(result.evaluationProtocol == "gu-hard-32+epochs=8")
        #expect(result.best.mean > 0.8)
    }

    @Test("ResNet-18 is trained by them, in bfloat16 too", arguments: Precision.allCases)
    func trains(_ precision: Precision) throws {
        var options = options(.resNet(depth: 18))
        options.evaluationProtocol = .guHard(imageSize: 32)
        options.epochs = 1
        options.precision = precision
        let set = EvaluationSet.lines(2, size: 32, channels: 3)
        var losses = [Double]()
        let result = try evaluate(train: set, test: set, options: options) { event in
            if case .training(.epoch(_, of: _, let loss), _, _, _) = event { losses.append(loss) }
            return .continue
        }
        #expect(result.network == "resnet-18")
        #expect(losses.count == 1)
        // Two classes: log 2 for a network that knows nothing.
        #expect(losses.allSatisfy { $0 > 0 && $0 < 5 })
    }

    @Test("images that were not prepared are refused with the size that is expected")
    func unprepared() {
        let error = #expect(throws: TrainingError.self) {
            try evaluate(
                train: .lines(4, size: 72, channels: 3),
                test: .lines(4, size: 64, channels: 3),
                options: options(.convNet(depth: 3))
            )
        }
        #expect(error?.code == .unfitImages)
        #expect(error?.message.contains("64×64") == true)
    }

    private func options(_ network: NetworkName) -> EvaluationOptions {
        EvaluationOptions(
            method: "random",
            network: network,
            evaluationProtocol: .guHard64,
            epochs: 2,
            evaluations: 2,
            seeds: [0],
            precision: .float32
        )
    }
}
