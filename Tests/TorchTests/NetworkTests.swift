import Foundation
import TestSupport
import Testing
import Torch

/// Each operation is compared with loops that follow its definition.
@Suite("What layers are made of")
struct NetworkTests {
    private var generator = RandomGenerator(seed: 6)

    private func array4(_ x: Tensor) -> (Int, Int, Int, Int) -> Double {
        let shape = x.shape
        let values: [Double] = x.values()
        return { b, c, h, w in
            guard h >= 0, h < shape[2], w >= 0, w < shape[3] else { return 0 }
            return values[((b * shape[1] + c) * shape[2] + h) * shape[3] + w]
        }
    }

    private func make(_ shape: [Int], _ value: (Int, Int, Int, Int) -> Double) -> Tensor {
        var values = [Double]()
        for b in 0..<shape[0] {
            for c in 0..<shape[1] {
                for h in 0..<shape[2] {
                    for w in 0..<shape[3] { values.append(value(b, c, h, w)) }
                }
            }
        }
        return Tensor(values, shape: shape)
    }

    @Test("linear is x·Wᵀ + b")
    mutating func linear() {
        let x = generator.normal([2, 3, 5])
        let weight = generator.normal([4, 5])
        let bias = generator.normal([4])
        expectClose(
            x.linear(weight: weight, bias: bias),
            x.matmul(weight.transposed(0, 1)) + bias,
            relative: 1e-5
        )
        expectClose(
            x.linear(weight: weight),
            x.matmul(weight.transposed(0, 1)),
            relative: 1e-5
        )
    }

    @Test("embedding takes rows of a table")
    func embedding() {
        let table = Tensor([0, 1, 10, 11, 20, 21] as [Float], shape: [3, 2])
        let rows = table.embedding(of: Tensor([2, 0, 2, 1] as [Int], shape: [2, 2]))
        expectValues(rows, [20, 21, 0, 1, 20, 21, 10, 11], shape: [2, 2, 2])
    }

    @Test(
        "convolution follows its definition",
        arguments: [(1, 0, 1), (2, 1, 1), (1, 1, 2), (2, 0, 2)] as [(Int, Int, Int)]
    )
    mutating func convolution(_ stride: Int, _ padding: Int, _ groups: Int) {
        let x = generator.normal([2, 4, 6, 5])
        let weight = generator.normal([6, 4 / groups, 3, 3])
        let bias = generator.normal([6])
        let (input, kernel) = (array4(x), array4(weight))
        let offset: [Double] = bias.values()
        let height = (6 + 2 * padding - 3) / stride + 1
        let width = (5 + 2 * padding - 3) / stride + 1
        let expected = make([2, 6, height, width]) { b, o, h, w in
            var sum = offset[o]
            for c in 0..<4 / groups {
                let channel = o / (6 / groups) * (4 / groups) + c
                for i in 0..<3 {
                    for j in 0..<3 {
                        sum +=
                            kernel(o, c, i, j)
                            * input(b, channel, h * stride + i - padding, w * stride + j - padding)
                    }
                }
            }
            return sum
        }
        let result = x.convolved(
            weight: weight,
            bias: bias,
            stride: stride,
            padding: padding,
            groups: groups
        )
        expectClose(result, expected, relative: 1e-5)
        let channelsLast = x.contiguous(channelsLast: true).convolved(
            weight: weight.contiguous(channelsLast: true),
            bias: bias,
            stride: stride,
            padding: padding,
            groups: groups
        )
        expectClose(channelsLast, expected, relative: 1e-5)
    }

    @Test("pooling")
    mutating func pooling() {
        let x = generator.normal([2, 3, 6, 6])
        let input = array4(x)
        let window = { (b: Int, c: Int, h: Int, w: Int) in
            (0..<4).map { input(b, c, 2 * h + $0 / 2, 2 * w + $0 % 2) }
        }
        expectClose(
            x.averagePooled(kernelSize: 2),
            make([2, 3, 3, 3]) { window($0, $1, $2, $3).reduce(0, +) / 4 },
            relative: 1e-6
        )
        expectClose(
            x.maxPooled(kernelSize: 2),
            make([2, 3, 3, 3]) { window($0, $1, $2, $3).max() ?? 0 }
        )
        #expect(x.averagePooled(kernelSize: 3, stride: 1).shape == [2, 3, 4, 4])
        #expect(x.maxPooled(kernelSize: 3, stride: 2, padding: 1).shape == [2, 3, 3, 3])
        expectClose(
            x.adaptiveAveragePooled(height: 1, width: 1),
            x.mean(axes: [2, 3], keepingAxes: true),
            absolute: 1e-6
        )
        expectClose(
            x.adaptiveAveragePooled(height: 3, width: 3),
            x.averagePooled(kernelSize: 2),
            absolute: 1e-6
        )
    }

    @Test("layer and group normalisation")
    mutating func normalisation() {
        let x = generator.normal([3, 4, 2, 5]) * 3 + 1
        let scale = generator.normal([5])
        let shift = generator.normal([5])
        let mean = x.mean(along: -1, keepingAxis: true)
        let deviation = (x.variance(axes: [-1], correction: 0, keepingAxes: true) + 1e-3).sqrt()
        expectClose(
            x.layerNormalized(width: 5, weight: scale, bias: shift, epsilon: 1e-3),
            (x - mean) / deviation * scale + shift,
            relative: 1e-5
        )
        expectClose(
            x.layerNormalized(width: 5, epsilon: 1e-3),
            (x - mean) / deviation,
            relative: 1e-5
        )

        let groups = x.reshaped(3, 2, -1)
        let groupMean = groups.mean(along: -1, keepingAxis: true)
        let variance = groups.variance(axes: [-1], correction: 0, keepingAxes: true)
        let normal = ((groups - groupMean) / (variance + 1e-5).sqrt()).reshaped(3, 4, 2, 5)
        let weight = generator.normal([4])
        let bias = generator.normal([4])
        expectClose(
            x.groupNormalized(groups: 2, weight: weight, bias: bias),
            normal * weight.reshaped(4, 1, 1) + bias.reshaped(4, 1, 1),
            relative: 1e-5
        )
    }

