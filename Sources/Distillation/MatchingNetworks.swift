import Models
import NeuralNetworks
import Torch
import Training

/// The networks of IDC: each is trained on real images before and between the matches.
final class MatchingNetworks {
    /// The network of the moment.
    private(set) var classifier: any ImageClassifier
    private var optimizer: SGD
    private let real: RealImages
    private let parameters: IDC.Parameters
    private let augmentation: SiameseAugmentation
    private let seed: UInt64
    private let precision: DType?

    /// Makes the first network.
    ///
    /// - Parameters:
    ///   - real: What networks are trained on.
    ///   - parameters: The settings that concern networks.
    ///   - augmentation: How images of a match are changed.
    ///   - seed: Of weights, order and changes.
    ///   - precision: `bfloat16` for autocast, or nil.
    /// - Throws: `NetworkError` for a network that does not exist or fit.
    init(
        _ real: RealImages,
        parameters: IDC.Parameters,
        augmentation: SiameseAugmentation,
        seed: UInt64,
        precision: DType?
    ) throws {
        self.real = real
        self.parameters = parameters
        self.seed = seed
        self.precision = precision
        var augmentation = augmentation
        // CutMix cuts out enough.
        if parameters.cutMixProbability > 0 { augmentation.operations.removeAll { $0 == .cutout } }
        self.augmentation = augmentation
        (classifier, optimizer) = try MatchingNetworks.made(0, real, parameters, seed)
    }

    private static func made(
        _ network: Int,
        _ real: RealImages,
        _ parameters: IDC.Parameters,
        _ seed: UInt64
    ) throws(NetworkError) -> (any ImageClassifier, SGD) {
        let classifier = try real.makeMatchingNetwork(
            NetworkName(parameters.network),
            number: network,
            seed: seed
        )
        let optimizer = SGD(
            classifier.trainableParameters(),
            learningRate: parameters.networkLearningRate,
            momentum: parameters.networkMomentum,
            weightDecay: parameters.networkWeightDecay
        )
        return (classifier, optimizer)
    }

    /// Begins a new network.
    func begin(_ network: Int) throws(NetworkError) {
        (classifier, optimizer) = try MatchingNetworks.made(network, real, parameters, seed)
    }

    // MARK: - Training

    private var batchesPerEpoch: Int {
        (real.set.count + parameters.realBatchSize - 1) / parameters.realBatchSize
    }

    /// Batches of one step.
    private var batchesPerStep: Int {
        (parameters.networkImages + parameters.realBatchSize - 1) / parameters.realBatchSize
    }

    /// Steps of an epoch before the first match; short enough to be interrupted between them.
    private var stepsPerEarlyEpoch: Int {
        let batches = max(batchesPerStep, 1)
        return (batchesPerEpoch + batches - 1) / batches
    }

    /// Number of steps before the first match.
    var earlySteps: Int { parameters.earlyEpochs * stepsPerEarlyEpoch }

    /// A part of an epoch over all images.
    ///
    /// - Parameters:
    ///   - network: The number of the network.
    ///   - position: The number of the step since its begin.
    ///   - step: The number of the step of the whole run.
    /// - Returns: The mean loss.
    func trainEarly(network: Int, _ position: Int, step: Int) -> Double? {
        let (epoch, part) = position.quotientAndRemainder(dividingBy: stepsPerEarlyEpoch)
        var order = RandomGenerator(
            seed: seed,
            purpose: .dataOrder,
            index: UInt64(network * parameters.earlyEpochs + epoch)
        )
        let size = max(batchesPerStep, 1) * parameters.realBatchSize
        let places = order.permutation(real.set.count).dropFirst(part * size).prefix(size)
        var generator = generator(step)
        return train(on: Array(places), using: &generator)
    }

    /// Some batches of images, drawn without putting any back.
    ///
    /// - Parameter step: The number of the step of the whole run.
    /// - Returns: The mean loss; nil if there is nothing to train on.
    func train(step: Int) -> Double? {
        var generator = generator(step)
        let size = batchesPerStep * parameters.realBatchSize
        let places = generator.permutation(real.set.count).prefix(size)
        return train(on: Array(places), using: &generator)
    }

    private func generator(_ step: Int) -> RandomGenerator {
        RandomGenerator(seed: seed, purpose: .networkTraining, index: UInt64(step))
    }

    private func train(on places: [Int], using generator: inout RandomGenerator) -> Double? {
        guard !places.isEmpty else { return nil }
        var sum = 0.0
        for start in stride(from: 0, to: places.count, by: parameters.realBatchSize) {
            let batch = Array(places[start..<min(start + parameters.realBatchSize, places.count)])
            let labels = Tensor(batch.map { real.set.labels[$0] }).moved(to: real.set.device)
            var x = real.normalized(batch)  // [B, C, H, W]
            let (height, width) = (real.set.height, real.set.width)
            x = augmentation.drawByIDC(
                imageCount: batch.count,
                height: height,
                width: width,
                using: &generator
            )(x)
            let isMixed = generator.uniform() < parameters.cutMixProbability
            let mix =
                isMixed
                ? CutMix(batch: batch.count, height: height, width: width, using: &generator) : nil
            x = classifier.inPreferredOrder(mix?.mixed(x) ?? x)
            let logits = withAutocast(precision, on: x.device) { classifier(x) }
                .converted(to: .float32)
            let loss = mix?.loss(logits, labels: labels) ?? logits.crossEntropy(to: labels)
            optimizer.zeroGradients()
            loss.backward()
            optimizer.step()
            sum += loss.item * Double(batch.count)
        }
        // A match asks for gradients without collecting them.
        optimizer.zeroGradients()
        return sum / Double(places.count)
    }

    // MARK: - State

    /// Weights (`model.…`) and momentum (`optimizer.…`).
    func state() -> StateDictionary {
        var state = classifier.state().addingPrefix("model.")
        state.merge(optimizer.state().addingPrefix("optimizer."))
        return state
    }

    /// Restores what `state()` returned; the network has the shape of every other one.
    func restore(_ state: StateDictionary) throws(StateMismatchError) {
        try classifier.load(state.removingPrefix("model."))
        try optimizer.load(state.removingPrefix("optimizer."))
    }
}
