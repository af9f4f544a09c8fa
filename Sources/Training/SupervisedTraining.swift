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
    ///   - statistics: What images of both sets are normalised by.
    ///   - options: How it is trained; the same at every resumption.
    ///   - progress: Hears of every event and decides whether to go on.
    /// - Returns: Whether all epochs are done.
    /// - Throws: `TrainingError` for impossible options, and if the loss is no number any more.
    @discardableResult
    public static func train(
        _ state: TrainingState,
        on set: ImageSet,
        testing test: ImageSet?,
        normalizedBy statistics: ChannelStatistics,
        options: TrainingOptions,
        progress: (TrainingEvent) throws -> ProgressDisposition = { _ in .continue }
    ) throws -> Bool {
        try options.validate()
        let (classifier, optimizer) = (state.classifier, state.optimizer)
        let stepsPerEpoch = options.stepsPerEpoch(imageCount: set.count)
        let stepCount = options.epochs * stepsPerEpoch
        var order: (epoch: Int, places: [Int]) = (-1, [])
        let wasTraining = classifier.isTraining
        classifier.setTraining(true)
        defer { classifier.setTraining(wasTraining) }

        while state.record.step < stepCount {
            let step = state.record.step
            let (epoch, batch) = step.quotientAndRemainder(dividingBy: stepsPerEpoch)
            if order.epoch != epoch { order = (epoch, places(set, epoch, options.seed)) }
            optimizer.learningRate = options.learningRate(atEpoch: epoch)

            let range = batch * options.batchSize..<min((batch + 1) * options.batchSize, set.count)
            let chosen = Array(order.places[range])
            let labels = Tensor(chosen.map { set.labels[$0] }).moved(to: set.images.device)
            var images = augmented(set.batch(chosen), statistics, options, step: step)
            let mix = options.usesCutMix ? cutMix(images, options.seed, step: step) : nil
            images = classifier.inPreferredOrder(mix?.mixed(images) ?? images)

            let logits = withAutocast(options.precision.autocastType, on: images.device) {
                classifier(images)
            }.converted(to: .float32)
            let loss = mix?.loss(logits, labels: labels) ?? logits.crossEntropy(to: labels)
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
                    let accuracy = accuracy(
                        of: classifier,
                        on: test,
                        normalizedBy: statistics,
                        precision: options.precision
                    )
                    state.record.looks.append(.init(epoch: epoch + 1, accuracy: accuracy))
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

    private static func augmented(
        _ x: Tensor,
        _ statistics: ChannelStatistics,
        _ options: TrainingOptions,
        step: Int
    ) -> Tensor {
        var generator = RandomGenerator(
            seed: options.seed,
            purpose: .augmentation,
            index: UInt64(step)
        )
        return options.augmentation(x, normalizedBy: statistics, using: &generator)
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
