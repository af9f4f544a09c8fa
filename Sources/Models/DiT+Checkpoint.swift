import Checkpoints

extension DiT.Configuration {
    /// Size and shape as a checkpoint's tensors tell them.
    ///
    /// - Parameter sizes: What the shapes say; look at its `guesses`.
    public init(_ sizes: ModelSizes.DiT) {
        self.init(
            inputSize: sizes.inputSize,
            patchSize: sizes.patchSize,
            channels: sizes.channels,
            hiddenSize: sizes.hiddenSize,
            depth: sizes.depth,
            headCount: sizes.headCount,
            mlpRatio: sizes.mlpRatio,
            classCount: sizes.classCount,
            learnsVariance: sizes.learnsVariance,
            scaledBlockCount: sizes.scaledBlockCount
        )
    }
}
