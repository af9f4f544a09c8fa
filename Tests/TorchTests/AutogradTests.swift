import TestSupport
import Testing
import Torch

/// A leaf of float64 normal numbers.
private func leaf(_ shape: [Int], _ generator: inout RandomGenerator) -> Tensor {
    let x = generator.normal(shape).converted(to: .float64)
    x.requiresGradient = true
    return x
}

/// The derivative of a scalar function by central differences, element by element.
private func differences(_ x: Tensor, step: Double = 1e-5, _ function: () -> Tensor) -> Tensor {
    withoutGradient {
        let flat = x.detached().reshaped(-1)
        let slopes = (0..<flat.count).map { place -> Double in
            let element = flat[place]
            let value = element.item
            element.fill(with: value + step)
            let above = withGradient { function() }.item
            element.fill(with: value - step)
            let below = withGradient { function() }.item
            element.fill(with: value)
            return (above - below) / (2 * step)
        }
        return Tensor(slopes, shape: x.shape)
    }
}

/// Expects that the gradients of a scalar function agree with central differences.
private func expectGradients(
    by inputs: [Tensor],
    relative: Double = 1e-6,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ function: () -> Tensor
) {
    let gradients = Tensor.gradients(of: [function()], by: inputs)
    for (input, gradient) in zip(inputs, gradients) {
        expectClose(
            gradient ?? .zeros(like: input),
            differences(input, function),
            relative: relative,
            absolute: 1e-8,
            sourceLocation: sourceLocation
        )
    }
}

@Suite("Gradients")
struct AutogradTests {
    private var generator = RandomGenerator(seed: 7)

