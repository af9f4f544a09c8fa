import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch

@Suite("A DiT that computes its blocks again in the backward pass")
struct DiTRecomputationTests {
    private func model(depth: Int = 3, hiddenSize: Int = 32) -> DiT {
        let configuration = DiT.Configuration(
            inputSize: 8,
            hiddenSize: hiddenSize,
            depth: depth,
            headCount: 2,
            classCount: 5
        )
        var generator = RandomGenerator(seed: 3)
        let model = DiT(configuration.withScaleFactors(blockCount: 2), using: &generator)
        // Gates and output start at zero; open them, so that every parameter has a gradient.
        for (name, tensor) in model.parameters()
        where name.contains("adaLN_modulation") || name.hasPrefix("final_layer") {
            Initialization.normal(tensor, deviation: 0.1, using: &generator)
        }
        return model
    }

    private func loss(_ model: DiT, precision: DType?) -> Tensor {
        var generator = RandomGenerator(seed: 5)
        let x = generator.normal([2, 4, 8, 8])
        let output = withAutocast(precision) {
            model(x, timesteps: Tensor([10, 600]), labels: Tensor([1, 4]))
        }
        return output.converted(to: .float32).squared().mean()
    }

    @Test(
        "has the same output and the same gradients to the last bit",
        arguments: [nil, DType.bfloat16],
        [true, false]
    )
    func gradients(precision: DType?, trainsAll: Bool) throws {
        let model = model()
        if !trainsAll {
            model.train(where: DiT.isFineTuned)
            if let precision { model.lowerFrozenWeights(to: precision) }
        }
        var found = [[String: Tensor]]()
        var losses = [Double]()
        for recomputes in [false, true] {
            model.recomputesActivations = recomputes
            let loss = loss(model, precision: precision)
            loss.backward()
            losses.append(loss.item)
            var gradients = [String: Tensor]()
            for (name, tensor) in model.trainableParameters() {
                gradients[name] = try #require(tensor.gradient, "\(name)").copied()
                tensor.gradient = nil
            }
            found.append(gradients)
        }
        #expect(losses[0] == losses[1])
        for (name, gradient) in found[0] {
            #expect(gradient.magnitude().max().item > 0, "\(name)")
            expectIdentical(try #require(found[1][name]), gradient, name)
        }
        #expect(found[1].count == found[0].count)
    }

    @Test("takes a fraction of the memory")
    func memory() {
        let model = model(depth: 12)
        model.train(where: DiT.isFineTuned)
        func peak(recomputing: Bool) -> Int {
            model.recomputesActivations = recomputing
            return Memory.peakTensorBytes {
                let trained = model.trainableParameters().map(\.tensor)
                _ = Tensor.gradients(of: [loss(model, precision: nil)], by: trained)
            }
        }
        let (whole, less) = (peak(recomputing: false), peak(recomputing: true))
        #expect(less < whole / 3, "\(less) bytes instead of \(whole)")
    }

    @Test("leaves no tensor behind")
    func leaks() {
        let model = model()
        model.recomputesActivations = true
        func step() {
            loss(model, precision: .bfloat16).backward()
            for (_, tensor) in model.parameters() { tensor.gradient = nil }
        }
        step()
        expectNoLeaks { step() }
    }
}
