import Diffusion
import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("Samplers against the references", .tags(.golden), .comparesDevices)
struct SamplerGoldenTests {
    @Test("One step of each sampler agrees, row by row")
    func steps() throws {
        let golden = try Golden("sampler_steps")
        let respacing = try Respacing(golden.config["respacing"].string)
        let schedule = try NoiseSchedule().respaced(respacing)
        for (row, index) in try golden["input.index"].values(as: Int.self).enumerated() {
            func input(_ name: String) throws -> Tensor {
                try golden["input.\(name)"].sliced(row..<row + 1)
            }
            func expect(_ name: String, _ tensor: Tensor) throws {
                let expected = try golden["expected.\(name)"].sliced(row..<row + 1)
                expectClose(tensor, expected, relative: 1e-5, "\(name), index \(index)")
            }
            let (x, output) = (try input("x_t"), try input("model_output"))
            let (noise, gradient) = (try input("noise"), try input("cond_grad"))
            let timestep = try golden["expected.model_t"].sliced(row..<row + 1)
            let network: Denoiser = { _, told, _ in
                #expect(told.isEqual(to: timestep))
                return output
            }
            let steering: Steering = { at, told, _ in
                #expect(told.isEqual(to: timestep) && at.isEqual(to: x))
                return gradient
            }
            let labels = Tensor([0])

            func ancestral(_ steering: Steering?) -> SamplingState {
                var source = NoiseSource([noise])
                return AncestralSampler(
                    schedule,
                    network: network,
                    start: x,
                    labels: labels,
                    noise: source,
                    steering: steering
                ).step(x, at: index, noise: &source)
            }
            try expect("sample", ancestral(nil).x)
            try expect("pred_xstart", ancestral(nil).predictedX0)
            try expect("sample_cond", ancestral(steering).x)

            let process = GaussianDiffusion(schedule)
            let prediction = process.reversePrediction(output: output, xt: x, at: Tensor([index]))
            try expect("mean", prediction.mean)
            try expect("log_variance", prediction.logVariance)
            try expect("variance", prediction.logVariance.exp())
            let clipped = process.reversePrediction(
                output: output,
                xt: x,
                at: Tensor([index]),
                x0Range: -1...1
            )
            try expect("clipped.mean", clipped.mean)
            try expect("clipped.pred_xstart", clipped.x0)

            func ddim(_ eta: Double, _ steering: Steering? = nil) -> Tensor {
                var source = NoiseSource([noise])
                return DDIMSampler(
                    schedule,
                    eta: eta,
                    network: network,
                    start: x,
                    labels: labels,
                    noise: source,
                    steering: steering
                ).step(x, at: index, noise: &source).x
            }
            try expect("ddim_eta0", ddim(0))
            try expect("ddim_eta5", ddim(0.5))
            try expect("ddim_eta10", ddim(1))
            try expect("ddim_cond_eta0", ddim(0, steering))
            let inversion = DDIMInversion(schedule, network: network, start: x, labels: labels)
            try expect("ddim_reverse", inversion.step(x, at: index).x)
        }
    }

