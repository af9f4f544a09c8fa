import Models
import TestSupport
import Testing
import Torch
import Training

/// Two classes that differ in where the bright half is.
private func halves(_ count: Int, size: Int = 8, seed: UInt64 = 1) throws -> ImageSet {
    var generator = RandomGenerator(seed: seed)
    let labels = (0..<count).map { $0 % 2 }
    let values = labels.flatMap { label -> [UInt8] in
        let noise = generator.integers(size * size, below: 60)
        return noise.enumerated().map { place, noise in
            UInt8(((place / size < size / 2) == (label == 0) ? 180 : 20) + noise)
        }
    }
    return try ImageSet(
        images: Tensor(values, shape: [count, 1, size, size]),
        labels: labels,
        classNames: ["top", "bottom"]
    )
}

private let grey = Augmentation(cropScale: 0.5...1, flipProbability: 0.5, contrast: 0.4)

private func options(epochs: Int, _ precision: Precision = .float32) -> TrainingOptions {
    TrainingOptions(
        epochs: epochs,
        batchSize: 4,
        augmentation: grey,
        evaluations: 2,
        precision: precision,
        seed: 5
    )
}

private func makeState(_ options: TrainingOptions) throws -> TrainingState {
    var generator = RandomGenerator(seed: options.seed, purpose: .initialization)
    let network = try ConvNet(
        .init(imageSize: 8, channels: 1, classCount: 2, depth: 2, width: 16),
        using: &generator
    )
    return TrainingState(training: network, options: options)
}

@Suite("Supervised training")
struct SupervisedTrainingTests {
    @Test("the loss falls and the classes are found", arguments: Precision.allCases)
    func learns(_ precision: Precision) throws {
        let set = try halves(10)
        let options = options(epochs: 20, precision)
        let state = try makeState(options)
        var losses = [Double]()
        try SupervisedTraining.train(
            state,
            on: set,
            testing: try halves(20, seed: 2),
            normalizedBy: ChannelStatistics(of: set),
            options: options
        ) { event in
            if case .epoch(_, of: _, let loss) = event { losses.append(loss) }
            return .continue
        }
        #expect(losses.count == 20)
        let (first, last) = (losses.prefix(5).reduce(0, +), losses.suffix(5).reduce(0, +))
        #expect(last < 0.8 * first)
        #expect(state.record.last == 1)
        #expect(state.record.looks.map(\.epoch) == [10, 20])
    }

    @Test(
        "stopped after any step and resumed, it ends with the same bits",
        arguments: [1, 2, 3, 7, 8]
    )
    func resumes(_ stop: Int) throws {
        let set = try halves(10)
        let statistics = ChannelStatistics(of: set)
        let options = options(epochs: 3)
        func train(_ state: TrainingState, stop: Int? = nil) throws -> Bool {
            try SupervisedTraining.train(
                state,
                on: set,
                testing: set,
                normalizedBy: statistics,
                options: options
            ) { event in
                if case .step(stop, of: 9, loss: _, learningRate: _) = event { return .stop }
                return .continue
            }
        }
        let whole = try makeState(options)
        #expect(try train(whole))

        let first = try makeState(options)
        #expect(try !train(first, stop: stop))
        #expect(first.record.step == stop)
        let saved = first.tensors().mapValues { $0.detached().copied() }
        let second = try makeState(options)
        try second.restore(saved, record: first.record)
        #expect(try train(second))

        #expect(second.record == whole.record)
        for (name, tensor) in whole.tensors() {
            expectIdentical(try #require(second.tensors()[name]), tensor, name)
        }
    }

    @Test("a stop after the last step leaves nothing to do")
    func stopAtTheEnd() throws {
        let set = try halves(4)
        let options = options(epochs: 1)
        let isDone = try SupervisedTraining.train(
            try makeState(options),
            on: set,
            testing: nil,
            normalizedBy: ChannelStatistics(of: set),
            options: options
        ) { _ in .stop }
        #expect(isDone)
    }

    @Test("the last, smaller batch is used, and a batch may be larger than the set")
    func batches() throws {
        #expect(options(epochs: 1).stepsPerEpoch(imageCount: 10) == 3)
        #expect(TrainingOptions(epochs: 1).stepsPerEpoch(imageCount: 10) == 1)
        var options = options(epochs: 1)
        options.batchSize = 64
        let set = try halves(3)
        var steps = 0
        try SupervisedTraining.train(
            try makeState(options),
            on: set,
            testing: nil,
            normalizedBy: ChannelStatistics(of: set),
            options: options
        ) { event in
            if case .step = event { steps += 1 }
            return .continue
        }
        #expect(steps == 1)
    }

    @Test(
        "the test set is looked at as often as asked, the last epoch included",
        arguments: [(300, 5), (7, 5), (10, 10), (5, 100), (1, 1), (2000, 100)]
    )
    func looks(_ epochs: Int, _ evaluations: Int) {
        var options = TrainingOptions(epochs: epochs)
        options.evaluations = evaluations
        let looks = (1...epochs).filter { options.looksAtTestSet(afterEpochs: $0) }
        #expect(looks.count == min(epochs, evaluations))
        #expect(looks.last == epochs)
    }

    @Test("the mode of the network is restored, and no tensor is left")
    func modeAndLeaks() throws {
        let set = try halves(6)
        let options = options(epochs: 2)
        let state = try makeState(options)
        state.classifier.setTraining(false)
        func train(_ options: TrainingOptions) throws {
            try SupervisedTraining.train(
                state,
                on: set,
                testing: set,
                normalizedBy: ChannelStatistics(of: set),
                options: options
            )
        }
        try train(options)
        #expect(!state.classifier.isTraining)
        try expectNoLeaks {
            var longer = options
            longer.epochs = 4
            try train(longer)
        }
    }

    @Test("a loss that is no number is an error, and so are impossible options")
    func errors() throws {
        let set = try halves(4)
        func code(_ change: (inout TrainingOptions) -> Void) throws -> TrainingError.Code? {
            var options = options(epochs: 40)
            change(&options)
            let error = #expect(throws: TrainingError.self) {
                try SupervisedTraining.train(
                    try makeState(options),
                    on: set,
                    testing: nil,
                    normalizedBy: ChannelStatistics(of: set),
                    options: options
                )
            }
            return error?.code
        }
        #expect(try code { $0.learningRate = 1e30 } == .diverged)
        #expect(try code { $0.epochs = 0 } == .invalidOption)
        #expect(try code { $0.batchSize = 0 } == .invalidOption)
        #expect(try code { $0.evaluations = 0 } == .invalidOption)
    }

    @Test("accuracy does not depend on the batch size")
    func accuracy() throws {
        let set = try halves(11)
        let network = try makeState(options(epochs: 1)).classifier
        let statistics = ChannelStatistics(of: set)
        let found = try [3, 11, 256].map {
            try SupervisedTraining.predictions(
                of: network,
                on: set,
                normalizedBy: statistics,
                batchSize: $0
            )
        }
        #expect(found[0] == found[1])
        #expect(found[1] == found[2])
        #expect(found[0].count == 11)
    }
}
