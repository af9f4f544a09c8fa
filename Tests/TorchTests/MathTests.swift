import Foundation
import TestSupport
import Testing
import Torch

@Suite("Element by element, and matrix products")
struct MathTests {
    private static let inputs: [Double] = [-2.5, -1, -0.5, 0, 0.5, 1.5, 3]
    private let x = Tensor(MathTests.inputs)

    private func expectMap(
        _ result: Tensor,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ function: (Double) -> Double
    ) {
        expectValues(
            result,
            MathTests.inputs.map(function),
            absolute: 1e-12,
            sourceLocation: sourceLocation
        )
    }

    @Test("functions of one number agree with those of the C library")
    func functions() {
        expectMap(x.exp()) { exp($0) }
        expectMap(x.sin()) { sin($0) }
        expectMap(x.cos()) { cos($0) }
        expectMap(x.tanh()) { tanh($0) }
        expectMap(x.squared()) { $0 * $0 }
        expectMap(x.floor()) { $0.rounded(.down) }
        expectMap(x.rounded()) { $0.rounded(.toNearestOrEven) }
        expectMap(x.magnitude()) { abs($0) }
        expectMap(x.sign()) { $0 == 0 ? 0 : $0 < 0 ? -1 : 1 }
        expectMap(x.sigmoid()) { 1 / (1 + exp(-$0)) }
        expectMap(x.relu()) { max($0, 0) }
        expectMap(x.silu()) { $0 / (1 + exp(-$0)) }
        expectMap(x.gelu()) { 0.5 * $0 * (1 + erf($0 / sqrt(2))) }
        expectMap(x.gelu(tanhApproximation: true)) {
            0.5 * $0 * (1 + tanh(sqrt(2 / Double.pi) * ($0 + 0.044715 * pow($0, 3))))
        }
        expectMap(x.clamped(to: -1...1)) { min(max($0, -1), 1) }
        expectMap(x.power(3)) { $0 * $0 * $0 }
        expectMap(-x) { -$0 }
        let positive = Tensor(MathTests.inputs.map { exp($0) })
        expectMap(positive.log()) { $0 }
        expectMap(positive.sqrt()) { exp($0 / 2) }
        expectMap(positive.reciprocalSqrt()) { exp(-$0 / 2) }
        expectMap(positive.reciprocal()) { exp(-$0) }
        expectMap(positive.power(0.5)) { exp($0 / 2) }
    }

    @Test("arithmetic with numbers")
    func numbers() {
        expectMap(x + 2) { $0 + 2 }
        expectMap(2 + x) { $0 + 2 }
        expectMap(x - 2) { $0 - 2 }
        expectMap(2 - x) { 2 - $0 }
        expectMap(x * 3) { $0 * 3 }
        expectMap(3 * x) { $0 * 3 }
        expectMap(x / 4) { $0 / 4 }
        expectMap(3 / (x.squared() + 1)) { 3 / ($0 * $0 + 1) }
    }

    @Test("arithmetic of two tensors broadcasts their shapes")
    func broadcasting() {
        let a = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
        let b = Tensor([10, 20] as [Float])
        expectValues(a + b, [11, 22, 13, 24], shape: [2, 2])
        expectValues(a - b, [-9, -18, -7, -16], shape: [2, 2])
        expectValues(a * b, [10, 40, 30, 80], shape: [2, 2])
        expectValues(b / a, [10, 10, 10.0 / 3, 5], shape: [2, 2], absolute: 1e-5)
        expectValues(a.adding(b, scaledBy: 0.5), [6, 12, 8, 14], shape: [2, 2])
        expectValues(a.maximum(a.transposed(0, 1)), [1, 3, 3, 4], shape: [2, 2])
        expectValues(a.minimum(a.transposed(0, 1)), [1, 2, 2, 4], shape: [2, 2])
        expectValues(a.interpolated(to: a * 3, weight: 0.25), [1.5, 3, 4.5, 6], shape: [2, 2])
    }

    @Test("whole numbers keep integers integers, fractions make them floats")
    func integerTypes() {
        let n = Tensor([1, 2, 3] as [Int])
        #expect((n + 1).dtype == .int64)
        #expect((n * 2).dtype == .int64)
        #expect((n - 1).dtype == .int64)
        #expect((n * 0.5).dtype == .float32)
        #expect((n + n).dtype == .int64)
        #expect(n.clamped(to: 2...3).dtype == .int64)
        #expect((n.converted(to: .float16) * 2).dtype == .float16)
        n.clamp(to: 2...2)
        expectValues(n, [2, 2, 2])
        n.add(Tensor([1, 1, 1] as [Int]), scaledBy: 3)
        expectValues(n, [5, 5, 5])
    }