    @Test("batch normalisation uses and updates its statistics")
    mutating func batchNormalisation() {
        let x = generator.normal([4, 3, 2, 2]) * 2 + 1
        let mean = Tensor.zeros([3])
        let variance = Tensor.ones([3])
        let y = x.batchNormalized(
            weight: nil,
            bias: nil,
            runningMean: mean,
            runningVariance: variance,
            isTraining: true,
            momentum: 0.1
        )
        let batchMean = x.mean(axes: [0, 2, 3])
        expectClose(mean, batchMean * 0.1, relative: 1e-5)
        expectClose(variance, x.variance(axes: [0, 2, 3]) * 0.1 + 0.9, relative: 1e-5)
        expectClose(y.mean(axes: [0, 2, 3]), .zeros([3]), absolute: 1e-6)
        expectClose(y.variance(axes: [0, 2, 3], correction: 0), .ones([3]), relative: 1e-4)
        let before = mean.copied()
        let z = x.batchNormalized(
            weight: Tensor([2, 2, 2] as [Float]),
            bias: Tensor([1, 1, 1] as [Float]),
            runningMean: mean,
            runningVariance: variance,
            isTraining: false
        )
        expectIdentical(mean, before)
        let expected =
            (x - mean.reshaped(3, 1, 1)) / (variance.reshaped(3, 1, 1) + 1e-5).sqrt() * 2 + 1
        expectClose(z, expected, relative: 1e-5)
    }

    @Test("attention is softmax(q·kᵀ/√width)·v")
    mutating func attention() {
        let q = generator.normal([2, 3, 5, 8])
        let k = generator.normal([2, 3, 7, 8])
        let v = generator.normal([2, 3, 7, 4])
        let weights = (q.matmul(k.transposed(-1, -2)) / sqrt(8)).softmax(along: -1)
        expectClose(
            .attention(query: q, key: k, value: v),
            weights.matmul(v),
            relative: 1e-5
        )
    }

    @Test("cross entropy to labels, to probabilities, smoothed and per sample")
    mutating func crossEntropy() {
        let logits = generator.normal([3, 4])
        let labels = Tensor([2, 0, 3] as [Int])
        let oneHot = labels.oneHot(classCount: 4).converted(to: .float32)
        let log = logits.logSoftmax(along: 1)
        let each = -(log * oneHot).sum(along: 1)
        expectClose(logits.crossEntropy(to: labels), each.mean(), relative: 1e-6)
        expectClose(logits.crossEntropy(to: labels, reducing: false), each, relative: 1e-6)
        let soft = generator.normal([3, 4]).softmax(along: 1)
        expectClose(logits.crossEntropy(to: soft), -(log * soft).sum() / 3, relative: 1e-6)
        let smooth = oneHot * 0.9 + 0.1 / 4
        expectClose(
            logits.crossEntropy(to: labels, labelSmoothing: 0.1),
            -(log * smooth).sum() / 3,
            relative: 1e-6
        )
        expectClose(
            log.klDivergence(to: soft),
            soft * (soft.log() - log),
            relative: 1e-5
        )
    }

    @Test("interpolation uses half-pixel centres")
    func interpolation() {
        let x = Tensor([0, 10, 20, 30] as [Float], shape: [1, 1, 1, 4])
        expectValues(
            x.interpolated(height: 1, width: 8),
            [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30],
            shape: [1, 1, 1, 8],
            absolute: 1e-5
        )
        expectValues(
            x.interpolated(height: 2, width: 2, bilinear: false),
            [0, 20, 0, 20],
            shape: [1, 1, 2, 2]
        )
        // Without a wider filter only the two nearest pixels count.
        expectValues(x.interpolated(height: 1, width: 2), [5, 25], shape: [1, 1, 1, 2])
        // With it, a triangle of half-width 2 around 1 (in pixel edges): weights 3/8, 3/8, 1/8 …
        let wide: [Double] = [(0 * 3 + 10 * 3 + 20.0) / 7, (10 + 20 * 3 + 30 * 3.0) / 7]
        expectValues(
            x.interpolated(height: 1, width: 2, antialias: true),
            wide,
            shape: [1, 1, 1, 2],
            absolute: 1e-5
        )
    }

    @Test("the identity map samples the image itself, a shift moves it")
    mutating func sampling() {
        let x = generator.normal([2, 3, 4, 6])
        let identity = Tensor([1, 0, 0, 0, 1, 0] as [Float], shape: [1, 2, 3])
        let grid = Tensor.affineGrid(identity.expanded([2, 2, 3]), shape: [2, 3, 4, 6])
        #expect(grid.shape == [2, 4, 6, 2])
        expectClose(x.sampled(at: grid), x, absolute: 1e-5)
        // A shift by 2/width in units of the half width is one pixel; outside is zero.
        let shift = Tensor([1, 0, 2.0 / 6, 0, 1, 0] as [Float], shape: [1, 2, 3])
        let moved = x.sampled(
            at: .affineGrid(shift.expanded([2, 2, 3]), shape: [2, 3, 4, 6])
        )
        expectClose(moved.sliced(0..<5, along: 3), x.sliced(1..<6, along: 3), absolute: 1e-5)
        expectClose(moved.sliced(5..<6, along: 3), .zeros([2, 3, 4, 1]), absolute: 1e-5)
    }
}
