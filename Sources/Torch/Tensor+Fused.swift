import CTorch

extension Tensor {
    /// Mean 0 and variance 1 over each channel of each image, scale, shift, max(x, 0), and the
    /// mean of every 2×2 window: the end of a ConvNet block in one pass.
    ///
    /// Channels-last tensors on a CPU take the one pass, which is several times as fast as the
    /// single operations, with the same numbers up to rounding; all others take the single
    /// operations.
    ///
    /// - Parameters:
    ///   - weight: Scale, [C], float32.
    ///   - bias: Shift, [C], float32.
    ///   - epsilon: Added to the variance.
    /// - Returns: [B, C, ⌊H/2⌋, ⌊W/2⌋].
    public func instanceNormalizedRectifiedPooled(
        weight: Tensor,
        bias: Tensor,
        epsilon: Double = 1e-5
    ) -> Tensor {
        Tensor.of("instanceNormalizedRectifiedPooled", self, weight, bias) {
            ct_instance_norm_relu_pool(handle, weight.handle, bias.handle, epsilon, &$0)
        }
    }
}
