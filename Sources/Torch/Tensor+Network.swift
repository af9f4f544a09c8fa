import CTorch

extension Tensor {
    /// x·Wᵀ + b.
    ///
    /// - Parameters:
    ///   - weight: [outputs, inputs].
    ///   - bias: [outputs].
    /// - Returns: The last axis replaced by the outputs.
    public func linear(weight: Tensor, bias: Tensor? = nil) -> Tensor {
        Tensor.of("linear", self, weight, bias) {
            ct_linear(handle, weight.handle, bias?.handle, &$0)
        }
    }

    /// Rows of a table [rows, width] named by int64 indices of any shape.
    public func embedding(of indices: Tensor) -> Tensor {
        Tensor.of("embedding", self, indices) { ct_embedding(handle, indices.handle, &$0) }
    }

    /// The two-dimensional convolution of [B, C, H, W].
    ///
    /// - Parameters:
    ///   - weight: [outputs, C / groups, kernel height, kernel width].
    ///   - bias: [outputs].
    ///   - stride: Pixels between two outputs, both axes.
    ///   - padding: Zeros added on every side.
    ///   - groups: Independent groups of channels.
    /// - Returns: [B, outputs, H', W'].
    public func convolved(
        weight: Tensor,
        bias: Tensor? = nil,
        stride: Int = 1,
        padding: Int = 0,
        groups: Int = 1
    ) -> Tensor {
        Tensor.of("convolved", self, weight, bias) {
            ct_conv2d(
                handle,
                weight.handle,
                bias?.handle,
                Int64(stride),
                Int64(padding),
                Int64(groups),
                &$0
            )
        }
    }

    /// The mean of every kernel×kernel window of [B, C, H, W].
    public func averagePooled(kernelSize: Int, stride: Int? = nil) -> Tensor {
        Tensor.of("averagePooled", self) {
            ct_avg_pool2d(handle, Int64(kernelSize), Int64(stride ?? kernelSize), &$0)
        }
    }

    /// The maximum of every kernel×kernel window of [B, C, H, W].
    public func maxPooled(kernelSize: Int, stride: Int? = nil, padding: Int = 0) -> Tensor {
        Tensor.of("maxPooled", self) {
            ct_max_pool2d(
                handle,
                Int64(kernelSize),
                Int64(stride ?? kernelSize),
                Int64(padding),
                &$0
            )
        }
    }

    /// The means of height×width equal parts of [B, C, H, W].
    public func adaptiveAveragePooled(height: Int, width: Int) -> Tensor {
        Tensor.of("adaptiveAveragePooled", self) {
            ct_adaptive_avg_pool2d(handle, Int64(height), Int64(width), &$0)
        }
    }

    /// Mean 0 and variance 1 over the last axis, then scale and shift.
    public func layerNormalized(
        width: Int,
        weight: Tensor? = nil,
        bias: Tensor? = nil,
        epsilon: Double = 1e-5
    ) -> Tensor {
        Tensor.of("layerNormalized", self, weight, bias) {
            ct_layer_norm(handle, Int64(width), weight?.handle, bias?.handle, epsilon, &$0)
        }
    }

    /// Mean 0 and variance 1 over each group of channels of [B, C, H, W], then scale and shift.
    public func groupNormalized(
        groups: Int,
        weight: Tensor? = nil,
        bias: Tensor? = nil,
        epsilon: Double = 1e-5
    ) -> Tensor {
        Tensor.of("groupNormalized", self, weight, bias) {
            ct_group_norm(handle, Int64(groups), weight?.handle, bias?.handle, epsilon, &$0)
        }
    }

    /// Mean 0 and variance 1 over the batch for each channel, then scale and shift.
    ///
    /// In training the batch's own statistics are used and the running ones updated.
    public func batchNormalized(
        weight: Tensor?,
        bias: Tensor?,
        runningMean: Tensor?,
        runningVariance: Tensor?,
        isTraining: Bool,
        momentum: Double = 0.1,
        epsilon: Double = 1e-5
    ) -> Tensor {
        Tensor.of("batchNormalized", self, weight, bias, runningMean, runningVariance) {
            ct_batch_norm(
                handle,
                weight?.handle,
                bias?.handle,
                runningMean?.handle,
                runningVariance?.handle,
                isTraining,
                momentum,
                epsilon,
                &$0
            )
        }
    }

    /// softmax(q·kᵀ/√width)·v over [B, heads, tokens, width], in one fused kernel.
    public static func attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor {
        of("attention", query, key, value) {
            ct_attention(query.handle, key.handle, value.handle, &$0)
        }
    }

    /// The cross entropy of logits [B, classes] to labels [B] or probabilities [B, classes].
    ///
    /// - Parameters:
    ///   - target: int64 labels, or probabilities.
    ///   - labelSmoothing: Share of the probability spread over all classes, 0 to 1.
    ///   - reducing: Whether the mean over the batch is taken.
    /// - Returns: A scalar, or [B].
    public func crossEntropy(
        to target: Tensor,
        labelSmoothing: Double = 0,
        reducing: Bool = true
    ) -> Tensor {
        Tensor.of("crossEntropy", self, target) {
            ct_cross_entropy(handle, target.handle, labelSmoothing, reducing, &$0)
        }
    }

    /// target·(log target − self), element by element; self holds logarithms.
    public func klDivergence(to target: Tensor) -> Tensor {
        Tensor.of("klDivergence", self, target) { ct_kl_divergence(handle, target.handle, &$0) }
    }

    /// [B, C, H, W] at another size, half-pixel centres.
    ///
    /// - Parameters:
    ///   - height: New height.
    ///   - width: New width.
    ///   - bilinear: Bilinear, else the nearest pixel.
    ///   - antialias: Whether the filter is widened when shrinking.
    /// - Returns: [B, C, height, width].
    public func interpolated(
        height: Int,
        width: Int,
        bilinear: Bool = true,
        antialias: Bool = false
    ) -> Tensor {
        Tensor.of("interpolated", self) {
            ct_interpolate(handle, Int64(height), Int64(width), bilinear, antialias, &$0)
        }
    }

    /// Sampling positions for affine maps [B, 2, 3] and images [B, C, H, W]: [B, H, W, 2].
    public static func affineGrid(_ theta: Tensor, shape: [Int]) -> Tensor {
        guard shape.count == 4 else {
            trap("affineGrid: the shape of images [B, C, H, W] is needed, not \(shape)")
        }
        return of("affineGrid", theta) { ct_affine_grid(theta.handle, shape.int64, &$0) }
    }

    /// [B, C, H, W] sampled bilinearly at the positions of a grid, zero outside.
    public func sampled(at grid: Tensor) -> Tensor {
        Tensor.of("sampled", self, grid) { ct_grid_sample(handle, grid.handle, &$0) }
    }
}
