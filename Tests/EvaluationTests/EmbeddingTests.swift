import Evaluation
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Embeddings in a plane")
struct EmbeddingTests {
    @Test("the principal components of four points are those found by hand")
    func byHand() {
        // (±2, ±1) turned by 45°, around (3, 5): variances 4·4/3 and 4·1/3 along the diagonals.
        let half = 0.5.squareRoot()
        let corners: [(Double, Double)] = [(2, 1), (2, -1), (-2, 1), (-2, -1)]
        let points: [Double] = corners.flatMap { a, b -> [Double] in
            [3 + (a - b) * half, 5 + (a + b) * half]
        }
        let x = Tensor(points, shape: [4, 2])
        let components = PrincipalComponents(of: x)
        let mean = components.mean.values(as: Double.self)
        #expect(abs(mean[0] - 3) < 1e-12 && abs(mean[1] - 5) < 1e-12)
        #expect(abs(components.variances[0] - 16.0 / 3) < 1e-12)
        #expect(abs(components.variances[1] - 4.0 / 3) < 1e-12)
        let first = components.directions[0].values(as: Double.self)
        #expect(abs(first[0] - half) < 1e-12 && abs(first[1] - half) < 1e-12)
        let places = components.projected(x)[0].values(as: Double.self)
        #expect(abs(places[0] - 2) < 1e-12 && abs(abs(places[1]) - 1) < 1e-12)
    }

    @Test("more numbers than points give the same components")
    func wide() {
        var generator = RandomGenerator(seed: 3)
        let low = generator.normal([6, 4])
        // The same points among 40 numbers, in a space turned nowhere: zeros are added.
        let wide = Tensor.concatenated([low, .zeros([6, 36])], along: 1)
        let (a, b) = (PrincipalComponents(of: low), PrincipalComponents(of: wide))
        for (x, y) in zip(a.variances, b.variances) { #expect(abs(x - y) < 1e-9) }
        let difference = a.projected(low) - b.projected(wide)
        #expect(difference.magnitude().max().item < 1e-6)
    }

    /// Three groups of ten points among 20 numbers.
    private static func groups(distance: Double) -> Tensor {
        var generator = RandomGenerator(seed: 5)
        let noise = generator.normal([30, 20])
        var shifts = [Float](repeating: 0, count: 600)
        for point in 0..<30 { shifts[point * 20 + point / 10] = Float(distance) }
        return noise + Tensor(shifts, shape: [30, 20])
    }

    @Test("groups that lie apart stay apart, and every point keeps a neighbour of its group")
    func separated() throws {
        var parameters = NeighbourEmbedding.Parameters()
        parameters.perplexity = 5
        let embedding = try NeighbourEmbedding(
            of: EmbeddingTests.groups(distance: 40),
            parameters: parameters
        )
        let y = embedding.places.values(as: Double.self)
        func distance(_ a: Int, _ b: Int) -> Double {
            hypot(y[2 * a] - y[2 * b], y[2 * a + 1] - y[2 * b + 1])
        }
        var within = 0.0
        var between = Double.infinity
        for a in 0..<30 {
            let others = (0..<30).filter { $0 != a }
            let nearest = others.min { distance(a, $0) < distance(a, $1) }
            #expect(nearest.map { $0 / 10 } == a / 10)
            for b in others where b / 10 == a / 10 { within = max(within, distance(a, b)) }
            for b in others where b / 10 != a / 10 { between = min(between, distance(a, b)) }
        }
        #expect(between > within, "\(between) between, \(within) within")
        #expect(embedding.divergence > 0 && embedding.divergence < 1)
        #expect(embedding.places.isFinite().values(as: Bool.self).allSatisfy { $0 })
    }

    @Test("the same points give the same plane, and equal points no trouble")
    func repeatable() throws {
        let x = EmbeddingTests.groups(distance: 1)
        var parameters = NeighbourEmbedding.Parameters()
        parameters.steps = 30
        let first = try NeighbourEmbedding(of: x, parameters: parameters).places
        let again = try NeighbourEmbedding(of: x, parameters: parameters).places
        #expect(first.isEqual(to: again))
        let equal = try NeighbourEmbedding(of: .ones([8, 3]), parameters: parameters).places
        #expect(equal.isFinite().values(as: Bool.self).allSatisfy { $0 })
    }
}
