import TestSupport
import Testing
import Torch

@Suite("Scopes")
struct ScopeTests {
    private struct Stop: Error {}

    private func weights() -> Tensor {
        let weight = Tensor.ones([3, 3])
        weight.requiresGradient = true
        return weight
    }

    @Test("no history is recorded without gradients, also after an error")
    func withoutGradients() throws {
        let x = weights()
        #expect(!withoutGradient { x * 2 }.requiresGradient)
        #expect(withoutGradient { withGradient { x * 2 } }.requiresGradient)
        #expect((x * 2).requiresGradient)
        #expect(throws: Stop.self) { try withoutGradient { throw Stop() } }
        #expect((x * 2).requiresGradient)
        withoutGradient {
            #expect(throws: Stop.self) { try withGradient { throw Stop() } }
            #expect(!(x * 2).requiresGradient)
        }
    }

    @Test("a leaf may be changed in place inside a scope without gradients")
    func updates() {
        let x = weights()
        withoutGradient { x.add(.ones([3, 3]), scaledBy: -0.5) }
        #expect(x.requiresGradient)
        expectClose(x, .full([3, 3], 0.5))
    }

    @Test("inference mode records nothing and ends with its scope")
    func inference() throws {
        let x = weights()
        let y = withInference { x.matmul(x) }
        #expect(!y.requiresGradient)
        expectClose(y, .full([3, 3], 3))
        #expect(throws: Stop.self) { try withInference { throw Stop() } }
        #expect((x * 2).requiresGradient)
    }

    @Test("autocast lowers matrix products and nothing outside of it")
    func autocast() throws {
        let x = weights()
        #expect(x.matmul(x).dtype == .float32)
        let (product, sum) = withAutocast(.bfloat16) { (x.matmul(x), x + x) }
        #expect(product.dtype == .bfloat16)
        #expect(sum.dtype == .float32)
        #expect(x.matmul(x).dtype == .float32)
        #expect(withAutocast(nil) { x.matmul(x) }.dtype == .float32)
        #expect(withAutocast(.float32) { x.matmul(x) }.dtype == .float32)
        #expect(throws: Stop.self) { try withAutocast(.bfloat16) { throw Stop() } }
        #expect(x.matmul(x).dtype == .float32)
        // Nested scopes restore the outer one.
        withAutocast(.bfloat16) {
            #expect(withAutocast(.bfloat16) { x.matmul(x) }.dtype == .bfloat16)
            #expect(x.matmul(x).dtype == .bfloat16)
        }
    }

    @Test("gradients of autocast products are float32")
    func autocastGradients() throws {
        let x = weights()
        let loss = withAutocast(.bfloat16) { x.matmul(x).converted(to: .float32).sum() }
        loss.backward()
        let gradient = try #require(x.gradient)
        #expect(gradient.dtype == .float32)
        expectClose(gradient, .full([3, 3], 6))
    }

    @Test("a cast made without gradients is not used where they are recorded")
    func autocastCache() throws {
        let x = weights()
        let input = Tensor.ones([2, 3])
        let loss = withAutocast(.bfloat16) {
            _ = withoutGradient { input.linear(weight: x) }
            return input.linear(weight: x).converted(to: .float32).sum()
        }
        loss.backward()
        expectClose(try #require(x.gradient), .full([3, 3], 2))
    }

    @Test("nor where they are recorded again inside of a scope without them")
    func autocastCacheInside() throws {
        let x = weights()
        let input = Tensor.ones([2, 3])
        let loss = withAutocast(.bfloat16) {
            withoutGradient {
                _ = input.linear(weight: x)
                return withGradient { input.linear(weight: x).converted(to: .float32).sum() }
            }
        }
        #expect(loss.requiresGradient)
        loss.backward()
        expectClose(try #require(x.gradient), .full([3, 3], 2))
    }

    @Test("a cast made in inference mode is not used outside of it")
    func autocastCacheOfInference() throws {
        let x = weights()
        let input = Tensor.ones([2, 3])
        let loss = withAutocast(.bfloat16) {
            _ = withInference { input.linear(weight: x) }
            return input.linear(weight: x).converted(to: .float32).sum()
        }
        loss.backward()
        expectClose(try #require(x.gradient), .full([3, 3], 2))
    }

    @Test("a weight that was updated inside an autocast scope is cast again")
    func autocastUpdate() {
        let x = weights()
        let input = Tensor.ones([2, 3])
        withAutocast(.bfloat16) {
            expectClose(input.linear(weight: x), .full([2, 3], 3))
            withoutGradient { x.fill(with: 2) }
            expectClose(input.linear(weight: x), .full([2, 3], 6))
        }
    }
}
