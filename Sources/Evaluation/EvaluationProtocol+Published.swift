import Training

extension EvaluationProtocol {
    /// The hard-label protocol of Minimax Diffusion (Gu et al., CVPR 2024, `train.py`) for grey
    /// images of 28×28 pixels.
    ///
    /// Normalisation by the training set, RandomResizedCrop (0.5 to 1), mirror images, brightness
    /// and contrast 0.4, CutMix in every step; SGD with momentum 0.9, weight decay 5e-4 and
    /// learning rate 0.01, ×0.2 at ⅔ and ⅚ of the epochs; batches of 64. Without saturation and
    /// lighting, which need colours, and with mirror images although some things have a left and a
    /// right.
    public static let guHard28 = EvaluationProtocol(
        baseID: "gu-hard-28",
        usualImageSize: 28,
        channels: 1,
        resizesImages: false,
        statistics: nil,
        usualAugmentation: .publishedGrey,
        usualSiamese: nil,
        usuallyMixes: true,
        usualLabels: .hard,
        firstLook: 0,
        rules: .gu
    )

    /// The published protocol on photographs: all numbers of the paper are measured at 224 pixels,
    /// also those of images generated at 256.
    public static let guHard224 = guHard(imageSize: 224)

    /// The published protocol with images of 256×256 pixels.
    public static let guHard256 = guHard(imageSize: 256)

    /// The rules of the published protocol at 64×64 pixels; the size is this package's own, for
    /// small machines.
    public static let guHard64 = guHard(imageSize: 64)

    /// The rules of the published protocol at 128×128 pixels; the size is this package's own, for
    /// small machines.
    public static let guHard128 = guHard(imageSize: 128)

    /// The hard-label protocol of Minimax Diffusion (Gu et al., CVPR 2024, `train.py`) for
    /// photographs, `gu-hard-SIZE`.
    ///
    /// Training and test images: the shorter side to the size (bilinear, antialiased), the middle
    /// square, normalisation by ImageNet's mean and deviation. Training images: RandomResizedCrop
    /// (area 0.5 to 1, ratio ¾ to 4/3), mirror images, brightness, contrast and saturation 0.4 in
    /// random order, lighting 0.1, CutMix in every step. SGD with momentum 0.9, weight decay 5e-4
    /// and learning rate 0.01, ×0.2 at ⅔ and ⅚ of the epochs; batches of 64. For more than 100
    /// classes weight decay 1e-4, learning rate 0.1 and batches of 128.
    ///
    /// - Parameter imageSize: Pixels a side; published: 224.
    /// - Returns: The protocol.
    package static func guHard(imageSize: Int) -> EvaluationProtocol {
        EvaluationProtocol(
            baseID: "gu-hard-\(imageSize)",
            usualImageSize: imageSize,
            channels: 3,
            resizesImages: true,
            statistics: .imageNet,
            usualAugmentation: .published,
            usualSiamese: nil,
            usuallyMixes: true,
            usualLabels: .hard,
            firstLook: 0,
            rules: .guPhotographs
        )
    }

    /// The protocol of DM and DSA (Zhao & Bilen, WACV 2023 and ICML 2021) for grey images of 28×28
    /// pixels.
    public static let dsa28 = dsa(imageSize: 28, channels: 1)

    /// The protocol of DM and DSA for colour images of 32×32 pixels, those of CIFAR.
    public static let dsa32 = dsa(imageSize: 32, channels: 3)

    /// The hard-label protocol of DM and DSA (VICO-UoE/DatasetCondensation), `dm-dsa-SIZE`.
    ///
    /// Normalisation by the training set, one operation of Siamese augmentation a batch with
    /// numbers of its own for every image; SGD with momentum 0.9, weight decay 5e-4 and learning
    /// rate 0.01, ×0.1 after half of 1000 epochs; batches of 256. The source normalises by the
    /// whole dataset that was distilled, and reports the last epoch of 20 networks.
    private static func dsa(imageSize: Int, channels: Int) -> EvaluationProtocol {
        EvaluationProtocol(
            baseID: "dm-dsa-\(imageSize)",
            usualImageSize: imageSize,
            channels: channels,
            resizesImages: false,
            statistics: nil,
            usualAugmentation: .none,
            usualSiamese: .published,
            usuallyMixes: false,
            usualLabels: .hard,
            firstLook: 0,
            rules: .dsa
        )
    }

