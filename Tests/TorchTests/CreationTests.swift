import Foundation
import TestSupport
import Testing
import Torch

@Suite("Making, describing and copying tensors")
struct CreationTests {
    @Test("constants, ranges and empty tensors")
    func constants() {
        expectValues(.full([2, 2], 2.5), [2.5, 2.5, 2.5, 2.5], shape: [2, 2])
        expectValues(.zeros([3]), [0, 0, 0])
        expectValues(.ones([1, 2], dtype: .int64), [1, 1], shape: [1, 2])
        expectValues(.range(to: 4), [0, 1, 2, 3])
        expectValues(.range(from: 1, to: 2, by: 0.5, dtype: .float64), [1, 1.5])
        #expect(Tensor.range(to: 3, dtype: .int64).dtype == .int64)
        #expect(Tensor.empty([0, 3]).shape == [0, 3])
        #expect(Tensor.ones([]).shape == [])
        #expect(Tensor(2.5).item == 2.5)
    }

    @Test("zeros like another tensor have its shape, type and memory layout")
    func zerosLike() {
        let x = Tensor.ones([2, 3, 4, 5], dtype: .float64).contiguous(channelsLast: true)
        let zeros = Tensor.zeros(like: x)
        #expect(zeros.dtype == .float64)
        #expect(zeros.strides == x.strides)
        expectClose(zeros, .zeros([2, 3, 4, 5]))
        let trained = Tensor.ones([2])
        trained.requiresGradient = true
        #expect(!Tensor.zeros(like: trained).requiresGradient)
    }

    @Test("Swift values keep their type")
    func swiftValues() {
        #expect(Tensor([1, 2] as [UInt8]).values(as: UInt8.self) == [1, 2])
        #expect(Tensor([-1, 2] as [Int32]).values(as: Int32.self) == [-1, 2])
        #expect(Tensor([Int64.min, .max]).values(as: Int64.self) == [.min, .max])
        #expect(Tensor([Int.min, .max]).values(as: Int.self) == [.min, .max])
        #expect(Tensor([0.1, -2] as [Float]).values(as: Float.self) == [0.1, -2])
        #expect(Tensor([0.1, -2]).values(as: Double.self) == [0.1, -2])
        #expect(Tensor([true, false]).values(as: Bool.self) == [true, false])
        #expect(Tensor([Float](), shape: [0, 2]).values(as: Float.self) == [])
        // Another type is converted.
        #expect(Tensor([1.75, -2]).values(as: Int64.self) == [1, -2])
        #expect(Tensor([0, 3] as [Int]).values(as: Bool.self) == [false, true])
    }

    @Test("the raw bytes of every type go in and come out", arguments: DType.allCases)
    func rawBytes(_ dtype: DType) {
        var generator = RandomGenerator(seed: 3)
        let bytes = generator.words(12 * dtype.byteCount).map {
            dtype == .bool ? UInt8($0 & 1) : UInt8($0 & 0xFF)
        }
        let tensor = Tensor(bytes: bytes, shape: [3, 4], dtype: dtype)
        #expect(tensor.dtype == dtype)
        #expect(tensor.shape == [3, 4])
        #expect(tensor.bytes() == bytes)
        // Row-major order, whatever the memory layout.
        let size = dtype.byteCount
        let transposed = tensor.transposed(0, 1).bytes()
        #expect(Array(transposed[size..<2 * size]) == Array(bytes[4 * size..<5 * size]))
        #expect(tensor.copied().bytes() == bytes)
    }

    @Test("half precision has the bits of IEEE 754 and of bfloat16")
    func halfPrecision() {
        let x = Tensor([1, -2.5, 65504, 1e-8] as [Float])
        #expect(x.converted(to: .float16).bytes() == [0, 0x3C, 0, 0xC1, 0xFF, 0x7B, 0, 0])
        let y = Tensor([1, -2.5, 3.140625] as [Float])
        #expect(y.converted(to: .bfloat16).bytes() == [0x80, 0x3F, 0x20, 0xC0, 0x49, 0x40])
    }

    @Test("description of a tensor")
    func description() {
        let x = Tensor.ones([2, 3, 4])
        #expect(x.rank == 3)
        #expect(x.shape == [2, 3, 4])
        #expect(x.strides == [12, 4, 1])
        #expect(x.count == 24)
        #expect(x.size(along: -1) == 4)
        #expect(x.size(along: 0) == 2)
        #expect(x.device == .cpu)
        #expect("\(x)" == "Tensor(float32, shape: [2, 3, 4], cpu)")
        #expect("\(Tensor([1, 2.5]))" == "Tensor(float64, shape: [2], cpu, [1.0, 2.5])")
        #expect(Tensor(1).rank == 0 && Tensor(1).count == 1)
    }

    @Test("names and sizes of the element types")
    func types() {
        for dtype in DType.allCases {
            let size = Tensor.zeros([3], dtype: dtype).bytes().count
            #expect(size == 3 * dtype.byteCount)
        }
        #expect(
            DType.allCases.filter(\.isFloatingPoint).map(\.description).sorted() == [
                "bfloat16", "float16", "float32", "float64",
            ]
        )
    }

    @Test("conversion gives the tensor itself where nothing changes")
    func conversion() {
        let x = Tensor([1.5, -1.5] as [Float])
        #expect(x.converted(to: .float32).sharesStorage(with: x))
        #expect(x.moved(to: .cpu).isSame(as: x))
        expectValues(x.converted(to: .int32), [1, -1])
        #expect(!x.copied().sharesStorage(with: x))
        #expect(x[0..<1].sharesStorage(with: x))
    }

    @Test("channels-last order changes the memory, not the values")
    func channelsLast() {
        var generator = RandomGenerator(seed: 4)
        let x = generator.normal([2, 3, 4, 5])
        let y = x.contiguous(channelsLast: true)
        #expect(y.strides == [60, 1, 15, 3])
        #expect(y.isContiguous(channelsLast: true) && !y.isContiguous())
        #expect(x.isContiguous() && !x.isContiguous(channelsLast: true))
        expectIdentical(x, y)
        expectIdentical(y.contiguous(), x)
        #expect(y.values(as: Float.self) == x.values(as: Float.self))
    }

    @Test("values are copied into a tensor of another type")
    func copying() {
        let x = Tensor.zeros([2, 2])
        x.copy(from: Tensor([1, 2, 3, 4] as [Int], shape: [2, 2]))
        expectValues(x, [1, 2, 3, 4], shape: [2, 2])
        let row = x[1]
        row.copy(from: .zeros([2], dtype: .float64))
        expectValues(x, [1, 2, 0, 0], shape: [2, 2])
    }
}
