import Datasets
import Evaluation
import Training

extension RunData {
    /// Loads a surrogate as an evaluation protocol wants it.
    static func load(
        _ images: any LabelledImages,
        _ settings: DataSettings,
        for evaluationProtocol: EvaluationProtocol,
        role: EvaluationProtocol.Role
    ) throws -> ImageSet {
        try evaluationProtocol.load(
            images,
            for: role,
            centerCrop: settings.size > 0 ? settings.size : nil,
            channels: settings.channels > 0 ? settings.channels : nil
        )
    }

    /// The test images as an evaluation protocol wants them, in memory: made from the files if it
    /// resizes, not from the crops for the diffusion model.
    func testSet(for evaluationProtocol: EvaluationProtocol) throws -> EvaluationSet {
        if let loadedTest, loadedTest.protocolID == evaluationProtocol.id { return loadedTest.set }
        guard let testSource, let testFingerprint else { throw RunData.noTestImages }
        let set = EvaluationSet(
            images: try RunData.load(
                testSource,
                settings,
                for: evaluationProtocol,
                role: .test
            ),
            path: testPath,
            fingerprint: testFingerprint
        )
        loadedTest = (evaluationProtocol.id, set)
        return set
    }

    /// Makes sure, by names of classes and one image, that a protocol can test with these images.
    ///
    /// - Throws: `RunError` if there are none, `TrainingError` if classes or sizes do not fit.
    func requireTestImages(for evaluationProtocol: EvaluationProtocol) throws {
        guard let testSource else { throw RunData.noTestImages }
        let subject = "the test set \(testPath)"
        let first = try RunData.load(
            testSource.subset([0]),
            settings,
            for: evaluationProtocol,
            role: .test
        )
        _ = try first.relabelled(
            toMatch: classNames,
            subject: subject,
            other: "the training set \(settings.train.path)"
        )
        try evaluationProtocol.validate(first, for: .test, subject: subject)
    }

    private static let noTestImages = RunError(
        .invalidSettings,
        "data.test.path is empty, so networks cannot be tested: name the folder of images that were "
            + "never seen, or hold back a part of the training images with data.holdout."
    )

    /// Some real images of every class, in the place of a surrogate that is not made yet.
    func someTrainingImages(
        _ imagesPerClass: Int,
        for evaluationProtocol: EvaluationProtocol
    ) throws -> EvaluationSet {
        let chosen = source.chosenPerClass(imagesPerClass, seed: 0).flatMap(\.self)
        return EvaluationSet(
            images: try RunData.load(
                source.subset(chosen),
                settings,
                for: evaluationProtocol,
                role: .train
            ),
            path: settings.train.path,
            fingerprint: trainFingerprint
        )
    }
}
