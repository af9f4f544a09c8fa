import CTorch
import TestSupport
import Testing
import Torch

@Suite("The boundary to libtorch, called as C")
struct BoundaryTests {
    private func message() -> String { String(cString: ct_error_message()) }

    @Test(
        "every kind of exception becomes a status with a message",
        arguments: [
            (CT_ERROR_TORCH, "provoked"), (CT_ERROR_OUT_OF_MEMORY, "provoked"),
            (CT_ERROR_STANDARD, "provoked"), (CT_ERROR_UNKNOWN, "unknown kind"),
        ] as [(code: Int, text: String)]
    )
    func exceptions(_ code: Int, _ text: String) {
        #expect(ct_error_provoke(Int32(code)) == Int32(code))
        #expect(message().contains(text))
    }

    @Test("std::bad_alloc is exhausted memory")
    func badAllocation() {
        #expect(ct_error_provoke(5) == Int32(CT_ERROR_OUT_OF_MEMORY))
        #expect(message() == "out of memory")
    }

    @Test("a message carries no C++ backtrace, the details may")
    func backtrace() {
        #expect(ct_error_provoke(Int32(CT_ERROR_TORCH)) == Int32(CT_ERROR_TORCH))
        #expect(!message().contains("Exception raised from"))
        #expect(!message().contains("frame #"))
        #expect(String(cString: ct_error_details()).contains("provoked"))
    }

    @Test("success is status 0")
    func success() {
        #expect(ct_error_provoke(0) == Int32(CT_OK))
    }

    @Test("more memory than there is gives a status, not a crash")
    func outOfMemory() {
        var result: OpaquePointer? = nil
        let sizes: [Int64] = [1 << 46]  // 2^48 bytes: above the address space of a process
        let dtype = DType.float32.rawValue
        let status = ct_tensor_empty(sizes, 1, dtype, 0, 0, &result)
        #expect(status == Int32(CT_ERROR_OUT_OF_MEMORY), "\(message())")
        #expect(result == nil)
        #expect(message().contains("memory"))
    }

    @Test("a size beyond 64 bits gives a status, not a crash")
    func overflow() {
        var result: OpaquePointer? = nil
        let sizes: [Int64] = [1 << 62, 8]
        let status = ct_tensor_full(sizes, 2, 0, DType.float32.rawValue, 0, 0, &result)
        #expect(status == Int32(CT_ERROR_TORCH), "\(message())")
        #expect(result == nil)
    }

    @Test("an engine error is thrown with its code where the caller can act on it")
    func throwingErrors() {
        let full = #expect(throws: TorchError.self) {
            try throwing(ct_error_provoke(Int32(CT_ERROR_OUT_OF_MEMORY)), "Reading x")
        }
        #expect(full?.code == .outOfMemory)
        #expect(full?.message == "Reading x: provoked")
        let other = #expect(throws: TorchError.self) {
            try throwing(ct_error_provoke(Int32(CT_ERROR_STANDARD)), "Reading x")
        }
        #expect(other?.code == .refused)
    }

    @Test("a result is owned by the caller, arguments are borrowed")
    func ownership() {
        let before = ct_tensor_thread_balance()
        var a: OpaquePointer? = nil
        var b: OpaquePointer? = nil
        let sizes: [Int64] = [2]
        #expect(ct_tensor_full(sizes, 1, 3, DType.float32.rawValue, 0, 0, &a) == 0)
        guard let a else { return }
        #expect(ct_tensor_thread_balance() == before + 1)
        #expect(ct_add(a, a, 1, &b) == 0)
        #expect(ct_tensor_thread_balance() == before + 2)
        ct_tensor_free(a)
        guard let b else { return }
        // The result does not need its operands.
        let tensor = Tensor(owning: b)
        expectValues(tensor, [6, 6])
    }

    @Test("a second reference keeps the native tensor alive")
    func references() throws {
        var copy: OpaquePointer? = nil
        var original: Tensor? = Tensor([1, 2] as [Float])
        if let original { #expect(ct_tensor_copy_reference(original.handle, &copy) == 0) }
        original = nil
        expectValues(Tensor(owning: try #require(copy)), [1, 2])
    }

    @Test("a failed operation leaves no reference behind")
    func failuresDoNotLeak() {
        let a = Tensor.ones([2, 3])
        let b = Tensor.ones([4, 5])
        let before = ct_tensor_thread_balance()
        var result: OpaquePointer? = nil
        #expect(ct_matmul(a.handle, b.handle, &result) == Int32(CT_ERROR_TORCH))
        #expect(result == nil)
        #expect(ct_tensor_thread_balance() == before)
    }

    @Test("the live counter follows every tensor")
    func liveCounter() async {
        // In a process of its own: other tests make tensors, too.
        await #expect(processExitsWith: .success) {
            let before = Engine.liveTensorCount
            do {
                let tensors = (0..<3).map { _ in Tensor.ones([4]) }
                precondition(Engine.liveTensorCount == before + 3)
                withExtendedLifetime(tensors) {}
            }
            precondition(Engine.liveTensorCount == before)
        }
        expectNoLeaks {
            var tensors = (0..<10).map { _ in Tensor.ones([4]) }
            tensors.append(Tensor.concatenated(tensors))
            let pieces = tensors[10].chunked(4, along: 0)
            let (values, indices) = tensors[10].sorted()
            return (pieces, values, indices, Tensor.gradients)
        }
    }

    @Test("borrowed memory is given back when its last tensor is gone")
    func borrowedMemory() {
        final class Owner {
            let memory = UnsafeMutablePointer<Float>.allocate(capacity: 4)
            deinit { memory.deallocate() }
        }
        var owner: Owner? = Owner()
        weak let watched = owner
        for i in 0..<4 { owner?.memory[i] = Float(i) }
        var tensor: Tensor? = owner.map {
            Tensor(memory: $0.memory, shape: [2, 2], dtype: .float32, owner: $0)
        }
        owner = nil
        #expect(watched != nil)
        var row = tensor?[1]
        tensor = nil
        #expect(row?.values() == [2, 3] as [Float])
        row = nil
        #expect(watched == nil)
    }

    @Test("borrowed memory may have any strides")
    func strides() {
        final class Owner {}
        var values: [Float] = [0, 1, 2, 3, 4, 5]
        values.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            let tensor = Tensor(
                memory: base,
                shape: [3, 2],
                strides: [1, 3],
                dtype: .float32,
                owner: Owner()
            )
            expectValues(tensor, [0, 3, 1, 4, 2, 5], shape: [3, 2])
        }
    }
}
