import Distillation
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Long trainings", .tags(.slow))
struct LongTrainingTests {
    /// In a process of its own: other tests would change both figures.
    @Test("1,000 fine-tuning steps leave as many tensors and no more memory than before")
    func memory() async {
        await #expect(processExitsWith: .success) {
            let method = SmallTraining.minimax(steps: 1300, precision: .bfloat16)
            let source = try SmallTraining.source()
            // Memories are full, the optimizer's state exists, the allocator has seen all sizes.
            try method.run(on: source) { $0.step < 300 }
            let tensors = Engine.liveTensorCount
            let before = Memory.residentBytes
            try method.run(on: source) { _ in true }
            let growth = Double(Memory.residentBytes - before) / Double(max(before, 1))
            precondition(method.step == 1300)
            precondition(Engine.liveTensorCount == tensors)
            precondition(growth < 0.01, "grew by \(growth)")
        }
    }
}
