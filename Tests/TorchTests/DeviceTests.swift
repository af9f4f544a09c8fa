import TestSupport
import Testing
import Torch

private let hasGlibc: Bool = {
    #if canImport(Glibc)
        true
    #else
        false
    #endif
}()

@Suite("Devices and the engine")
struct DeviceTests {
    @Test("names of devices")
    func names() throws {
        #expect(Device.cpu.description == "cpu")
        #expect(Device(.cuda, index: 1).description == "cuda:1")
        #expect(Device.mps.description == "mps")
        #expect(try Device.named("cpu") == .cpu)
        #expect(try Device.named("auto") == Device.auto)
    }

    @Test(
        "a name that is no device, or one that is not there, is an error with a remedy",
        arguments: [
            "gpu", "", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cpu:0", "mps:1", "cuda:99",
        ]
    )
    func wrongNames(_ name: String) {
        let error = #expect(throws: TorchError.self) { try Device.named(name) }
        #expect(error?.code == .deviceUnavailable)
        #expect(name.isEmpty || error?.message.contains(name) == true)
        #expect(error?.message.contains("cpu") == true)
    }

    @Test("what to do about a missing device depends on what is installed")
    func remedy() throws {
        let hasLibrary = try Device.loadAccelerators()
        let error = #expect(throws: TorchError.self) { try Device.named("cuda:99") }
        let remedy =
            Device.cudaIsAvailable
            ? "CUDA_VISIBLE_DEVICES may hide others" : hasLibrary ? "nvidia-smi" : "a CPU build"
        #expect(error?.message.contains(remedy) == true)
    }

    @Test("what the engine tells about itself")
    func engine() {
        #expect(Engine.version.hasPrefix("2."))
        #expect(!Engine.cpuCapability.isEmpty)
        #expect(Engine.threadCount >= 1)
        Device.cpu.synchronize()
    }

    @Test("memory statistics", .enabled(if: Memory.residentBytes > 0, "the system does not tell"))
    func memory() {
        let resident = Memory.residentBytes
        #expect(resident > 1 << 20)
        #expect(Memory.peakBytes(on: .cpu) >= resident / 2)
        Memory.resetPeak(on: .cpu)
        #expect(Memory.peakBytes(on: .cpu) > 1 << 20)
    }

    @Test(
        "memory that was freed does not count for what comes later",
        .enabled(if: Memory.residentBytes > 0, "the system does not tell"),
        .enabled(if: hasGlibc, "other C libraries do not keep freed memory")
    )
    func memoryOfStages() throws {
        // As programs do: freed memory is kept for the next tensors.
        try #require(Engine.keepFreedMemory())
        Memory.resetPeak(on: .cpu)
        let size = 1 << 30
        do { _ = Tensor.zeros([size / 4]) + 1 }
        let large = Memory.peakBytes(on: .cpu)
        Memory.resetPeak(on: .cpu)
        #expect(Memory.peakBytes(on: .cpu) < large - size / 2)
    }
}

@Suite("On a CUDA device, whatever it computes", .requiresCUDA)
struct CUDATests {
    private static let devices = (0..<Device.cudaDeviceCount).map { Device(.cuda, index: $0) }

    @Test("it is found, and chosen by itself")
    func choice() throws {
        #expect(Device.auto == .cuda)
        for device in CUDATests.devices { #expect(try Device.named("\(device)") == device) }
        let error = #expect(throws: TorchError.self) {
            try Device.named("cuda:\(CUDATests.devices.count)")
        }
        #expect(error?.message.contains("only cuda:0") == true)
        #expect(error?.message.contains("CUDA_VISIBLE_DEVICES") == true)
    }

