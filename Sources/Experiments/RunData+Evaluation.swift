import Datasets
import Evaluation
import Training

extension RunData {
    /// Loads a surrogate as an evaluation protocol wants it.
    static func load(
        _ images: any LabelledImages,
        _ settings: DataSettings,
        for evaluationProtocol: EvaluationProtocol
    ) throws -> ImageSet {
        try evaluationProtocol.load(
            images,
            centerCrop: settings.size > 0 ? settings.size : nil,
            channels: settings.channels > 0 ? settings.channels : nil
        )
    }

    /// The test images as an evaluation protocol wants them: made from the files if it resizes,
    /// not from the crops for the diffusion model.
    func testSet(for evaluationProtocol: EvaluationProtocol) throws -> EvaluationSet {
        EvaluationSet(
            images: evaluationProtocol.resizesImages
                ? try RunData.load(testSource, settings, for: evaluationProtocol) : test,
            path: settings.test.path,
            fingerprint: testFingerprint
        )
    }

    /// The first real images of every class, in the place of a surrogate that is not made yet.
    func firstTrainingImages(
        _ imagesPerClass: Int,
        for evaluationProtocol: EvaluationProtocol
    ) throws -> EvaluationSet {
        EvaluationSet(
            images: try RunData.load(
                source.firstOfEachClass(imagesPerClass),
                settings,
                for: evaluationProtocol
            ),
            path: settings.train.path,
            fingerprint: trainFingerprint
        )
    }
}

extension LabelledImages {
    /// The first images of every class, fewer where a class has fewer.
    fileprivate func firstOfEachClass(_ count: Int) -> SubsetDataset {
        SubsetDataset(of: self, indices: indicesByClass().flatMap { $0.prefix(count) })
    }
}
