import Diffusion
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Noise schedules and loss weights")
struct NoiseScheduleTests {
    private func isClose(_ a: Double, _ b: Double, relative: Double = 1e-8) -> Bool {
        abs(a - b) <= relative * abs(b)
    }

    @Test("The 1000-step process has the published numbers")
    func wholeProcess() {
        let schedule = NoiseSchedule()
        #expect(schedule.stepCount == 1000)
        #expect(isClose(schedule.alphaBars[0], 0.9999))
        #expect(isClose(schedule.alphaBars[1], 0.9997800920720721, relative: 1e-14))
        #expect(isClose(schedule.alphaBars[500], 0.07779665836502389, relative: 1e-12))
        #expect(isClose(schedule.alphaBars[999], 4.035829765375676e-05, relative: 1e-12))
        #expect(isClose(schedule.reciprocalSignalScales[999], 157.41045725))
        #expect(isClose(schedule.noiseToSignalRatios[999], 157.40728081040757))
    }

    @Test("Fifty steps are those of the reference")
    func fiftySteps() throws {
        let schedule = try NoiseSchedule().respaced(Respacing("50"))
        #expect(schedule.timestepMap.prefix(8) == [0, 20, 41, 61, 82, 102, 122, 143])
        #expect(schedule.timestepMap.suffix(3) == [958, 979, 999])
        #expect(isClose(schedule.betas[1], 6.16518795e-3))
        #expect(isClose(schedule.betas[49], 0.329809066))
        let variances = schedule.clippedLogPosteriorVariances
        #expect(isClose(variances[0], -9.22633193) && variances[0] == variances[1])
        #expect(isClose(variances[49], -1.10926124))
    }

    @Test("Respacing keeps ᾱ and composes")
    func composition() {
        let half = NoiseSchedule().respaced(to: Array(stride(from: 1, to: 1000, by: 2)))
        let quarter = half.respaced(to: Array(stride(from: 1, to: 500, by: 2)))
        #expect(quarter.timestepMap == Array(stride(from: 3, to: 1000, by: 4)))
        for (step, timestep) in quarter.timestepMap.enumerated() {
            #expect(
                isClose(
                    quarter.alphaBars[step],
                    NoiseSchedule().alphaBars[timestep],
                    relative: 1e-12
                )
            )
        }
    }

    @Test("Text that names no respacing is refused with an explanation")
    func malformedRespacings() throws {
        for text in ["", "ddim", "0", "-5", "10,,20", "ddim10,20", "fast20", "ddim 5", "1e2"] {
            let error = #expect(throws: RespacingError.self) { _ = try Respacing(text) }
            #expect(error?.description.contains("\"\(text)\"") == true)
        }
        #expect(try Respacing("10,15,20") == .sections([10, 15, 20]))
        #expect(try Respacing("ddim25") == .ddim(25))
        #expect(try Respacing("solver20") == .solver(20))
        #expect(throws: RespacingError.self) { try NoiseSchedule().respaced(.solver(1000)) }
        #expect(throws: RespacingError.self) {
            try NoiseSchedule(stepCount: 30).respaced(.sections([10, 11, 10]))
        }
    }

    @Test("A process of a single step has finite tables")
    func singleStep() throws {
        let schedule = try NoiseSchedule().respaced(.sections([1]))
        #expect(schedule.timestepMap == [0])
        #expect(schedule.clippedLogPosteriorVariances.isEmpty)
        let process = GaussianDiffusion(schedule)
        let (x, step) = (Tensor.ones([1, 1, 2, 2]), Tensor([0]))
        let interpolation = Tensor.zeros([1, 1, 2, 2])
        let variance = process.logVariance(interpolation: interpolation, at: step)
        #expect(variance.isFinite().values(as: Bool.self).allSatisfy { $0 })
        expectClose(process.posteriorMean(x, x0: x * 3, at: step), x * 3, relative: 1e-6)
    }

    @Test("Noising and both predictions undo each other")
    func predictions() {
        var generator = RandomGenerator(seed: 1)
        let process = GaussianDiffusion()
        let x0 = generator.normal([4, 2, 3, 3])
        let noise = generator.normal([4, 2, 3, 3])
        let steps = Tensor([10, 300, 600, 999])
        let xt = process.noised(x0, noise: noise, at: steps)
        expectClose(process.predictedX0(xt, noise: noise, at: steps), x0, absolute: 1e-4)
        expectClose(process.predictedNoise(xt, x0: x0, at: steps), noise, absolute: 1e-4)
        #expect(process.timesteps(at: steps).isEqual(to: steps))
    }

    @Test("Min-SNR weights are one in noise and fall where the signal is strong")
    func minSNR() {
        let process = GaussianDiffusion()
        let steps = Tensor([0, 100, 999])
        let weights = process.weights(.minSNR(gamma: 5), at: steps).values(as: Float.self)
        let alphaBar = process.schedule.alphaBars[100]
        #expect(isClose(Double(weights[0]), 5 / 9999, relative: 1e-6))
        #expect(isClose(Double(weights[1]), 5 * (1 - alphaBar) / alphaBar, relative: 1e-6))
        #expect(weights[2] == 1)
        #expect(process.weights(.uniform, at: steps).values(as: Float.self) == [1, 1, 1])
    }

    @Test("A network without variance is trained by the squared error alone")
    func lossWithoutVariance() {
        var generator = RandomGenerator(seed: 2)
        let process = GaussianDiffusion()
        let (x0, noise) = (generator.normal([2, 1, 4, 4]), generator.normal([2, 1, 4, 4]))
        let steps = Tensor([3, 700])
        let xt = process.noised(x0, noise: noise, at: steps)
        let loss = process.loss(output: noise + 0.5, x0: x0, xt: xt, noise: noise, at: steps)
        #expect(loss.variationalBound == nil)
        expectClose(loss.total, Tensor([Float(0.25), 0.25]), relative: 1e-5)
    }

    @Test("The true posterior has no divergence from itself")
    func zeroBound() {
        var generator = RandomGenerator(seed: 3)
        let process = GaussianDiffusion()
        let (x0, noise) = (generator.normal([2, 1, 4, 4]), generator.normal([2, 1, 4, 4]))
        let steps = Tensor([200, 700])
        let xt = process.noised(x0, noise: noise, at: steps)
        // v = −1 asks for the variance of the posterior.
        let output = Tensor.concatenated([noise, .full([2, 1, 4, 4], -1)], along: 1)
        let loss = process.loss(output: output, x0: x0, xt: xt, noise: noise, at: steps)
        expectClose(loss.total, .zeros([2]), absolute: 1e-6)
    }
}