    @Test(
        "what is copied there and back is the same",
        arguments: CUDATests.devices,
        [DType.uint8, .int64, .float16, .bfloat16, .float32, .float64, .bool]
    )
    func copies(device: Device, dtype: DType) {
        var generator = RandomGenerator(seed: 23)
        let x = (generator.uniform([3, 4, 5, 6]) * 9).converted(to: dtype)
        let layouts = [
            x, x[1], x.transposed(1, 3), x.contiguous(channelsLast: true),
            x[0][0][0].expanded([7, 6]), x[0][0][0][0], x[0..<0],
            x.contiguous(channelsLast: true).transposed(2, 3)[0..<2],
            x.contiguous(channelsLast: true).sliced(1..<4, along: 3),
        ]
        for (place, layout) in layouts.enumerated() {
            for type in [dtype, .float32] {
                let expected = layout.converted(to: type, device: .cpu)
                let copy = layout.converted(to: type, device: device)
                #expect(copy.device == device)
                expectIdentical(copy.moved(to: .cpu), expected, "\(place)")
                // A new tensor, as the copy is: the order of the axes is libtorch's choice.
                if type != dtype { #expect(copy.strides == expected.strides, "\(place)") }
            }
        }
    }

    @Test("a parameter on the way keeps its graph", arguments: CUDATests.devices)
    func graph(device: Device) {
        let parameter = Tensor.ones([3])
        parameter.requiresGradient = true
        #expect(parameter.moved(to: device).requiresGradient)
        #expect(!parameter.detached().moved(to: device).requiresGradient)
    }

    @Test("large tensors and other types on the way", arguments: CUDATests.devices)
    func conversions(device: Device) {
        var generator = RandomGenerator(seed: 24)
        let large = generator.uniform([3 << 20, 8])
        expectIdentical(large.moved(to: device).moved(to: .cpu), large)
        let last = CUDATests.devices[CUDATests.devices.count - 1]
        expectIdentical(large.moved(to: device).moved(to: last).moved(to: .cpu), large)
        let half = large.converted(to: .bfloat16, device: device)
        expectIdentical(half.moved(to: .cpu), large.converted(to: .bfloat16))
    }

    @Test("the peak of memory is what tensors took, and begins anew", arguments: CUDATests.devices)
    func memory(device: Device) {
        let size = 1 << 30
        Memory.resetPeak(on: device)
        do { _ = Tensor.zeros([size / 4], device: device) }
        #expect(Memory.peakBytes(on: device) >= size)
        Memory.resetPeak(on: device)
        #expect(Memory.peakBytes(on: device) < size / 2)
    }

    @Test("a tensor that does not fit ends the program with a message that helps")
    func exhaustion() async throws {
        let result = await #expect(
            processExitsWith: .exitCode(1),
            observing: [\.standardErrorContent]
        ) {
            _ = try Device.named("cuda")
            _ = Tensor.zeros([1 << 40], device: .cuda)
        }
        let message = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(message.contains("out of memory"), "\(message)")
        #expect(message.contains("smaller batch"), "\(message)")
    }
}

@Suite("On a GPU", .requiresGPU)
struct GPUTests {
    @Test("operations agree with those on the processor")
    func operations() {
        var generator = RandomGenerator(seed: 20)
        let x = generator.normal([8, 16])
        let weight = generator.normal([4, 16])
        let y = x.linear(weight: weight).softmax(along: 1)
        let z = x.moved(to: .cuda).linear(weight: weight.moved(to: .cuda)).softmax(along: 1)
        #expect(z.device == .cuda)
        expectClose(z, y, relative: 1e-4)
        expectIdentical(z.moved(to: .cpu).moved(to: .cuda), z)
    }

    @Test("gradients agree with those on the processor")
    func gradients() throws {
        var generator = RandomGenerator(seed: 21)
        let x = generator.normal([4, 3, 8, 8])
        func gradient(on device: Device) throws -> Tensor {
            let weight = RandomGenerator.weights([5, 3, 3, 3]).moved(to: device).detached()
            weight.requiresGradient = true
            x.moved(to: device).convolved(weight: weight).gelu().sum().backward()
            return try #require(weight.gradient)
        }
        expectClose(try gradient(on: .cuda), try gradient(on: .cpu), relative: 1e-4)
    }

    @Test("autocast and memory statistics work there")
    func autocast() {
        let x = Tensor.ones([64, 64], device: .cuda)
        #expect(withAutocast(.bfloat16, on: .cuda) { x.matmul(x) }.dtype == .bfloat16)
        Device.cuda.synchronize()
        #expect(Memory.peakBytes(on: .cuda) >= 64 * 64 * 4)
    }

    @Test("what is copied behind long work arrives whole, though its memory is used again")
    func queuedCopies() {
        let x = Tensor.full([8192, 8192], 1e-4, device: .cuda)
        var product = x
        for _ in 0..<20 { product = product.matmul(x) }
        var generator = RandomGenerator(seed: 25)
        let sources = (0..<2000).map { _ in generator.normal([257]) }
        let copies = sources.map { $0.moved(to: .cuda) }
        expectIdentical(Tensor.stacked(copies).moved(to: .cpu), Tensor.stacked(sources))
        withExtendedLifetime(product) {}
    }
}

extension RandomGenerator {
    fileprivate static func weights(_ shape: [Int]) -> Tensor {
        var generator = RandomGenerator(seed: 22)
        return generator.normal(shape)
    }
}
