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
        Memory.resetPeak(on: .cuda)
    }
}

extension RandomGenerator {
    fileprivate static func weights(_ shape: [Int]) -> Tensor {
        var generator = RandomGenerator(seed: 22)
        return generator.normal(shape)
    }
}