    @Test("Whole loops with guidance agree", arguments: Device.tested)
    func loops(on device: Device) throws {
        let golden = try Golden("sampling_loops", on: device)
        let model = try DiT.golden(golden)
        let respacing = try Respacing(golden.config["respacing"].string)
        let schedule = try NoiseSchedule().respaced(respacing)
        let (start, labels) = (try golden["input.z"], try golden["input.y"])
        let batch = start.size(along: 0)
        let guidance = ClassifierFreeGuidance(
            scale: try golden.config["cfg_scale"].double,
            nullLabel: model.configuration.classCount
        )
        let network = guidance.guiding(model.denoiser)
        // The reference draws for both halves of the batch; only the first half counts.
        let noises = try golden["input.noises"].sliced(0..<batch, along: 1)
        let noise = NoiseSource((0..<schedule.stepCount).map { noises[$0] })

        func expect(_ name: String, _ sampler: some Sampler) throws {
            let states = Array(sampler)
            #expect(states.map(\.index) == (0..<schedule.stepCount).reversed())
            let first = try golden["expected.\(name).step1"].sliced(0..<batch)
            expectClose(states[0].x, first, relative: 1e-3, "\(name), first step")
            let last = try golden["expected.\(name).final"]
            expectClose(sampler.result(), last, relative: 1e-3, name)
        }
        try expect(
            "ddpm",
            AncestralSampler(
                schedule,
                network: network,
                start: start,
                labels: labels,
                noise: noise
            )
        )
        for (name, eta) in [("ddim_eta0", 0), ("ddim_eta5", 0.5)] {
            try expect(
                name,
                DDIMSampler(
                    schedule,
                    eta: eta,
                    network: network,
                    start: start,
                    labels: labels,
                    noise: noise
                )
            )
        }

        let inversion = DDIMInversion(
            schedule,
            network: model.denoiser,
            start: try golden["input.x0"],
            labels: labels
        )
        let trajectory = try golden["expected.ddim_reverse.trajectory"]
        #expect(trajectory.size(along: 0) == inversion.stepCount)
        for state in inversion {
            expectClose(state.x, trajectory[state.index], relative: 1e-3, "inversion")
        }
    }

    @Test("DPM-Solver++ takes the timesteps of diffusers and reaches the same states")
    func solver() throws {
        let golden = try Golden("dpm_solver")
        let whole = NoiseSchedule(stepCount: try golden.config["num_train_timesteps"].int)
        for count in try golden.config["steps"].array.map({ try $0.int }) {
            let schedule = try whole.respaced(.solver(count))
            let timesteps: [Int] = try golden["expected.\(count).timesteps"].values()
            #expect(schedule.timestepMap.reversed() == timesteps)
            let outputs = try golden["input.\(count).model_outputs"]
            let trajectory = try golden["expected.\(count).trajectory"]
            let start = try golden["input.\(count).start"]

            let solver = DPMSolverPlusPlus(
                schedule,
                network: { _, told, _ in outputs[timesteps.firstIndex(of: Int(told[0].item)) ?? 0]
                },
                start: start,
                labels: .zeros([start.size(along: 0)], dtype: .int64)
            )
            for (k, state) in solver.enumerated() {
                expectClose(state.x, trajectory[k], relative: 1e-4, "\(count) steps, step \(k)")
            }
        }
    }
}

@Suite("Guidance against the reference", .tags(.golden))
struct GuidanceGoldenTests {
    @Test(
        "Both halves of the guided outputs agree",
        arguments: [
            "dit_forward_p2", "dit_forward_p4", "minimax_dit_forward", "minimax_dit_forward_deep",
        ]
    )
    func guidedOutputs(_ name: String) throws {
        let golden = try Golden(name)
        let model = try DiT.golden(golden)
        let outputs = golden.group("expected.out_cfg_")
        #expect(outputs.count > 0)
        let batch = try golden["input.cfg_x"].size(along: 0) / 2
        let x = try golden["input.cfg_x"].sliced(0..<batch)
        let timesteps = try golden["input.cfg_t"].sliced(0..<batch)
        let labels = try golden["input.cfg_y"].chunked(2, along: 0)
        let null = model.configuration.classCount
        #expect(labels[1].values(as: Int.self) == Array(repeating: null, count: batch))

        for (key, expected) in outputs {
            let scale = try #require(Double(key.replacing("p", with: ".")))
            let guidance = ClassifierFreeGuidance(scale: scale, nullLabel: null)
            let halves = expected.chunked(2, along: 0)
            withoutGradient {
                let output = guidance.guiding(model.denoiser)(x, timesteps, labels[0])
                expectClose(output, halves[0], relative: 2e-4, "\(name), scale \(scale)")
                // The reference writes the same guided channels into the second half; the others
                // are there those without a class.
                let count = guidance.guidedChannelCount(of: x.size(along: 1))
                let rest = model(x, timesteps: timesteps, labels: labels[1])
                    .sliced(count..<expected.size(along: 1), along: 1)
                let second = Tensor.concatenated(
                    [output.sliced(0..<count, along: 1), rest],
                    along: 1
                )
                expectClose(second, halves[1], relative: 2e-4, "\(name), second half")
            }
        }
    }
}
