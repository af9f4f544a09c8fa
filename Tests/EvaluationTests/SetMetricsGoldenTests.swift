import Evaluation
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Metrics of sets match the reference", .tags(.golden))
struct SetMetricsGoldenTests {
    /// The cases of a file: `input.0.…`, `input.1.…` and so on.
    private func cases(_ golden: Golden) -> [String] {
        Set(golden.group("input.").names.compactMap { $0.split(separator: ".").first })
            .map(String.init).sorted()
    }

    @Test("Fréchet distance, its terms and a covariance")
    func frechet() throws {
        let golden = try Golden("frechet_distance")
        let cases = cases(golden)
        #expect(cases.count >= 3)
        for name in cases {
            let (a, b) = (try golden["input.\(name).a"], try golden["input.\(name).b"])
            for (first, second) in [(a, b), (b, a)] {
                let distance = try FrechetDistance(first, second)
                func expect(_ value: Double, _ key: String) throws {
                    let expected = try golden["expected.\(name).\(key)"].item
                    #expect(abs(value - expected) <= 1e-5 * abs(expected), "case \(name), \(key)")
                }
                try expect(distance.value, "frechet")
                try expect(distance.meanTerm, "mean_term")
                try expect(distance.traceOfRoot, "trace_sqrt")
            }
            if let covariance = golden.state["expected.\(name).cov_a"] {
                let mean = a.converted(to: .float64).mean(along: 0)
                expectClose(Moments.covariance(of: a, mean: mean), covariance, relative: 1e-9)
            }
        }
    }

    @Test("precision, recall, density and coverage")
    func prdc() throws {
        let golden = try Golden("prdc")
        let cases = cases(golden)
        #expect(cases.count >= 3)
        for name in cases {
            let expected = golden.group("expected.\(name).k")
            for k in Set(expected.names.compactMap { $0.split(separator: ".").first }) {
                let found = try PrecisionRecall(
                    generated: golden["input.\(name).generated"],
                    real: golden["input.\(name).real"],
                    neighbours: try #require(Int(k))
                )
                let values = [
                    "precision": found.precision, "recall": found.recall,
                    "density": found.density, "coverage": found.coverage,
                ]
                for (key, value) in values {
                    let expected = try #require(expected["\(k).\(key)"]).item
                    #expect(abs(value - expected) <= 1e-9, "case \(name), k \(k), \(key)")
                }
            }
        }
    }
}
