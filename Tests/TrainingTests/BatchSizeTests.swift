import Torch
import Testing
import Training

@Suite("Images at once")
struct BatchSizeTests {
    @Test("depend on their size: maps must stay in the allocator's memory, or fit into a GPU's")
    func sizes() {
        func count(_ device: Device, _ side: Int, atMost limit: Int = 256) -> Int {
            device.imagesAtOnce(height: side, width: side, atMost: limit)
        }
        #expect(count(.cpu, 28) == 83 && count(.cpu, 224) == 8)
        #expect(count(.cuda, 28) == 256 && count(.cuda, 128) == 256 && count(.cuda, 256) == 64)
        #expect(count(.cuda, 32, atMost: 1024) == 1024 && count(.cuda, 4096) == 8)
    }
}
