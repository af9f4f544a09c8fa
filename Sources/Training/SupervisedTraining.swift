import Models
import NeuralNetworks
import Torch

/// Training a network on labelled images, and testing it.
public enum SupervisedTraining {
    /// Trains a network until all epochs are done or the caller stops.
    ///
    /// - Parameters:
    ///   - state: The network, at the start or somewhere in the middle of the run.
    ///   - set: What it is trained on.
    ///   - test: What it is tested on at some epochs; its labels are numbered as those of `set`.
    ///   - heldBack: Images that are neither trained on nor tested on, to choose an epoch by.
    ///   - statistics: What images of both sets are normalised by.
    ///   - options: How it is trained; the same at every resumption.
    ///   - teacher: What the network learns from in the place of the labels; nil: the labels.
    ///   - progress: Hears of every event and decides whether to go on.
    /// - Returns: Whether all epochs are done.
    /// - Throws: `TrainingError` for impossible options, and if the loss is no number any more; the
    ///   error of an image that cannot be read.
    @discardableResult
    public static func train(
        _ state: TrainingState,
        on set: ImageSet,
        testing test: ImageSet?,
        holdingBack heldBack: ImageSet? = nil,
        normalizedBy statistics: ChannelStatistics,
        options: TrainingOptions,
        teacher: (any SoftLabelling)? = nil,
        progress: (TrainingEvent) throws -> ProgressDisposition = { _ in .continue }
    ) throws -> Bool {
        try options.validate()
        let (classifier, optimizer) = (state.classifier, state.optimizer)
        let stepsPerEpoch = options.stepsPerEpoch(imageCount: set.count)
        let stepCount = options.epochs * stepsPerEpoch
        let imageSeed = options.imageSeed ?? options.seed
        var order: (epoch: Int, places: [Int]) = (-1, [])
        let wasTraining = classifier.isTraining
        classifier.setTraining(true)
        defer { classifier.setTraining(wasTraining) }

        while state.record.step < stepCount {
            let step = state.record.step
            let (epoch, batch) = step.quotientAndRemainder(dividingBy: stepsPerEpoch)
            if order.epoch != epoch { order = (epoch, places(set, epoch, imageSeed)) }
            optimizer.learningRate = options.learningRate(atEpoch: epoch)

            let range = batch * options.batchSize..<min((batch + 1) * options.batchSize, set.count)
            let chosen = Array(order.places[range])
            let labels = Tensor(chosen.map { set.labels[$0] }).moved(to: set.device)
            var images = try set.reading(chosen)
            set.prepare(followers(of: range, in: order.places, options))
            images = augmented(images, statistics, options, imageSeed, step: step)
            let mix = options.usesCutMix ? cutMix(images, imageSeed, step: step) : nil
            images = classifier.inPreferredOrder(mix?.mixed(images) ?? images)
            let target = try teacher?.logits(for: images, step: step)

            classifier.prepareStep(
                using: RandomGenerator(
                    seed: options.seed,
                    purpose: .dropout,
                    index: UInt64(step)
                )
            )
            let logits = withAutocast(options.precision.autocastType, on: images.device) {
                classifier(images)
            }.converted(to: .float32)
            let loss =
                target.map { logits.softLabelLoss(teacher: $0, temperature: options.temperature) }
                ?? mix?.loss(logits, labels: labels) ?? logits.crossEntropy(to: labels)
            optimizer.zeroGradients()
            loss.backward()
            optimizer.step()

            let value = loss.item
            guard value.isFinite else { throw diverged(step: step, options) }
            state.record.step += 1
            state.record.lossSum += value * Double(chosen.count)
            var events = [
                TrainingEvent.step(
                    step + 1,
                    of: stepCount,
                    loss: value,
                    learningRate: optimizer.learningRate
                )
            ]
            if batch == stepsPerEpoch - 1 {
                let mean = state.record.lossSum / Double(set.count)
                state.record.lossSum = 0
                events.append(.epoch(epoch + 1, of: options.epochs, loss: mean))
                if let test, options.looksAtTestSet(afterEpochs: epoch + 1) {
                    let accuracy = try look(
                        at: test,
                        heldBack,
                        state,
                        afterEpochs: epoch + 1,
                        statistics,
                        options
                    )
                    events.append(.looked(epoch: epoch + 1, accuracy: accuracy))
                }
            }
            // Every event is heard, also after a stop.
            let answers = try events.map(progress)
            if answers.contains(.stop) { return state.record.step == stepCount }
        }
        return true
    }

    /// The order of the images in an epoch.
    private static func places(_ set: ImageSet, _ epoch: Int, _ seed: UInt64) -> [Int] {
        var generator = RandomGenerator(seed: seed, purpose: .dataOrder, index: UInt64(epoch))
        return generator.permutation(set.count)
    }

    /// The next batch of the epoch; empty after the last.
    private static func followers(
        of range: Range<Int>,
        in places: [Int],
        _ options: TrainingOptions
    ) -> [Int] {
        Array(places[range.upperBound..<min(range.upperBound + options.batchSize, places.count)])
    }

    /// Tests the network and notes what was found.
    private static func look(
        at test: ImageSet,
        _ heldBack: ImageSet?,
        _ state: TrainingState,
        afterEpochs epoch: Int,
        _ statistics: ChannelStatistics,
        _ options: TrainingOptions
    ) throws -> Double {
        func found(in set: ImageSet) throws -> [Int] {
            try predictions(
                of: state.classifier,
                on: set,
                normalizedBy: statistics,
                precision: options.precision
            )
        }
        let guesses = try found(in: test)
        let accuracy = share(of: guesses, equalTo: test.labels)
        let heldBack = try heldBack.map { share(of: try found(in: $0), equalTo: $0.labels) }
        state.record.note(.init(epoch: epoch, accuracy: accuracy, heldBackAccuracy: heldBack))
        if epoch == options.epochs {
            var confusion = [[Int]](
                repeating: [Int](repeating: 0, count: test.classCount),
                count: test.classCount
            )
            for (label, guess) in zip(test.labels, guesses) { confusion[label][guess] += 1 }
            state.record.confusion = confusion
        }
        return accuracy
    }

    private static func augmented(
        _ x: Tensor,
        _ statistics: ChannelStatistics,
        _ options: TrainingOptions,
        _ seed: UInt64,
        step: Int
    ) -> Tensor {
        var generator = RandomGenerator(
            seed: seed,
            purpose: .augmentation,
            index: UInt64(step)
        )
        let x = options.augmentation(x, normalizedBy: statistics, using: &generator)
        return options.siamese?(x, using: &generator) ?? x
    }

    private static func cutMix(_ x: Tensor, _ seed: UInt64, step: Int) -> CutMix {
        var generator = RandomGenerator(seed: seed, purpose: .cutMix, index: UInt64(step))
        return CutMix(
            batch: x.size(along: 0),
            height: x.size(along: 2),
            width: x.size(along: 3),
            using: &generator
        )
    }

    private static func diverged(step: Int, _ options: TrainingOptions) -> TrainingError {
        TrainingError(
            .diverged,
            "The loss of step \(step + 1) is no number any more. Use a smaller learning rate "
                + "than \(options.learningRate), or float32 instead of \(options.precision)."
        )
    }
}
