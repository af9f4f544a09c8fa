import TestSupport
import Testing
import Torch

@Suite("Shapes, views, selections")
struct ShapeTests {
    /// 0 … 23 as [2, 3, 4]: the element at (i, j, k) is 12i + 4j + k.
    private let x = Tensor.range(to: 24).reshaped(2, 3, 4)

    @Test("reshaping keeps row-major order")
    func reshaping() {
        expectValues(x.reshaped(4, -1).selected(1), [6, 7, 8, 9, 10, 11])
        #expect(x.reshaped([24]).shape == [24])
        #expect(x.flattened().shape == [24])
        #expect(x.flattened(from: 1).shape == [2, 12])
        #expect(x.flattened(from: 0, to: 1).shape == [6, 4])
        #expect(x.unsqueezed(0).shape == [1, 2, 3, 4])
        #expect(x.unsqueezed(-1).squeezed(-1).shape == [2, 3, 4])
        #expect(x.squeezed(0).shape == [2, 3, 4])
    }

    @Test("axes change places")
    func permutations() {
        let y = x.permuted(2, 0, 1)
        #expect(y.shape == [4, 2, 3])
        #expect(y[3][1][2].item == 23)
        #expect(y[1][0][2].item == 9)
        expectIdentical(x.transposed(0, 2), x.permuted(2, 1, 0))
        expectIdentical(x.transposed(-1, -2), x.permuted(0, 2, 1))
    }

    @Test("expansion and repetition")
    func repetition() {
        let row = Tensor([1, 2] as [Float], shape: [1, 2])
        expectValues(row.expanded([3, -1]), [1, 2, 1, 2, 1, 2], shape: [3, 2])
        #expect(row.expanded([3, 2]).sharesStorage(with: row))
        expectValues(row.repeated(2, 2), [1, 2, 1, 2, 1, 2, 1, 2], shape: [2, 4])
    }

    @Test("slices and elements")
    func slices() {
        expectValues(x[1][2], [20, 21, 22, 23])
        expectValues(x.sliced(1..<3, along: 2).selected(0)[0], [1, 2])
        expectValues(x.sliced(0..<4, along: -1, by: 2)[0][0], [0, 2])
        #expect(x[0..<1].shape == [1, 3, 4])
        #expect(x.sliced(2..<2, along: 1).shape == [2, 0, 4])
        expectValues(x.selected(-1, along: 2), [3, 7, 11, 15, 19, 23], shape: [2, 3])
        #expect(x.sliced(1..<2, along: 1).sharesStorage(with: x))
    }

    @Test("equal pieces")
    func pieces() {
        let pieces = x.chunked(2, along: -1)
        #expect(pieces.map(\.shape) == [[2, 3, 2], [2, 3, 2]])
        expectValues(pieces[1][0][0], [2, 3])
        expectIdentical(.concatenated(pieces, along: -1), x)
    }

    @Test("rows and elements by index")
    func gathering() {
        let table = Tensor.range(to: 6).reshaped(3, 2)
        expectValues(table.gathered([2, 0, 2]), [4, 5, 0, 1, 4, 5], shape: [3, 2])
        expectValues(table.gathered([1], along: 1), [1, 3, 5], shape: [3, 1])
        expectValues(table.gathered(Tensor([1] as [Int])), [2, 3], shape: [1, 2])
        let indices = Tensor([0, 1, 1] as [Int], shape: [3, 1])
        expectValues(table.elements(at: indices, along: 1), [0, 3, 5], shape: [3, 1])
        expectValues(table.elements(where: table.compared(.greater, to: 2)), [3, 4, 5])
    }

    @Test("reversal, rotation, padding")
    func moving() {
        let row = Tensor.range(to: 4)
        expectValues(row.flipped(along: 0), [3, 2, 1, 0])
        expectValues(row.rolled(by: 1, along: 0), [3, 0, 1, 2])
        expectValues(row.rolled(by: -1, along: 0), [1, 2, 3, 0])
        expectValues(row.padded([1, 2], with: 9), [9, 0, 1, 2, 3, 9, 9])
        expectValues(
            Tensor.ones([1, 1]).padded([1, 0, 0, 1]),
            [0, 1, 0, 0],
            shape: [2, 2]
        )
        expectIdentical(x.flipped(along: 1, 2).flipped(along: 2, 1), x)
    }

    @Test("joining")
    func joining() {
        let a = Tensor([1, 2] as [Float])
        let b = Tensor([3, 4] as [Float])
        expectValues(.concatenated([a, b, a]), [1, 2, 3, 4, 1, 2])
        expectValues(.stacked([a, b]), [1, 2, 3, 4], shape: [2, 2])
        expectValues(.stacked([a, b], along: 1), [1, 3, 2, 4], shape: [2, 2])
        expectValues(.stacked([a, b], along: -1), [1, 3, 2, 4], shape: [2, 2])
    }

    @Test("choosing and one-hot rows")
    func choosing() {
        let mask = Tensor([true, false, true])
        let a = Tensor([1, 2, 3] as [Float])
        expectValues(.choose(mask, a, else: .zeros([3])), [1, 0, 3])
        let rows = Tensor([2, 0] as [Int]).oneHot(classCount: 3)
        #expect(rows.dtype == .int64)
        expectValues(rows, [0, 0, 1, 1, 0, 0], shape: [2, 3])
    }
}
