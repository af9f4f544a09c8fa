import CTorch

extension Tensor {
    /// The same elements under another shape; one size may be -1.
    public func reshaped(_ shape: [Int]) -> Tensor {
        Tensor.of("reshaped", self) {
            ct_reshape(handle, shape.int64, shape.count, &$0)
        }
    }

    /// The same elements under another shape; one size may be -1.
    public func reshaped(_ shape: Int...) -> Tensor { reshaped(shape) }

    /// The axes in another order.
    public func permuted(_ axes: Int...) -> Tensor {
        Tensor.of("permuted", self) { ct_permute(handle, axes.int64, axes.count, &$0) }
    }

    /// Two axes exchanged.
    public func transposed(_ first: Int, _ second: Int) -> Tensor {
        Tensor.of("transposed", self) { ct_transpose(handle, Int64(first), Int64(second), &$0) }
    }

    /// Axes of size one repeated without a copy; -1 keeps a size.
    public func expanded(_ shape: [Int]) -> Tensor {
        Tensor.of("expanded", self) { ct_expand(handle, shape.int64, shape.count, &$0) }
    }

    /// The axes from `start` to `end`, both included, as one.
    public func flattened(from start: Int = 0, to end: Int = -1) -> Tensor {
        Tensor.of("flattened", self) { ct_flatten(handle, Int64(start), Int64(end), &$0) }
    }

    /// Without an axis of size one.
    public func squeezed(_ axis: Int) -> Tensor {
        Tensor.of("squeezed", self) { ct_squeeze(handle, Int64(axis), &$0) }
    }

    /// With a new axis of size one.
    public func unsqueezed(_ axis: Int) -> Tensor {
        Tensor.of("unsqueezed", self) { ct_unsqueeze(handle, Int64(axis), &$0) }
    }

    /// The elements `range` along one axis, without a copy.
    public func sliced(_ range: Range<Int>, along axis: Int = 0, by step: Int = 1) -> Tensor {
        let size = size(along: axis)
        guard range.lowerBound >= 0, range.upperBound <= size else {
            trap("sliced(\(range), along: \(axis)): the shape is \(shape)")
        }
        return Tensor.of("sliced", self) {
            ct_slice(
                handle,
                Int64(axis),
                Int64(range.lowerBound),
                Int64(range.upperBound),
                Int64(step),
                &$0
            )
        }
    }

    /// The element `index` along one axis, which disappears, without a copy.
    public func selected(_ index: Int, along axis: Int = 0) -> Tensor {
        Tensor.of("selected", self) { ct_select(handle, Int64(axis), Int64(index), &$0) }
    }

    /// The element `index` of the first axis.
    public subscript(index: Int) -> Tensor { selected(index) }

    /// The elements `range` of the first axis.
    public subscript(range: Range<Int>) -> Tensor { sliced(range) }

    /// Equal pieces along one axis, without a copy.
    public func chunked(_ pieces: Int, along axis: Int) -> [Tensor] {
        var handles = [OpaquePointer?](repeating: nil, count: pieces)
        Tensor.run("chunked", self) {
            handles.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                return ct_chunk(handle, Int64(pieces), Int64(axis), base)
            }
        }
        return handles.compactMap { $0.map { Tensor(owning: $0) } }
    }

    /// The rows (or other slices) named by a tensor of indices.
    public func gathered(_ indices: Tensor, along axis: Int = 0) -> Tensor {
        Tensor.of("gathered", self, indices) {
            ct_index_select(handle, Int64(axis), indices.handle, &$0)
        }
    }

    /// The rows (or other slices) with these indices.
    public func gathered(_ indices: [Int], along axis: Int = 0) -> Tensor {
        gathered(Tensor(indices).moved(to: device), along: axis)
    }

    /// Along `axis`, the element that `indices` names at each place.
    public func elements(at indices: Tensor, along axis: Int) -> Tensor {
        Tensor.of("elements", self, indices) {
            ct_gather(handle, Int64(axis), indices.handle, &$0)
        }
    }

    /// The elements where `mask` is true, as one axis.
    public func elements(where mask: Tensor) -> Tensor {
        Tensor.of("elements", self, mask) { ct_masked_select(handle, mask.handle, &$0) }
    }

    /// The order reversed along some axes.
    public func flipped(along axes: Int...) -> Tensor {
        Tensor.of("flipped", self) { ct_flip(handle, axes.int64, axes.count, &$0) }
    }

    /// The elements moved along an axis, those that leave the end return at the start.
    public func rolled(by shift: Int, along axis: Int) -> Tensor {
        Tensor.of("rolled", self) { ct_roll(handle, Int64(shift), Int64(axis), &$0) }
    }

    /// Copies laid side by side, so many along each axis.
    public func repeated(_ counts: Int...) -> Tensor {
        Tensor.of("repeated", self) { ct_repeat(handle, counts.int64, counts.count, &$0) }
    }

    /// Padded with a constant; the counts are (before, after) of the last axis first.
    public func padded(_ counts: [Int], with value: Double = 0) -> Tensor {
        Tensor.of("padded", self) { ct_pad(handle, counts.int64, counts.count, value, &$0) }
    }

    /// Tensors joined along an axis they have.
    public static func concatenated(_ tensors: [Tensor], along axis: Int = 0) -> Tensor {
        of("concatenated", list: tensors) { ct_cat($0, tensors.count, Int64(axis), &$1) }
    }

    /// Tensors of one shape joined along a new axis.
    public static func stacked(_ tensors: [Tensor], along axis: Int = 0) -> Tensor {
        of("stacked", list: tensors) { ct_stack($0, tensors.count, Int64(axis), &$1) }
    }

    /// `first` where `mask` is true, else `second`.
    public static func choose(_ mask: Tensor, _ first: Tensor, else second: Tensor) -> Tensor {
        of("choose", mask, first, second) {
            ct_where(mask.handle, first.handle, second.handle, &$0)
        }
    }

    /// Class labels as rows with a single one: [N] → [N, classCount], int64.
    public func oneHot(classCount: Int) -> Tensor {
        Tensor.of("oneHot", self) { ct_one_hot(handle, Int64(classCount), &$0) }
    }
}
