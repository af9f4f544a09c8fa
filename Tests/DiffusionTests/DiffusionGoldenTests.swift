import Diffusion
import Foundation
import TestSupport
import Testing
import Torch

@Suite("The diffusion process against the reference", .tags(.golden), .comparesDevices)
struct DiffusionGoldenTests {
    @Test("Every table of every respacing agrees")
    func tables() throws {
        let golden = try Golden("diffusion_tables")
        for (name, setting) in try golden.config.object {
            let (respacing, stepCount) = (try setting.array[0].string, try setting.array[1].int)
            var schedule = NoiseSchedule(stepCount: stepCount)
            if !respacing.isEmpty { schedule = try schedule.respaced(Respacing(respacing)) }

            let timesteps: [Int] = try golden["\(name).timestep_map"].values()
            #expect(schedule.timestepMap == timesteps, "\(name)")
            let tables: [String: [Double]] = [
                "betas": schedule.betas,
                "alphas_cumprod": schedule.alphaBars,
                "alphas_cumprod_prev": schedule.previousAlphaBars,
                "alphas_cumprod_next": schedule.nextAlphaBars,
                "sqrt_alphas_cumprod": schedule.signalScales,
                "sqrt_one_minus_alphas_cumprod": schedule.noiseScales,
                "log_one_minus_alphas_cumprod": schedule.logNoiseVariances,
                "sqrt_recip_alphas_cumprod": schedule.reciprocalSignalScales,
                "sqrt_recipm1_alphas_cumprod": schedule.noiseToSignalRatios,
                "posterior_variance": schedule.posteriorVariances,
                "posterior_log_variance_clipped": schedule.clippedLogPosteriorVariances,
                "posterior_mean_coef1": schedule.posteriorMeanX0Factors,
                "posterior_mean_coef2": schedule.posteriorMeanXtFactors,
            ]
            #expect(golden.group("\(name).").count == tables.count + 1)
            for (table, computed) in tables {
                let expected: [Double] = try golden["\(name).\(table)"].values()
                #expect(computed.count == expected.count, "\(name).\(table)")
                let areClose = zip(computed, expected).allSatisfy {
                    abs($0 - $1) / max(abs($1), 1e-300) <= 1e-10
                }
                #expect(areClose, "\(name).\(table)")
            }
        }
    }

    @Test("Respacings that do not exist are errors")
    func impossibleRespacings() throws {
        let golden = try Golden("diffusion_tables")
        let refused = try JSONValue(text: golden.metadata["must_fail"] ?? "").array
        #expect(!refused.isEmpty)
        for respacing in refused {
            let text = try respacing.string
            #expect(throws: RespacingError.self) {
                try NoiseSchedule().respaced(Respacing(text))
            }
        }
    }

    @Test(
        "The training loss agrees, term by term and with its gradient",
        arguments: Device.tested
    )
    func trainingLoss(on device: Device) throws {
        let golden = try Golden("training_loss", on: device)
        let process = GaussianDiffusion(device: device)
        let steps = try golden["input.t"]
        let (x0, noise) = (try golden["input.x0"], try golden["input.noise"])
        let output = try golden["input.model_output"].copied()
        output.requiresGradient = true

        let xt = process.noised(x0, noise: noise, at: steps)
        expectClose(xt, try golden["expected.x_t"], relative: 1e-6, "x_t")
        let loss = process.loss(output: output, x0: x0, xt: xt, noise: noise, at: steps)
        let bound = try #require(loss.variationalBound)
        for (row, step) in steps.values(as: Int.self).enumerated() {
            let label = "row \(row), t = \(step)"
            expectClose(
                loss.squaredError[row],
                try golden["expected.mse"][row],
                relative: 1e-5,
                "mse of \(label)"
            )
            let tolerance = step < 2 ? 2e-4 : 1e-5
            expectClose(
                bound[row],
                try golden["expected.vb"][row],
                relative: tolerance,
                "bound of \(label)"
            )
            expectClose(
                loss.total[row],
                try golden["expected.loss"][row],
                relative: tolerance,
                "loss of \(label)"
            )
            expectClose(
                loss.predictedX0[row],
                try golden["expected.pred_xstart"][row],
                relative: 1e-5,
                "x0 of \(label)"
            )
        }

        loss.total.mean().backward()
        let gradient = try #require(output.gradient)
        let expected = try golden["expected.grad_model_output"]
        expectClose(gradient, expected, relative: 1e-3, "gradient")
        // ε learns from the squared error alone, so its part of the gradient is more exact.
        let channels = x0.size(along: 1)
        expectClose(
            gradient.sliced(0..<channels, along: 1),
            expected.sliced(0..<channels, along: 1),
            relative: 1e-5,
            "gradient of ε"
        )
    }
}
