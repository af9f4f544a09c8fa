import Foundation
import Models
import NeuralNetworks
import Torch
import Training

/// A measurement whose parts are known to fit each other.
struct EvaluationPlan {
    let options: EvaluationOptions
    let device: Device
    /// What networks are trained on.
    let train: ImageSet
    /// Training images that only choose the epoch; nil unless that is asked for.
    let heldBack: ImageSet?
    let test: ImageSet
    let statistics: ChannelStatistics
    let imagesPerClass: Int
    let teacher: (network: Teacher, record: Teacher.Record)?
    let identity: EvaluationCheckpoint.Identity
    /// Where the network of the first seed is kept.
    let networkFile: URL?
    private let softLabels: URL?

    init(
        train: EvaluationSet,
        test: EvaluationSet,
        options: EvaluationOptions,
        device: Device,
        teacher: Teacher? = nil,
        softLabels: URL? = nil,
        network: URL? = nil
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
        try proto.validate(train.images, for: .train, subject: trainName)
        try proto.validate(matched, for: .test, subject: testName)

        let classCount = train.images.classCount
        let perClass = Int((Double(train.images.count) / Double(classCount)).rounded())
        imagesPerClass = options.storedImagesPerClass ?? perClass
        let usual = proto.usualEpochs(imagesPerClass: perClass, classCount: classCount)
        let epochs = options.epochs ?? proto.variation.epochs ?? usual
        let precision = options.precision ?? .automatic(on: device)
        self.options = options
        self.device = device
        self.softLabels = softLabels
        networkFile = network
        statistics = try proto.statistics ?? ChannelStatistics(reading: train.images)
        if options.selection == .holdout {
            try proto.requireHoldout(width: train.images.width, height: train.images.height)
        }
        let parts = try EvaluationPlan.split(train.images, options, subject: trainName)
        self.train = parts.kept.moved(to: device)
        heldBack = parts.heldBack?.moved(to: device)
        self.test = matched.moved(to: device)
        self.teacher = try EvaluationPlan.checked(
            teacher,
            proto,
            on: self.test,
            fingerprint: test.fingerprint,
            precision: precision
        )
        identity = EvaluationCheckpoint.Identity(
            method: options.method,
            network: "\(options.network)",
            evaluationProtocol: proto.name(
                epochs: epochs,
                imagesPerClass: imagesPerClass,
                trainingImagesPerClass: perClass,
                classCount: classCount,
                network: options.network
            ),
            train: train.identity,
            test: test.identity,
            seeds: options.seeds,
            epochs: epochs,
            evaluations: min(options.evaluations, epochs),
            selection: options.selection == .holdout
                ? "holdout \(options.heldBackShare)" : nil,
            teacher: teacher?.record.digest,
            precision: precision,
            device: "\(device)",
            batchSize: proto.optimization(
                classCount: classCount,
                imagesPerClass: imagesPerClass,
                network: options.network
            ).batchSize,
            storesLabels: softLabels != nil && proto.storesSoftLabels
        )
        // Found out now rather than after the first seed.
        _ = try makeClassifier(seed: 0)
    }

    /// Holds images of every class back, the same for every seed, if the options say so.
    private static func split(
        _ set: ImageSet,
        _ options: EvaluationOptions,
        subject: String
    ) throws(TrainingError) -> (kept: ImageSet, heldBack: ImageSet?) {
        guard options.selection == .holdout else { return (set, nil) }
        var members = [[Int]](repeating: [], count: set.classCount)
        for (place, label) in set.labels.enumerated() { members[label].append(place) }
        var (kept, held) = ([Int](), [Int]())
        for (label, places) in members.enumerated() {
            guard places.count > 1 else {
                throw TrainingError(
                    .emptyClass,
                    "\(subject) has one image of \"\(set.classNames[label])\": none can be held "
                        + "back to choose the epoch by. Report the last epoch instead."
                )
            }
            var generator = RandomGenerator(seed: 0, purpose: .selection, index: UInt64(label))
            let order = generator.permutation(places.count).map { places[$0] }
            let wanted = Int((Double(places.count) * options.heldBackShare).rounded())
            let count = min(max(wanted, 1), places.count - 1)
            held += order.prefix(count)
            kept += order.dropFirst(count)
        }
        return (set.subset(kept.sorted()), set.subset(held.sorted()))
    }

