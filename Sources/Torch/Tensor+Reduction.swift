import CTorch

extension Tensor {
    /// The sum over some axes; over all of them if none is named.
    public func sum(axes: [Int] = [], keepingAxes: Bool = false) -> Tensor {
        Tensor.of("sum", self) {
            ct_sum(handle, axes.int64, axes.count, keepingAxes, &$0)
        }
    }

    /// The sum along one axis.
    public func sum(along axis: Int, keepingAxis: Bool = false) -> Tensor {
        sum(axes: [axis], keepingAxes: keepingAxis)
    }

    /// The mean over some axes; over all of them if none is named.
    public func mean(axes: [Int] = [], keepingAxes: Bool = false) -> Tensor {
        Tensor.of("mean", self) {
            ct_mean(handle, axes.int64, axes.count, keepingAxes, &$0)
        }
    }

    /// The mean along one axis.
    public func mean(along axis: Int, keepingAxis: Bool = false) -> Tensor {
        mean(axes: [axis], keepingAxes: keepingAxis)
    }

    /// The largest value over some axes; ties share the gradient.
    public func max(axes: [Int], keepingAxes: Bool = false) -> Tensor {
        Tensor.of("max", self) {
            ct_amax(handle, axes.int64, axes.count, keepingAxes, &$0)
        }
    }

    /// The largest value along one axis.
    public func max(along axis: Int, keepingAxis: Bool = false) -> Tensor {
        max(axes: [axis], keepingAxes: keepingAxis)
    }

    /// The smallest value over some axes; ties share the gradient.
    public func min(axes: [Int], keepingAxes: Bool = false) -> Tensor {
        Tensor.of("min", self) {
            ct_amin(handle, axes.int64, axes.count, keepingAxes, &$0)
        }
    }

    /// The smallest value along one axis.
    public func min(along axis: Int, keepingAxis: Bool = false) -> Tensor {
        min(axes: [axis], keepingAxes: keepingAxis)
    }

    /// The variance over some axes, divided by (count − correction).
    public func variance(
        axes: [Int] = [],
        correction: Double = 1,
        keepingAxes: Bool = false
    ) -> Tensor {
        Tensor.of("variance", self) {
            ct_var(handle, axes.int64, axes.count, correction, keepingAxes, &$0)
        }
    }

    /// The norm of a given order over some axes.
    public func norm(axes: [Int] = [], order: Double = 2, keepingAxes: Bool = false) -> Tensor {
        Tensor.of("norm", self) {
            ct_norm(handle, axes.int64, axes.count, order, keepingAxes, &$0)
        }
    }

    /// The largest element of the whole tensor; the gradient flows to that one element.
    public func max() -> Tensor { Tensor.of("max", self) { ct_max_all(handle, &$0) } }

    /// The smallest element of the whole tensor; the gradient flows to that one element.
    public func min() -> Tensor { Tensor.of("min", self) { ct_min_all(handle, &$0) } }

    /// Index of the largest value along an axis, int64.
    public func argmax(along axis: Int, keepingAxis: Bool = false) -> Tensor {
        Tensor.of("argmax", self) { ct_argmax(handle, Int64(axis), keepingAxis, &$0) }
    }

    /// Index of the smallest value along an axis, int64.
    public func argmin(along axis: Int, keepingAxis: Bool = false) -> Tensor {
        Tensor.of("argmin", self) { ct_argmin(handle, Int64(axis), keepingAxis, &$0) }
    }

    /// The running sum along an axis.
    public func cumulativeSum(along axis: Int) -> Tensor {
        Tensor.of("cumulativeSum", self) { ct_cumsum(handle, Int64(axis), &$0) }
    }

    /// The `count` largest (or smallest) values along an axis, in order, and their indices.
    public func top(
        _ count: Int,
        along axis: Int = -1,
        largest: Bool = true
    ) -> (values: Tensor, indices: Tensor) {
        pair("top") { ct_topk(handle, Int64(count), Int64(axis), largest, $0, $1) }
    }

    /// The values in order along an axis, equal ones in their old order, and their old indices.
    public func sorted(
        along axis: Int = -1,
        descending: Bool = false
    ) -> (values: Tensor, indices: Tensor) {
        pair("sorted") { ct_sort(handle, Int64(axis), descending, $0, $1) }
    }

    /// Runs one operation with two results.
    func pair(
        _ operation: StaticString,
        _ body: (
            UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<OpaquePointer?>
        ) -> Int32
    ) -> (Tensor, Tensor) {
        var second: OpaquePointer? = nil
        let first = Tensor.of(operation, self) { body(&$0, &second) }
        guard let second else { trap("\(operation): no second result") }
        return (first, Tensor(owning: second))
    }

    /// eˣ / Σeˣ along an axis.
    public func softmax(along axis: Int) -> Tensor {
        Tensor.of("softmax", self) { ct_softmax(handle, Int64(axis), &$0) }
    }

    /// The logarithm of the softmax along an axis.
    public func logSoftmax(along axis: Int) -> Tensor {
        Tensor.of("logSoftmax", self) { ct_log_softmax(handle, Int64(axis), &$0) }
    }
}
