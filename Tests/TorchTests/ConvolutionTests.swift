import TestSupport
import Testing
import Torch

/// A convolution of the tests: 3 images, 5 to 7 channels.
struct ConvolutionCase: CustomTestStringConvertible {
    let height: Int
    let width: Int
    let kernelSize: Int
    let stride: Int
    let padding: Int

    var testDescription: String {
        "\(height)×\(width), kernel \(kernelSize), stride \(stride), padding \(padding)"
    }

    /// The last one is too wide for the way of small maps.
    static let all = [
        ConvolutionCase(height: 4, width: 4, kernelSize: 3, stride: 1, padding: 1),
        ConvolutionCase(height: 7, width: 7, kernelSize: 3, stride: 2, padding: 1),
        ConvolutionCase(height: 5, width: 8, kernelSize: 3, stride: 1, padding: 1),
        ConvolutionCase(height: 7, width: 6, kernelSize: 1, stride: 2, padding: 0),
        ConvolutionCase(height: 3, width: 3, kernelSize: 3, stride: 1, padding: 0),
        ConvolutionCase(height: 9, width: 4, kernelSize: 5, stride: 3, padding: 2),
        ConvolutionCase(height: 4, width: 20, kernelSize: 3, stride: 1, padding: 1),
    ]
}

/// In bfloat16, kernels of convolutions on small maps have a gradient of their own.
@Suite("Convolutions of small maps")
struct ConvolutionTests {
    /// Leaves whose values are exact in bfloat16: images, kernels, and what the gradient weighs.
    private func leaves(_ size: ConvolutionCase, channelsLast: Bool) -> [Tensor] {
        var generator = RandomGenerator(seed: 23)
        let height = (size.height + 2 * size.padding - size.kernelSize) / size.stride + 1
        let width = (size.width + 2 * size.padding - size.kernelSize) / size.stride + 1
        let shapes = [
            [3, 5, size.height, size.width],
            [7, 5, size.kernelSize, size.kernelSize],
            [3, 7, height, width],
        ]
        return shapes.map { shape in
            let x = generator.normal(shape).converted(to: .bfloat16).converted(to: .float32)
            let leaf = x.contiguous(channelsLast: channelsLast).detached()
            leaf.requiresGradient = true
            return leaf
        }
    }

    private func convolved(_ leaves: [Tensor], _ size: ConvolutionCase) -> Tensor {
        leaves[0].convolved(weight: leaves[1], stride: size.stride, padding: size.padding)
    }

    @Test(
        "gradients are those of float32",
        arguments: ConvolutionCase.all,
        [false, true]
    )
    func gradients(_ size: ConvolutionCase, channelsLast: Bool) throws {
        func derivatives(_ dtype: DType?) throws -> [Tensor] {
            let leaves = leaves(size, channelsLast: channelsLast)
            let y = withAutocast(dtype) { convolved(leaves, size) }
            #expect(y.dtype == dtype ?? .float32)
            let found = Tensor.gradients(
                of: [y.converted(to: .float32)],
                by: Array(leaves[0...1]),
                weights: [leaves[2].detached()]
            )
            return try found.map { try #require($0) }
        }
        for (found, expected) in try zip(derivatives(.bfloat16), derivatives(nil)) {
            #expect(found.shape == expected.shape)
            #expect(found.dtype == .float32)
            expectClose(found, expected, relative: 1e-2)
        }
    }

    @Test("a kernel alone, or images alone, can have a gradient")
    func oneGradient() throws {
        let size = ConvolutionCase.all[0]
        for index in 0...1 {
            func derivative(_ dtype: DType?) throws -> Tensor {
                var leaves = leaves(size, channelsLast: false)
                leaves[1 - index] = leaves[1 - index].detached()
                let y = withAutocast(dtype) { convolved(leaves, size) }
                let sum = y.converted(to: .float32).sum()
                let found = Tensor.gradients(of: [sum], by: [leaves[index]])
                return try #require(found[0])
            }
            try expectClose(derivative(.bfloat16), derivative(nil), relative: 1e-2)
        }
    }

    @Test("gradients can be differentiated", arguments: ConvolutionCase.all)
    func secondGradients(_ size: ConvolutionCase) throws {
        func derivatives(_ dtype: DType?) throws -> [Tensor] {
            let leaves = leaves(size, channelsLast: true)
            let y = withAutocast(dtype) { convolved(leaves, size) }
            let first = Tensor.gradients(
                of: [y.converted(to: .float32)],
                by: [leaves[1]],
                weights: [leaves[2]],
                creatingGraph: true
            )
            let slope = try #require(first[0])
            let second = Tensor.gradients(of: [slope.squared().sum()], by: [leaves[0], leaves[2]])
            return try second.map { try #require($0) }
        }
        for (found, expected) in try zip(derivatives(.bfloat16), derivatives(nil)) {
            expectClose(found, expected, relative: 2e-2)
        }
    }
}