    /// The soft-label protocol of RDED (Sun et al., CVPR 2024, `validation`): a teacher labels every
    /// mixed batch.
    ///
    /// Training images: patches of a 2×2 grid shuffled, RandomResizedCrop to 224 (area 0.5 to 1,
    /// antialiased), mirror images, normalisation by ImageNet, CutMix. Loss: Kullback-Leibler
    /// divergence at T = 20, without T². AdamW, learning rate 0.001 along half of a half cosine,
    /// weight decay 0.01 for matrices only; batches of 10 for 1 image a class, 50 up to 10, else 100,
    /// twice that from 100 classes. Test images: the shorter side to 256, the middle 224. Looks at the
    /// test set only in the last fifth of 300 epochs. Square training images of one size keep it
    /// until the crop; others are brought to 224 first.
    public static let rdedSoft300 = EvaluationProtocol(
        baseID: "rded-soft-300",
        usualImageSize: 224,
        channels: 3,
        resizesImages: true,
        statistics: .imageNet,
        usualAugmentation: Augmentation(
            patchGrid: 2,
            cropScale: 0.5...1,
            cropSize: 224,
            antialiasesCrop: true,
            flipProbability: 0.5
        ),
        usualSiamese: nil,
        usuallyMixes: true,
        usualLabels: .soft(temperature: 20),
        firstLook: 0.8,
        rules: .rded
    )

    /// The soft-label protocol of SRe2L (Yin et al., NeurIPS 2023) after FKD (Shen & Xing, ECCV
    /// 2022): crops, mixtures and the teacher's scores are drawn once and stored for 300 epochs.
    ///
    /// RandomResizedCrop to 224 (area 0.08 to 1), mirror images, CutMix, all from seed 42; T = 20
    /// without T². AdamW, learning rate 0.001 along a half cosine to zero, weight decay 0.01 for
    /// matrices only, batches of 1024. Test images as in `rdedSoft300`.
    public static let fkd300 = EvaluationProtocol(
        baseID: "fkd-300",
        usualImageSize: 224,
        channels: 3,
        resizesImages: true,
        statistics: .imageNet,
        usualAugmentation: Augmentation(
            cropScale: 0.08...1,
            cropSize: 224,
            antialiasesCrop: true,
            flipProbability: 0.5
        ),
        usualSiamese: nil,
        usuallyMixes: true,
        usualLabels: .storedSoft(temperature: 20, imageSeed: 42),
        firstLook: 0.8,
        rules: .fkd
    )

    /// Every protocol.
    public static let all: [EvaluationProtocol] = [
        guHard28, guHard64, guHard128, guHard224, guHard256, dsa28, dsa32, rdedSoft300, fkd300,
    ]

    /// The protocol with a name, and what its variations change.
    ///
    /// - Parameter id: A name, or one with variations: `rded-soft-300+size=64+epochs=30`.
    /// - Returns: The protocol.
    /// - Throws: `TrainingError` that lists the names there are, or tells what is wrong with a
    ///   variation.
    public static func named(_ id: String) throws(TrainingError) -> EvaluationProtocol {
        let parts = id.split(separator: "+", omittingEmptySubsequences: false)
        guard var match = all.first(where: { $0.baseID == parts[0] }) else {
            let names = all.map(\.baseID).joined(separator: ", ")
            throw TrainingError(
                .invalidOption,
                "\"\(parts[0])\" is no evaluation protocol: expected one of \(names)."
            )
        }
        match.variation = try Variation(parts.dropFirst().map(String.init), of: match)
        return match
    }
}
