import TestSupport
import Testing
import Torch

/// The mistakes that users make most, each in a process of its own: the message must name the
/// operation and what it was given, in optimised builds too.
@Suite("Misuse ends the program with a message that helps")
struct TrapTests {
    private func expect(
        _ result: ExitTest.Result?,
        _ parts: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let bytes = try #require(result, sourceLocation: sourceLocation).standardErrorContent
        let message = String(decoding: bytes, as: UTF8.self)
        for part in ["Fatal error"] + parts {
            #expect(
                message.contains(part),
                "\(message.prefix(400))",
                sourceLocation: sourceLocation
            )
        }
    }

    @Test("matrix product of shapes that do not fit")
    func matmul() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]).matmul(.ones([4, 5]))
        }
        try expect(result, "matmul: ", "float32[2, 3], float32[4, 5]")
    }

    @Test("reshaping to another number of elements")
    func reshape() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]).reshaped(4, 2)
        }
        try expect(result, "reshaped: ", "[4, 2]", "float32[2, 3]")
    }

    @Test("element types that do not go together")
    func types() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]).matmul(.ones([3, 2], dtype: .float64))
        }
        try expect(result, "matmul: ", "float32[2, 3], float64[3, 2]")
    }

    @Test("shapes that do not broadcast")
    func broadcast() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]) + Tensor.ones([2, 4])
        }
        try expect(result, "+: ", "float32[2, 3], float32[2, 4]")
    }

    @Test("an index behind the end")
    func index() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3])[2]
        }
        try expect(result, "selected: ", "float32[2, 3]", "2")
    }

    @Test("a slice behind the end")
    func slice() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]).sliced(1..<5, along: 1)
        }
        try expect(result, "sliced(1..<5, along: 1)", "[2, 3]")
    }

    @Test("joining shapes that do not fit")
    func concatenation() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.concatenated([.ones([2, 3]), .ones([2, 4])])
        }
        try expect(result, "concatenated: ", "float32[2, 3], float32[2, 4]")
    }

    @Test("backward of something that is no scalar")
    func backward() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            let x = Tensor.ones([2, 3])
            x.requiresGradient = true
            (x * 2).backward()
        }
        try expect(result, "backward: ", "scalar", "float32[2, 3]")
    }

    @Test("backward of something without a history")
    func backwardWithoutHistory() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            Tensor(1).backward()
        }
        try expect(result, "backward: ", "require", "float32[]")
    }

    @Test("one number of a tensor with many")
    func item() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]).item
        }
        try expect(result, "item: ", "float32[2, 3]")
    }

    @Test("a device that is not there")
    func device() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]).moved(to: Device(.cuda, index: 99))
        }
        try expect(result, "converted: ", "float32[2, 3]")
    }

    @Test("values that do not fill the shape")
    func values() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor([1, 2, 3] as [Float], shape: [2, 2])
        }
        try expect(result, "Tensor(_:shape:): float32 of shape [2, 2] needs 4", "3 were given")
    }

    @Test("labels outside of the classes")
    func labels() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.ones([2, 3]).crossEntropy(to: Tensor([0, 3] as [Int]))
        }
        try expect(result, "crossEntropy: ", "float32[2, 3], int64[2]")
    }

    @Test("fewer weights than outputs")
    func gradientWeights() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            let x = Tensor.ones([2, 3])
            x.requiresGradient = true
            _ = Tensor.gradients(of: [x * 2, x * 3], by: [x], weights: [.ones([2, 3])])
        }
        try expect(result, "gradients: 1 weights were given for 2 outputs")
    }

    @Test("a gradient that is not like its tensor")
    func foreignGradient() async throws {
        let shape = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            Tensor.ones([2, 3]).gradient = .ones([2])
        }
        try expect(shape, "gradient: expected a gradient like the tensor", "float32[2, 3]")
        let type = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            Tensor.ones([2, 3]).gradient = .ones([2, 3], dtype: .bfloat16)
        }
        try expect(type, "gradient: expected a gradient like the tensor", "bfloat16[2, 3]")
    }

    @Test("a grid for a shape that is not that of images")
    func grid() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.affineGrid(.ones([2, 2, 3]), shape: [2, 8, 8])
        }
        try expect(result, "affineGrid: ", "[B, C, H, W]", "[2, 8, 8]")
    }

    @Test("changing a trained tensor in place while gradients are recorded")
    func inPlace() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            let x = Tensor.ones([2, 3])
            x.requiresGradient = true
            x.add(.ones([2, 3]))
        }
        try expect(result, "add: ", "leaf", "float32[2, 3]")
    }

    @Test("exhausted memory is no crash: one paragraph and status 1")
    func memory() async throws {
        let result = await #expect(
            processExitsWith: .exitCode(1),
            observing: [\.standardErrorContent]
        ) {
            _ = Tensor.zeros([1 << 46])
        }
        let bytes = try #require(result).standardErrorContent
        let message = String(decoding: bytes, as: UTF8.self)
        #expect(message.contains("Error: out of memory. full: "))
        #expect(message.contains("Use a smaller batch"))
        #expect(!message.contains("Fatal error"))
    }

    @Test("a random stream beyond the counter")
    func randomIndex() async throws {
        let result = await #expect(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            _ = RandomGenerator(seed: 1, index: 1 << 48)
        }
        try expect(result, "RandomGenerator", "2^48")
    }
}
