import Experiments
import Testing
import Torch

@Suite("Estimates for people")
struct RunEstimateTests {
    @Test(
        "have the unit that suits them",
        arguments: [
            (36.4, "about 36 s"), (99.4, "about 99 s"), (100.0, "about 1.7 min"),
            (7199.0, "about 120.0 min"), (7200.0, "about 2 h 00 min"),
            (23_220.0, "about 6 h 27 min"), (86_399.0, "about 24 h 00 min"),
            (18_127_920.0, "about 210 days"),
        ]
    )
    func times(seconds: Double, text: String) {
        #expect(RunEstimate.time(seconds) == text)
    }

    @Test("tell the largest memory, not that of the last measurement")
    func memory() {
        var peak = PeakMemory(on: .cpu)
        #expect(peak.bytes == 0)
        for _ in 0..<3 {
            let before = peak.bytes
            let x = Tensor.ones([10_000_000])
            peak.note()
            #expect(peak.bytes >= max(before, 4 * x.count))
            Memory.resetPeak(on: .cpu)
        }
    }
}