    /// Makes sure that there is a teacher where one is needed, and that it knows its subject.
    private static func checked(
        _ teacher: Teacher?,
        _ proto: EvaluationProtocol,
        on test: ImageSet,
        fingerprint: String,
        precision: Precision
    ) throws -> (network: Teacher, record: Teacher.Record)? {
        guard proto.needsTeacher else {
            guard teacher == nil else {
                throw TrainingError(
                    .invalidOption,
                    "The protocol \(proto.id) has hard labels: it needs no teacher."
                )
            }
            return nil
        }
        guard let teacher else {
            throw TrainingError(
                .invalidOption,
                "The protocol \(proto.id) has soft labels: name a trained network as teacher. "
                    + "`distill evaluate --save FILE` trains one on the whole dataset."
            )
        }
        try teacher.requireFit(channels: test.channels, imageSize: test.height)
        var record = teacher.record
        record.accuracy = try teacher.checkedAccuracy(
            on: test,
            fingerprint: fingerprint,
            precision: precision
        )
        return (teacher, record)
    }

    /// A network with the first weights of a seed.
    func makeClassifier(seed: Int) throws(NetworkError) -> any ImageClassifier {
        var generator = RandomGenerator(seed: UInt64(seed), purpose: .initialization)
        let classifier = try options.network.makeClassifier(
            imageSize: options.evaluationProtocol.imageSize,
            channels: train.channels,
            classCount: train.classCount,
            using: &generator
        )
        if device != .cpu { classifier.move(to: device) }
        return classifier
    }

    /// How the network of a seed is trained.
    func trainingOptions(seed: Int) -> TrainingOptions {
        let proto = options.evaluationProtocol
        let optimization = proto.optimization(
            classCount: train.classCount,
            imagesPerClass: imagesPerClass,
            network: options.network
        )
        var training = TrainingOptions(
            epochs: identity.epochs,
            batchSize: optimization.batchSize,
            update: optimization.update,
            learningRate: optimization.learningRate,
            schedule: optimization.schedule,
            weightDecay: optimization.weightDecay,
            decayFactor: optimization.decayFactor,
            augmentation: proto.augmentation,
            siamese: proto.siamese,
            usesCutMix: proto.usesCutMix,
            evaluations: identity.evaluations,
            firstLook: proto.firstLook,
            precision: identity.precision,
            seed: UInt64(seed)
        )
        switch proto.labels {
        case .hard: break
        case .soft(let temperature): training.temperature = temperature
        case .storedSoft(let temperature, let imageSeed):
            training.temperature = temperature
            training.imageSeed = imageSeed
        }
        return training
    }

    /// What labels the images in the place of their classes; nil: nothing.
    func labelling() throws -> (any SoftLabelling)? {
        guard let teacher else { return nil }
        let labelling = try teacher.network.labelling(
            train.classNames,
            normalizedBy: statistics,
            precision: identity.precision
        )
        guard let softLabels, case .storedSoft = options.evaluationProtocol.labels else {
            return labelling
        }
        let training = trainingOptions(seed: 0)
        let settings = [
            identity.evaluationProtocol, identity.train.fingerprint, teacher.record.digest,
            "\(training.epochs)", "\(training.batchSize)", identity.precision.rawValue,
        ]
        return try SoftLabelStore(
            softLabels,
            identity: settings.joined(separator: " "),
            teacher: labelling,
            stepsPerEpoch: training.stepsPerEpoch(imageCount: train.count),
            imageCount: train.count
        )
    }
}

extension EvaluationProtocol {
    /// Makes sure that training images of a size can be held back to choose the epoch.
    package func requireHoldout(width: Int, height: Int) throws(TrainingError) {
        guard (width, height) != (imageSize, imageSize) else { return }
        throw TrainingError(
            .invalidOption,
            "The epoch can only be chosen on images held back where training images have the "
                + "protocol's size: \(id) cuts those of \(width)×\(height) pixels to \(imageSize) "
                + "while it trains. Report the last epoch instead."
        )
    }
}
