import Foundation
import TestSupport
import Testing
import Torch

@Suite("Reductions")
struct ReductionTests {
    private let x = Tensor([1, 5, 3, 4, 2, 6] as [Float], shape: [2, 3])

    @Test("sums and means")
    func sums() {
        #expect(x.sum().item == 21)
        #expect(x.mean().item == 3.5)
        expectValues(x.sum(along: 0), [5, 7, 9])
        expectValues(x.sum(along: -1, keepingAxis: true), [9, 12], shape: [2, 1])
        expectValues(x.mean(along: 1), [3, 4])
        expectValues(x.mean(axes: [0, 1], keepingAxes: true), [3.5], shape: [1, 1])
        expectValues(x.sum(axes: [0, 1]), [21], shape: [])
        expectValues(x.cumulativeSum(along: 1), [1, 6, 9, 4, 6, 12], shape: [2, 3])
        #expect(Tensor([1, 2] as [Int]).sum().dtype == .int64)
    }

    @Test("extremes and their places")
    func extremes() {
        #expect(x.max().item == 6 && x.min().item == 1)
        expectValues(x.max(along: 0), [4, 5, 6])
        expectValues(x.min(along: 1, keepingAxis: true), [1, 2], shape: [2, 1])
        expectValues(x.max(axes: [0, 1]), [6], shape: [])
        expectValues(x.argmax(along: 1), [1, 2])
        expectValues(x.argmin(along: 0, keepingAxis: true), [0, 1, 0], shape: [1, 3])
        #expect(x.argmax(along: 1).dtype == .int64)
    }

    @Test("variance and norms")
    func moments() {
        // Deviations from 3.5 squared: 6.25 + 2.25 + 0.25 + 0.25 + 2.25 + 6.25 = 17.5.
        expectValues(x.variance(), [17.5 / 5], shape: [])
        expectValues(x.variance(correction: 0), [17.5 / 6], shape: [])
        expectValues(x.variance(axes: [1], keepingAxes: true), [4, 4], shape: [2, 1])
        expectValues(x.norm(), [sqrt(91)], shape: [], absolute: 1e-5)
        expectValues(x.norm(axes: [1], order: 1), [9, 12])
        expectValues(
            x.norm(axes: [0], order: .infinity, keepingAxes: true),
            [4, 5, 6],
            shape: [1, 3]
        )
    }

    @Test("the largest values and the sorted ones, with their places")
    func order() {
        let (values, places) = x.top(2)
        expectValues(values, [5, 3, 6, 4], shape: [2, 2])
        expectValues(places, [1, 2, 2, 0], shape: [2, 2])
        expectValues(x.top(1, along: 0, largest: false).values, [1, 2, 3], shape: [1, 3])
        let (sorted, order) = x.sorted()
        expectValues(sorted, [1, 3, 5, 2, 4, 6], shape: [2, 3])
        expectValues(order, [0, 2, 1, 1, 0, 2], shape: [2, 3])
        expectValues(
            x.sorted(along: 0, descending: true).values,
            [4, 5, 6, 1, 2, 3],
            shape: [2, 3]
        )
        // Equal values keep their order.
        let ties = Tensor([1, 0, 1, 0, 1, 0, 1, 0] as [Float])
        expectValues(ties.sorted().indices, [1, 3, 5, 7, 0, 2, 4, 6])
    }

    @Test("softmax and its logarithm")
    func softmax() {
        let row: [Double] = [1, 2, 4]
        let sum = row.reduce(0) { $0 + exp($1) }
        let y = Tensor(row)
        expectValues(y.softmax(along: 0), row.map { exp($0) / sum }, absolute: 1e-12)
        expectValues(y.logSoftmax(along: -1), row.map { $0 - log(sum) }, absolute: 1e-12)
        // Large numbers do not overflow.
        expectValues(Tensor([1000.0, 1000]).softmax(along: 0), [0.5, 0.5], absolute: 1e-12)
        expectClose(x.softmax(along: 0).sum(along: 0), .ones([3]), absolute: 1e-6)
    }

    @Test("the gradient of a whole tensor's maximum flows to one element, of an axis to all ties")
    func gradientOfExtremes() {
        let x = Tensor([3, 1, 3] as [Float])
        x.requiresGradient = true
        x.max().backward()
        expectValues(x.gradient ?? .zeros([1]), [1, 0, 0])
        x.gradient = nil
        x.max(along: 0).backward()
        expectValues(x.gradient ?? .zeros([1]), [0.5, 0, 0.5])
        x.gradient = nil
        x.min().backward()
        expectValues(x.gradient ?? .zeros([1]), [0, 1, 0])
    }
}