    @Test("numbers beyond 64 bits are no integers, not even beside integers")
    func largeNumbers() {
        let n = Tensor([-1, 0, 7] as [Int])
        for number in [Double.infinity, -.infinity, 1e19, -1e19, 0x1p63] {
            #expect((n + number).values(as: Float.self).allSatisfy { $0 == Float(number) })
        }
        expectValues(n.clamped(to: 0...Double.infinity).converted(to: .float64), [0, 0, 7])
        #expect((Tensor([0, 1] as [Int]) + -0x1p63).dtype == .int64)
    }

    @Test("comparisons and truth values")
    func comparisons() {
        let a = Tensor([1, 2, 3] as [Float])
        let b = Tensor([2, 2, 2] as [Float])
        func truth(_ relation: Tensor.Relation) -> [Bool] {
            let result = a.compared(relation, to: b)
            #expect(result.isEqual(to: a.compared(relation, to: 2)))
            return result.values()
        }
        #expect(truth(.equal) == [false, true, false])
        #expect(truth(.notEqual) == [true, false, true])
        #expect(truth(.less) == [true, false, false])
        #expect(truth(.lessOrEqual) == [true, true, false])
        #expect(truth(.greater) == [false, false, true])
        #expect(truth(.greaterOrEqual) == [false, true, true])
        let small = a.compared(.less, to: 3)
        let large = a.compared(.greater, to: 1)
        #expect(small.and(large).values() == [false, true, false])
        #expect(small.negatedLogically().values() == [false, false, true])
        #expect(Tensor([1, Double.nan, .infinity]).isFinite().values() == [true, false, false])
        #expect(a.isEqual(to: a.copied()))
        #expect(!a.isEqual(to: b))
        #expect(!a.isEqual(to: a.reshaped(1, 3)))
    }

    @Test("in-place operations change the tensor and its views")
    func inPlace() {
        let x = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
        let row = x[1]
        x.add(.ones([2, 2]), scaledBy: 2)
        expectValues(row, [5, 6])
        x.multiply(by: 2)
        expectValues(row, [10, 12])
        x.multiply(by: Tensor([1, 0.5] as [Float]))
        expectValues(row, [10, 6])
        x.clamp(to: 0...7)
        expectValues(row, [7, 6])
        row.fill(with: 1)
        expectValues(x, [6, 4, 1, 1], shape: [2, 2])
        x.copy(from: .zeros([1, 2]), at: Tensor([0] as [Int]))
        expectValues(x, [0, 0, 1, 1], shape: [2, 2])
        x.copy(from: .full([2, 1], 5), at: Tensor([1] as [Int]), along: 1)
        expectValues(x, [0, 5, 1, 5], shape: [2, 2])
    }

    @Test("matrix products, also in batches")
    func matrixProducts() {
        let a = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        let b = Tensor([1, 0, 0, 1, 1, 1] as [Float], shape: [3, 2])
        expectValues(a.matmul(b), [4, 5, 10, 11], shape: [2, 2])
        expectValues(a.matmul(Tensor([1, 1, 1] as [Float])), [6, 15])
        var generator = RandomGenerator(seed: 5)
        let x = generator.normal([4, 1, 3, 5])
        let y = generator.normal([2, 5, 6])
        let product = x.matmul(y)
        #expect(product.shape == [4, 2, 3, 6])
        expectClose(product[3][1], x[3][0].matmul(y[1]), relative: 1e-6)
        // (A·B)ᵀ = Bᵀ·Aᵀ
        expectClose(
            a.matmul(b).transposed(0, 1),
            b.transposed(0, 1).matmul(a.transposed(0, 1)),
            relative: 1e-6
        )
    }

    @Test("operations on lists work in place on all of them")
    func lists() {
        let x = [Tensor.ones([2]), Tensor.ones([3]) * 2]
        let y = [Tensor.ones([2]) * 3, Tensor.ones([3]) * 4]
        TensorLists.add(x, y, scaledBy: 0.5)
        expectValues(x[0], [2.5, 2.5])
        expectValues(x[1], [4, 4, 4])
        TensorLists.multiply(x, by: 2)
        expectValues(x[0], [5, 5])
        expectValues(
            TensorLists.totalNorm(x),
            [sqrt(50 + 3 * 64)],
            shape: [],
            absolute: 1e-5
        )
        TensorLists.interpolate(x, to: y, weight: 0.25)
        expectValues(x[0], [4.5, 4.5])
        TensorLists.copy(x, from: y)
        expectValues(x[1], [4, 4, 4])
        #expect(TensorLists.totalNorm([]).item == 0)
        TensorLists.add([], [], scaledBy: 1)
    }
}
