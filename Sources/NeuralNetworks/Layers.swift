import Torch

/// The affine map x·Wᵀ + b.
///
/// Input shape: [..., inputs]. Output shape: [..., outputs].
public final class Linear: Module {
    /// W, [outputs, inputs].
    @Parameter(isMatrix: true) public var weight: Tensor
    /// b, [outputs].
    @Parameter public var bias: Tensor?

    /// Makes a layer with zero weights; the model that owns it initialises them.
    ///
    /// - Parameters:
    ///   - inputs: Width of the last axis.
    ///   - outputs: Width of the result.
    ///   - usesBias: Whether b is there.
    public init(_ inputs: Int, _ outputs: Int, usesBias: Bool = true) {
        super.init()
        weight = .zeros([outputs, inputs])
        bias = usesBias ? .zeros([outputs]) : nil
    }

    /// Maps [..., inputs] to [..., outputs].
    public func callAsFunction(_ x: Tensor) -> Tensor { x.linear(weight: weight, bias: bias) }
}

/// The two-dimensional convolution.
///
/// Input shape: [B, C, H, W]. Output shape: [B, outputs, H', W'].
public final class Conv2d: Module {
    /// The kernels, [outputs, inputs / groups, kernel height, kernel width].
    @Parameter(isMatrix: true) public var weight: Tensor
    /// What is added to each output channel.
    @Parameter public var bias: Tensor?
    private let stride: Int
    private let padding: Int
    private let groups: Int

    /// Makes a layer with zero weights; the model that owns it initialises them.
    ///
    /// - Parameters:
    ///   - inputChannels: Channels of the input.
    ///   - outputChannels: Channels of the result.
    ///   - kernelSize: Pixels a side.
    ///   - stride: Pixels between two outputs.
    ///   - padding: Zeros added on every side.
    ///   - groups: Independent groups of channels.
    ///   - usesBias: Whether a bias is added.
    public init(
        inputChannels: Int,
        outputChannels: Int,
        kernelSize: Int,
        stride: Int = 1,
        padding: Int = 0,
        groups: Int = 1,
        usesBias: Bool = true
    ) {
        self.stride = stride
        self.padding = padding
        self.groups = groups
        super.init()
        let shape = [outputChannels, inputChannels / groups, kernelSize, kernelSize]
        weight = .zeros(shape)
        bias = usesBias ? .zeros([outputChannels]) : nil
    }

    /// Maps [B, C, H, W] to [B, outputs, H', W'].
    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.convolved(weight: weight, bias: bias, stride: stride, padding: padding, groups: groups)
    }
}

/// A table of vectors, one for each integer.
///
/// Input shape: any, int64. Output shape: [..., width].
public final class Embedding: Module {
    /// The vectors, [count, width].
    @Parameter public var weight: Tensor

    /// Makes a table of zeros; the model that owns it initialises them.
    public init(count: Int, width: Int) {
        super.init()
        weight = .zeros([count, width])
    }

    /// Maps [...] to [..., width].
    public func callAsFunction(_ indices: Tensor) -> Tensor { weight.embedding(of: indices) }
}

/// Mean 0 and variance 1 over the last axis.
///
/// Input shape: [..., width]. Output shape: the same.
public final class LayerNorm: Module {
    /// The scale, [width].
    @Parameter public var weight: Tensor?
    /// The shift, [width].
    @Parameter public var bias: Tensor?
    private let width: Int
    private let epsilon: Double

    /// Makes a layer.
    ///
    /// - Parameters:
    ///   - width: Size of the last axis.
    ///   - epsilon: Added to the variance.
    ///   - isAffine: Whether a learned scale and shift follow.
    public init(_ width: Int, epsilon: Double = 1e-5, isAffine: Bool = true) {
        self.width = width
        self.epsilon = epsilon
        super.init()
        weight = isAffine ? .ones([width]) : nil
        bias = isAffine ? .zeros([width]) : nil
    }

    /// Maps [..., width] to [..., width].
    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.layerNormalized(width: width, weight: weight, bias: bias, epsilon: epsilon)
    }
}

/// Mean 0 and variance 1 over each group of channels; one group a channel is instance norm.
///
/// Input shape: [B, C, H, W]. Output shape: the same.
public final class GroupNorm: Module {
    /// The scale, [channels].
    @Parameter public var weight: Tensor
    /// The shift, [channels].
    @Parameter public var bias: Tensor
    private let groupCount: Int
    private let epsilon: Double

    /// Makes a layer with scale 1 and shift 0.
    public init(groupCount: Int, channels: Int, epsilon: Double = 1e-5) {
        self.groupCount = groupCount
        self.epsilon = epsilon
        super.init()
        weight = .ones([channels])
        bias = .zeros([channels])
    }

    /// Maps [B, C, H, W] to [B, C, H, W].
    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.groupNormalized(groups: groupCount, weight: weight, bias: bias, epsilon: epsilon)
    }
}

/// Mean 0 and variance 1 over the batch for each channel, with running statistics.
///
/// Input shape: [B, C, H, W]. Output shape: the same.
public final class BatchNorm2d: Module {
    /// The scale, [channels].
    @Parameter public var weight: Tensor
    /// The shift, [channels].
    @Parameter public var bias: Tensor
    /// The running mean of the batches, [channels].
    @Buffer("running_mean") public var runningMean: Tensor
    /// The running variance of the batches, unbiased, [channels].
    @Buffer("running_var") public var runningVariance: Tensor
    /// Number of batches seen in training.
    @Buffer("num_batches_tracked") public var batchCount: Tensor
    private let momentum: Double
    private let epsilon: Double

    /// Makes a layer with scale 1 and shift 0.
    public init(channels: Int, momentum: Double = 0.1, epsilon: Double = 1e-5) {
        self.momentum = momentum
        self.epsilon = epsilon
        super.init()
        weight = .ones([channels])
        bias = .zeros([channels])
        runningMean = .zeros([channels])
        runningVariance = .ones([channels])
        batchCount = .zeros([], dtype: .int64)
    }

    /// Maps [B, C, H, W] to [B, C, H, W].
    public func callAsFunction(_ x: Tensor) -> Tensor {
        if isTraining { withoutGradient { batchCount.add(.ones([], dtype: .int64)) } }
        return x.batchNormalized(
            weight: weight,
            bias: bias,
            runningMean: runningMean,
            runningVariance: runningVariance,
            isTraining: isTraining,
            momentum: momentum,
            epsilon: epsilon
        )
    }
}
