import Torch

extension DiT {
    /// What the parts of a forward pass compute, for tests and for looking inside.
    package struct Intermediates {
        /// Cosines and sines of the timesteps, [B, 256].
        package let timestepFeatures: Tensor
        /// [B, D].
        package let timestepEmbedding: Tensor
        /// [B, D].
        package let labelEmbedding: Tensor
        /// The embedded patches with their positions, [B, T, D].
        package let tokens: Tensor
        /// The tokens after each block, [B, T, D].
        package let blocks: [Tensor]
    }

    /// Runs a forward pass and keeps what its parts compute.
    package func intermediates(
        _ x: Tensor,
        timesteps: Tensor,
        labels: Tensor
    ) -> Intermediates {
        let c = condition(timesteps: timesteps, labels: labels)
        let tokens = patchEmbedder(x) + positions
        var x = tokens
        return Intermediates(
            timestepFeatures: timestepEmbedder.features(timesteps),
            timestepEmbedding: timestepEmbedder(timesteps),
            labelEmbedding: labelEmbedder(labels),
            tokens: tokens,
            blocks: blocks.map {
                x = $0(x, condition: c)
                return x
            }
        )
    }
}
