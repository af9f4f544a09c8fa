import Torch

extension PackedImages {
    /// All images as a tensor on the CPU.
    ///
    /// - Returns: A copy, unsigned bytes, [N, C, H, W].
    package func tensor() -> Tensor {
        Tensor(bytes: bytes, shape: [count, height, width, channels], dtype: .uint8)
            .permuted(0, 3, 1, 2).contiguous()
    }

    /// The labels as a tensor on the CPU.
    ///
    /// - Returns: 64-bit integers, [N].
    package func labelTensor() -> Tensor {
        Tensor(labels.map(Int64.init))
    }
}
