import Diffusion
import Foundation
import TestSupport
import Testing
import Torch

/// Normal data have a known best denoiser and a known solution for every start.
@Suite("Samplers against exact solutions")
struct ExactSolutionTests {
    @Test("DDIM inversion and sampling lead back to the start")
    func inversion() throws {
        let data = NormalData()
        var generator = RandomGenerator(seed: 4)
        let start = generator.normal([4, 3, 8, 8]) * data.deviation + data.mean
        let labels = Tensor.zeros([4], dtype: .int64)
        let errors = try [25, 50, 100].map { count in
            let schedule = try NoiseSchedule().respaced(.sections([count]))
            let inversion = DDIMInversion(
                schedule,
                network: data.denoiser,
                start: start,
                labels: labels
            )
            let noise = inversion.result()
            if count == 100 { #expect(abs(noise.variance().item - 1) < 0.15) }
            let sampler = DDIMSampler(
                schedule,
                network: data.denoiser,
                start: noise,
                labels: labels
            )
            return (sampler.result() - start).squared().mean().sqrt().item
        }
        #expect(errors[1] < errors[0] / 1.5 && errors[2] < errors[1] / 1.5, "\(errors)")
        #expect(errors[2] < 0.03, "\(errors)")
    }

    @Test("Deterministic samplers converge to the exact solution, each with its order")
    func convergence() throws {
        let data = NormalData()
        var generator = RandomGenerator(seed: 8)
        let start = generator.normal([8, 1, 4, 4])
        let labels = Tensor.zeros([8], dtype: .int64)
        let exact = data.end(of: start, at: 999)
        func error(_ sampler: some Sampler) -> Double {
            (sampler.result() - exact).magnitude().max().item
        }
        let counts = [10, 20, 40]
        let ddim = try counts.map {
            error(
                DDIMSampler(
                    try NoiseSchedule().respaced(.sections([$0])),
                    network: data.denoiser,
                    start: start,
                    labels: labels
                )
            )
        }
        let solver = try counts.map {
            error(
                DPMSolverPlusPlus(
                    try NoiseSchedule().respaced(.solver($0)),
                    network: data.denoiser,
                    start: start,
                    labels: labels
                )
            )
        }
        for k in 1..<counts.count {
            #expect(ddim[k] < ddim[k - 1] / 1.7, "\(ddim)")
            #expect(solver[k] < solver[k - 1] / 2.5, "\(solver)")
            #expect(solver[k] < ddim[k] / 2, "\(ddim) \(solver)")
        }
    }

    @Test("Ancestral sampling reproduces mean and deviation of the data", arguments: [0.0, 1.0])
    func statistics(eta: Double) throws {
        let data = NormalData()
        let images = (0..<64).map { (label: 0, image: $0) }
        var noise = NoiseSource(seed: 2, images: images)
        let start = noise.next([1, 16, 16])
        let schedule = try NoiseSchedule().respaced(.sections([250]))
        let labels = Tensor.zeros([64], dtype: .int64)
        let sampler: any Sampler =
            eta == 0
            ? AncestralSampler(
                schedule,
                network: data.denoiser,
                start: start,
                labels: labels,
                noise: noise
            )
            : DDIMSampler(
                schedule,
                eta: eta,
                network: data.denoiser,
                start: start,
                labels: labels,
                noise: noise
            )
        let x = sampler.result()
        // 16,384 values: the mean is within 0.4/128 of the truth.
        #expect(abs(x.mean().item - data.mean) < 0.02)
        #expect(abs(x.variance().sqrt().item - data.deviation) < 0.02)
    }
}
