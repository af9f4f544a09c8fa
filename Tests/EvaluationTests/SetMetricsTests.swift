import Evaluation
import TestSupport
import Testing
import Torch
import Training

private func cloud(_ count: Int, _ width: Int, seed: UInt64) -> Tensor {
    var generator = RandomGenerator(seed: seed)
    return generator.normal([count, width])
}

@Suite("Metrics of sets")
struct SetMetricsTests {
    // Fewer images than features on one side, on both, on none.
    @Test("a set has no Fréchet distance to itself", arguments: [(40, 60), (60, 8), (2, 30)])
    func self_(_ count: Int, width: Int) throws {
        let x = cloud(count, width, seed: 1)
        let distance = try FrechetDistance(x, x)
        #expect(distance.value < 1e-5 * distance.traceOfCovariances)
        #expect(distance.meanTerm == 0)
    }

    @Test("a shifted set is as far away as it was shifted", arguments: [10, 200])
    func shift(_ count: Int) throws {
        let x = cloud(count, 20, seed: 2)
        let distance = try FrechetDistance(x, x + 3)
        #expect(abs(distance.value - 9 * 20) < 1e-3)
    }

    @Test("a scaled normal distribution has the distance of the formula")
    func scale() throws {
        // Σ₂ = 4Σ₁: tr Σ₁ + 4 tr Σ₁ − 2·2 tr Σ₁ = tr Σ₁, beside the means.
        let x = cloud(300, 10, seed: 3)
        let distance = try FrechetDistance(x, x * 2)
        let trace = distance.traceOfCovariances / 5
        #expect(abs(distance.value - distance.meanTerm - trace) < 1e-6 * trace)
    }

    @Test("the way over the smaller set gives the same as the way over covariances")
    func ways() throws {
        // 30 and 31 features of 30 images: the same sets, with one column of zeros more.
        let (a, b) = (cloud(30, 30, seed: 4), cloud(500, 30, seed: 5))
        func widened(_ x: Tensor) -> Tensor {
            .concatenated([x, .zeros([x.size(along: 0), 1])], along: 1)
        }
        let direct = try FrechetDistance(a, b).value
        let overRows = try FrechetDistance(widened(a), widened(b)).value
        #expect(abs(direct - overRows) < 1e-5 * direct)
    }

    @Test("one image has no covariance")
    func oneImage() {
        let error = #expect(throws: TrainingError.self) {
            try FrechetDistance(cloud(1, 3, seed: 1), cloud(5, 3, seed: 2))
        }
        #expect(error?.message.contains("at least two") == true)
    }

    @Test("a random part of the real set is precise, and covers what its size allows")
    func part() throws {
        let real = cloud(600, 4, seed: 6)
        let part = try PrecisionRecall(generated: real[0..<150], real: real, neighbours: 5)
        #expect(part.precision == 1)
        #expect(part.recall > 0.9)
        // A quarter of the points is there, so that of five neighbours one is nearly always.
        #expect(part.coverage > 0.75)
        // Each lies in its own ball and in those of about a quarter of its neighbours' balls.
        #expect(part.density > 0.8 && part.density < 1.4)
        let far = try PrecisionRecall(generated: real[0..<150] + 100, real: real, neighbours: 5)
        #expect(far.precision == 0 && far.recall == 0 && far.density == 0 && far.coverage == 0)
    }

    @Test("blocks of rows give the same as everything at once")
    func blocks() throws {
        // 20,000 columns: blocks of 419 rows; and the same points in another order.
        let real = cloud(20_000, 3, seed: 7)
        let generated = cloud(1_000, 3, seed: 8)
        let whole = try PrecisionRecall(generated: generated, real: real, neighbours: 3)
        var generator = RandomGenerator(seed: 9)
        let order = generator.permutation(1_000)
        let shuffled = try PrecisionRecall(
            generated: generated.gathered(order),
            real: real,
            neighbours: 3
        )
        #expect(shuffled.realBallCounts == order.map { whole.realBallCounts[$0] })
        #expect(shuffled.isCovered == whole.isCovered)
        #expect(shuffled.isRecalled == whole.isRecalled)
    }

    @Test("more neighbours than images are refused with the number that is possible")
    func tooFew() {
        let real = cloud(50, 3, seed: 1)
        let error = #expect(throws: TrainingError.self) {
            try PrecisionRecall(generated: real[0..<4], real: real, neighbours: 5)
        }
        #expect(error?.code == .malformedSet)
        #expect(error?.message.contains("4 surrogate images") == true)
        #expect(error?.message.contains("at most 3 neighbours") == true)
        let zero = #expect(throws: TrainingError.self) {
            try PrecisionRecall(generated: real, real: real, neighbours: 0)
        }
        #expect(zero?.code == .invalidOption)
    }

    @Test("no tensor is left behind")
    func leaks() throws {
        let (a, b) = (cloud(20, 6, seed: 1), cloud(30, 6, seed: 2))
        try expectNoLeaks {
            _ = try FrechetDistance(a, b)
            _ = try PrecisionRecall(generated: a, real: b)
        }
    }
}
