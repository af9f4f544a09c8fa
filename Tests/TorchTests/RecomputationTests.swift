import TestSupport
import Testing
import Torch

/// Counts how often it was called, and tells when it is freed.
private final class Counter {
    var calls = 0
    var dtypes = [DType]()
}

@Suite("Results that are computed again for the gradient")
struct RecomputationTests {
    private let x: Tensor
    private let weight: Tensor

    init() {
        var generator = RandomGenerator(seed: 4)
        x = generator.normal([3, 4])
        weight = generator.normal([4, 4])
        x.requiresGradient = true
        weight.requiresGradient = true
    }

    private func layer(_ x: Tensor) -> Tensor { x.matmul(weight).tanh() * x }

    @Test("have the gradients of the computation itself, by inputs and by parameters")
    func gradients() throws {
        let expected = Tensor.gradients(of: [layer(x).squared().sum()], by: [x, weight])
        let y = Tensor.recomputing([x], parameters: [weight]) { layer($0[0]) }
        expectIdentical(y.detached(), layer(x).detached())
        let found = Tensor.gradients(of: [y.squared().sum()], by: [x, weight])
        for (found, expected) in zip(found, expected) {
            expectIdentical(try #require(found), try #require(expected))
        }
        #expect(x.gradient == nil && weight.gradient == nil)
        Tensor.recomputing([x], parameters: [weight]) { layer($0[0]) }.squared().sum().backward()
        expectIdentical(try #require(weight.gradient), try #require(expected[1]))
        expectIdentical(try #require(x.gradient), try #require(expected[0]))
    }

    @Test("have second derivatives")
    func secondDerivatives() throws {
        func second(_ function: (Tensor) -> Tensor) -> [Tensor?] {
            // From x on, so that the graph before the inputs counts as well.
            let first = Tensor.gradients(
                of: [function(x * 2).squared().sum()],
                by: [x, weight],
                creatingGraph: true
            )
            let norm = first.compactMap { $0?.squared().sum() }.reduce(Tensor(0), +)
            return Tensor.gradients(of: [norm], by: [x, weight])
        }
        let expected = second { layer($0) }
        let found = second { x in
            .recomputing([x], parameters: [weight]) { layer($0[0]) }
        }
        for (found, expected) in zip(found, expected) {
            expectClose(try #require(found), try #require(expected), relative: 1e-6)
        }
    }

    @Test("are computed once for the result, once for the gradient, once where none is recorded")
    func calls() {
        let counter = Counter()
        func result() -> Tensor {
            .recomputing([x], parameters: [weight]) {
                counter.calls += 1
                return layer($0[0])
            }
        }
        let y = result().sum()
        #expect(counter.calls == 1)
        y.backward()
        #expect(counter.calls == 2)
        withoutGradient { #expect(!result().requiresGradient) }
        #expect(counter.calls == 3)
    }

    @Test("are computed again under the same autocast, which then is as it was")
    func autocast() throws {
        let counter = Counter()
        func product(_ x: Tensor) -> Tensor {
            let y = x.matmul(weight)
            counter.dtypes.append(y.dtype)
            return y.converted(to: .float32)
        }
        let y = withAutocast(.bfloat16) {
            // The cast of the weight that autocast remembers here must have a history.
            let before = product(x)
            return before + .recomputing([x], parameters: [weight]) { product($0[0]) } + product(x)
        }
        y.sum().backward()
        #expect(counter.dtypes == [.bfloat16, .bfloat16, .bfloat16, .bfloat16])
        #expect(product(x).dtype == .float32)
        let found = try #require(weight.gradient)
        weight.gradient = nil
        withAutocast(.bfloat16) { product(x) + product(x) + product(x) }.sum().backward()
        expectClose(found, try #require(weight.gradient), relative: 1e-2)

        // And the other way round: a gradient that is asked for under autocast.
        counter.dtypes = []
        let z = Tensor.recomputing([x], parameters: [weight]) { product($0[0]) }.sum()
        withAutocast(.bfloat16) { z.backward() }
        #expect(counter.dtypes == [.float32, .float32])
    }

    @Test("keep nothing once the gradient is computed, or the result is dropped")
    func leaks() {
        weak var counter: Counter?
        func result() -> Tensor {
            let captured = Counter()
            counter = captured
            return .recomputing([x], parameters: [weight]) {
                captured.calls += 1
                return layer($0[0])
            }
        }
        func step() {
            result().sum().backward()
            #expect(counter == nil)
            (x.gradient, weight.gradient) = (nil, nil)
            _ = result()
            #expect(counter == nil)
            let y = result()
            #expect(counter?.calls == 1)
            withExtendedLifetime(y) {}
        }
        step()
        expectNoLeaks { step() }
    }

    @Test("take the memory of one of them where a chain keeps all")
    func memory() {
        let (width, count) = (256, 16)
        let start = Tensor.ones([width, width])
        start.requiresGradient = true
        func peak(_ link: (Tensor) -> Tensor) -> Int {
            Memory.peakTensorBytes {
                var x = start
                for _ in 0..<count { x = link(x) }
                _ = Tensor.gradients(of: [x.sum()], by: [start])
            }
        }
        // Eight results a link.
        func link(_ x: Tensor) -> Tensor { (0..<8).reduce(x) { x, _ in x.tanh() } }
        let bytes = width * width * 4
        let whole = peak(link)
        #expect(whole >= 8 * count * bytes)
        let recomputed = peak { x in .recomputing([x], parameters: []) { link($0[0]) } }
        #expect(recomputed <= (count + 8 + 6) * bytes)
    }
}