    @Test("backward adds to the gradients of the leaves")
    func accumulation() throws {
        let x = Tensor([1, 2, 3] as [Float])
        x.requiresGradient = true
        #expect(x.gradient == nil)
        x.squared().sum().backward()
        expectValues(try #require(x.gradient), [2, 4, 6])
        (x * 10).sum().backward()
        expectValues(try #require(x.gradient), [12, 14, 16])
        x.gradient = nil
        #expect(x.gradient == nil)
        x.backward(weights: Tensor([1, 0, 2] as [Float]))
        expectValues(try #require(x.gradient), [1, 0, 2])
        x.gradient = .ones([3])
        expectValues(try #require(x.gradient), [1, 1, 1])
    }

    @Test("a gradient that is set lies in memory like its tensor")
    func gradientLayout() throws {
        let x = Tensor.zeros([2, 3])
        let turned = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2]).transposed(0, 1)
        x.gradient = turned
        let gradient = try #require(x.gradient)
        #expect(gradient.strides == x.strides && !gradient.sharesStorage(with: turned))
        expectValues(gradient, [1, 3, 5, 2, 4, 6], shape: [2, 3])
        let straight = Tensor.ones([2, 3])
        x.gradient = straight
        #expect(x.gradient?.sharesStorage(with: straight) == true)
    }

    @Test("gradients by chosen inputs leave the leaves alone")
    mutating func chosenInputs() throws {
        let x = leaf([2], &generator)
        let y = leaf([2], &generator)
        let unused = leaf([2], &generator)
        let product = x * y
        let gradients = Tensor.gradients(of: [product.sum()], by: [x, y, unused, product])
        expectIdentical(try #require(gradients[0]), y.detached())
        expectIdentical(try #require(gradients[1]), x.detached())
        #expect(gradients[2] == nil)
        expectValues(try #require(gradients[3]), [1, 1])
        #expect(x.gradient == nil)
        let weights = Tensor([2.0, 3.0])
        let weighted = Tensor.gradients(of: [x * y], by: [x], weights: [weights])
        expectIdentical(try #require(weighted[0]), y.detached() * weights)
    }

    @Test("a kept history can be used twice")
    func retaining() throws {
        let x = Tensor(3)
        x.requiresGradient = true
        let y = x.squared()
        y.backward(retainingGraph: true)
        y.backward()
        #expect(x.gradient?.item == 12)
    }

    @Test("gradients agree with finite differences: arithmetic and functions")
    mutating func arithmetic() {
        let x = leaf([3, 4], &generator)
        let y = leaf([4], &generator)
        expectGradients(by: [x, y]) {
            ((x * y).sin() + x.exp() / (y.squared() + 1) - (x - y).tanh().squared()).sum()
        }
        expectGradients(by: [x]) { (x.gelu() + x.silu() * x.sigmoid()).norm() }
        expectGradients(by: [x]) { (x.softmax(along: 1) * x.logSoftmax(along: 0)).sum() }
        expectGradients(by: [x]) { x.variance(axes: [1]).sqrt().sum() }
        expectGradients(by: [x, y]) {
            x.matmul(y).crossEntropy(to: Tensor([0.2, 0.3, 0.5])) + x.max() * x.min()
        }
        expectGradients(by: [x]) {
            Tensor.concatenated([x[0..<2], x.flipped(along: 1)]).rolled(by: 1, along: 1)
                .padded([1, 1]).power(3).mean()
        }
    }

    @Test("gradients agree with finite differences: layers")
    mutating func layers() {
        let x = leaf([2, 4, 3, 3], &generator)
        let kernel = leaf([4, 2, 3, 3], &generator)
        let scale = leaf([4], &generator)
        expectGradients(by: [x, kernel, scale]) {
            x.convolved(weight: kernel, bias: scale, padding: 1, groups: 2)
                .groupNormalized(groups: 2, weight: scale).relu().averagePooled(kernelSize: 2).sum()
        }
        let q = leaf([1, 2, 3, 4], &generator)
        let k = leaf([1, 2, 3, 4], &generator)
        let v = leaf([1, 2, 3, 4], &generator)
        expectGradients(by: [q, k, v]) {
            Tensor.attention(query: q, key: k, value: v).squared().sum()
        }
        let weight = leaf([4], &generator)
        expectGradients(by: [q, weight]) {
            (q.layerNormalized(width: 4, weight: weight) * q).sum()
        }
        expectGradients(by: [x]) {
            (x.interpolated(height: 5, width: 4)
                + x.interpolated(height: 5, width: 4, antialias: true))
                .squared().sum()
        }
    }

    @Test("second derivatives of a polynomial")
    func secondDerivatives() throws {
        let x = Tensor([1.0, 2, 3])
        x.requiresGradient = true
        let first = Tensor.gradients(of: [x.power(3).sum()], by: [x], creatingGraph: true)
        let slope = try #require(first[0])
        expectValues(slope, [3, 12, 27])
        let second = try #require(Tensor.gradients(of: [slope.sum()], by: [x])[0])
        expectValues(second, [6, 12, 18])
    }

    @Test("the gradient of a gradient's distance agrees with finite differences")
    mutating func gradientMatching() throws {
        // What gradient matching needs: images are changed so that the gradients they cause come
        // near to given ones.
        let images = leaf([3, 2, 4, 4], &generator)
        let kernel = leaf([4, 2, 3, 3], &generator)
        let weight = leaf([5, 16], &generator)
        let labels = Tensor([1, 4, 0] as [Int])
        let target = generator.normal([5, 16]).converted(to: .float64)
        func distance() -> Tensor {
            let logits = images.convolved(weight: kernel, padding: 1)
                .groupNormalized(groups: 4).silu().averagePooled(kernelSize: 2)
                .flattened(from: 1).linear(weight: weight)
            let gradients = Tensor.gradients(
                of: [logits.crossEntropy(to: labels)],
                by: [weight, kernel],
                creatingGraph: true
            )
            guard let g = gradients[0], let h = gradients[1] else { return Tensor(0) }
            return (g - target).squared().sum() + h.squared().sum()
        }
        expectGradients(by: [images, weight], relative: 1e-5) { distance() }
    }

    @Test("a detached tensor shares memory, not history")
    func detaching() {
        let x = Tensor.ones([2])
        x.requiresGradient = true
        let y = (x * 2).detached()
        #expect(!y.requiresGradient)
        #expect(x.detached().sharesStorage(with: x))
    }

    @Test("history and gradients are freed")
    mutating func leaks() {
        let x = leaf([4], &generator)
        expectNoLeaks {
            for _ in 0..<10 {
                let first = Tensor.gradients(of: [x.power(3).sum()], by: [x], creatingGraph: true)
                if let slope = first[0] { slope.squared().sum().backward() }
                x.gradient = nil
            }
        }
    }
}
