import Foundation
import Models
import NeuralNetworks
import Torch
import Training

/// Measures how good a training set is: networks are trained on it from scratch, one for each
/// seed, and tested on other images.
///
/// With a checkpoint an interrupted measurement is resumed: finished seeds are kept, and the result
/// is that of a measurement without interruption, bit for bit on the same device with the same
/// number of threads. A stop by `progress` loses nothing. A process that is killed loses one step,
/// or the work of a second (twenty times the time of saving, if that is longer).
///
/// - Parameters:
///   - train: What the networks are trained on.
///   - test: What they are tested on; its classes are matched with those of `train` by name.
///   - options: What is measured, and how.
///   - device: Where the networks are computed.
///   - checkpoint: The file in which an unfinished measurement is kept; its folder must exist.
///     It is left there when the measurement is done.
///   - progress: Hears of every event and decides whether to go on.
/// - Returns: The result.
/// - Throws: `TrainingError` or `NetworkError` if sets, network and options do not fit each other,
///   `CheckpointError` if the checkpoint cannot be read or written, `EvaluationInterruption` if
///   `progress` stops the measurement.
public func evaluate(
    train: EvaluationSet,
    test: EvaluationSet,
    options: EvaluationOptions,
    on device: Device = .cpu,
    checkpoint: URL? = nil,
    progress: (EvaluationEvent) throws -> ProgressDisposition = { _ in .continue }
) throws -> EvaluationResult {
    let plan = try EvaluationPlan(train: train, test: test, options: options, device: device)
    var run = try EvaluationRun(plan, checkpoint: checkpoint, progress: progress)
    for position in options.seeds.indices.dropFirst(run.record.finished.count) {
        try run.train(position, progress: progress)
    }
    return run.result
}

/// A measurement whose parts are known to fit each other.
struct EvaluationPlan {
    let options: EvaluationOptions
    let device: Device
    let train: ImageSet
    let test: ImageSet
    let statistics: ChannelStatistics
    let imagesPerClass: Int
    let identity: EvaluationCheckpoint.Identity

    init(
        train: EvaluationSet,
        test: EvaluationSet,
        options: EvaluationOptions,
        device: Device
    ) throws {
        try options.validate()
        let proto = options.evaluationProtocol
        let (trainName, testName) = ("the training set \(train.path)", "the test set \(test.path)")
        let matched = try test.images.relabelled(
            toMatch: train.images.classNames,
            subject: testName,
            other: trainName
        )
        try train.images.requireImagesInEveryClass(trainName)
        try matched.requireImagesInEveryClass(testName)
        try proto.validate(train.images, subject: trainName)
        try proto.validate(matched, subject: testName)

        let classCount = train.images.classCount
        let perClass = Double(train.images.count) / Double(classCount)
        imagesPerClass = Int(perClass.rounded())
        let usual = EvaluationProtocol.epochs(
            imagesPerClass: imagesPerClass,
            classCount: classCount
        )
        let epochs = options.epochs ?? usual
        identity = EvaluationCheckpoint.Identity(
            method: options.method,
            network: "\(options.network)",
            evaluationProtocol: epochs == usual ? proto.id : "\(proto.id)+epochs=\(epochs)",
            train: train.identity,
            test: test.identity,
            seeds: options.seeds,
            epochs: epochs,
            evaluations: min(options.evaluations, epochs),
            precision: options.precision ?? .automatic(on: device),
            device: "\(device)"
        )
        self.options = options
        self.device = device
        statistics = proto.statistics ?? ChannelStatistics(of: train.images)
        self.train = train.images.moved(to: device)
        self.test = matched.moved(to: device)
        // Found out now rather than after the first seed.
        _ = try makeClassifier(seed: 0)
    }

    /// A network with the first weights of a seed.
    func makeClassifier(seed: Int) throws(NetworkError) -> any ImageClassifier {
        var generator = RandomGenerator(seed: UInt64(seed), purpose: .initialization)
        let classifier = try options.network.makeClassifier(
            imageSize: train.height,
            channels: train.channels,
            classCount: train.classCount,
            using: &generator
        )
        if device != .cpu { classifier.move(to: device) }
        return classifier
    }

    /// How the network of a seed is trained.
    func trainingOptions(seed: Int) -> TrainingOptions {
        let optimization = options.evaluationProtocol.optimization(classCount: train.classCount)
        return TrainingOptions(
            epochs: identity.epochs,
            batchSize: optimization.batchSize,
            learningRate: optimization.learningRate,
            weightDecay: optimization.weightDecay,
            augmentation: options.evaluationProtocol.augmentation,
            evaluations: identity.evaluations,
            precision: identity.precision,
            seed: UInt64(seed)
        )
    }
}
