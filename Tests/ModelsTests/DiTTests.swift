import Foundation
import Models
import NeuralNetworks
import TestSupport
import Testing
import Torch

@Suite("The DiT")
struct DiTTests {
    private func model(_ configuration: DiT.Configuration) -> DiT {
        var generator = RandomGenerator(seed: 3)
        return DiT(configuration, using: &generator)
    }

    private func tiny(
        inputSize: Int = 8,
        patchSize: Int = 2,
        channels: Int = 4,
        learnsVariance: Bool = true
    ) -> DiT.Configuration {
        DiT.Configuration(
            inputSize: inputSize,
            patchSize: patchSize,
            channels: channels,
            hiddenSize: 16,
            depth: 2,
            headCount: 2,
            classCount: 5,
            learnsVariance: learnsVariance
        )
    }

    @Test("A new model is the identity: its output is zero, its blocks change nothing")
    func identity() {
        var generator = RandomGenerator(seed: 1)
        let model = model(tiny().withScaleFactors())
        let x = generator.normal([2, 4, 8, 8])
        let (t, y) = (Tensor([0, 999]), Tensor([0, 5]))
        expectIdentical(model(x, timesteps: t, labels: y).detached(), .zeros([2, 8, 8, 8]))
        let inside = model.intermediates(x, timesteps: t, labels: y)
        for tokens in inside.blocks { #expect(tokens.isEqual(to: inside.tokens)) }
    }

    @Test("New weights have the published distributions")
    func initialization() throws {
        let state = model(tiny().withScaleFactors()).state()
        func deviation(_ name: String) throws -> Double {
            try #require(state[name]).detached().variance().sqrt().item
        }
        func bound(_ name: String) throws -> Double {
            try #require(state[name]).detached().magnitude().max().item
        }
        #expect(abs(try deviation("t_embedder.mlp.0.weight") - 0.02) < 0.002)
        #expect(abs(try deviation("y_embedder.embedding_table.weight") - 0.02) < 0.006)
        // Glorot: √(6/(inputs + outputs)).
        let limits = [
            "blocks.1.attn.qkv.weight": (6.0 / (16 + 48)).squareRoot(),
            "x_embedder.proj.weight": (6.0 / (16 + 16)).squareRoot(),
        ]
        for (name, limit) in limits {
            let largest = try bound(name)
            #expect(largest <= limit && largest > 0.95 * limit, "\(name)")
        }
        for name in state.names where name.hasSuffix("bias") || name.contains("adaLN") {
            #expect(try bound(name) == 0, "\(name)")
        }
        for name in state.names where name.contains("gamma") {
            let gamma = try #require(state[name]).detached()
            expectIdentical(gamma, .ones(gamma.shape), name)
        }
    }

    @Test("The table of positions has the published numbers")
    func positions() throws {
        var configuration = DiT.Configuration.extraLarge(patchSize: 2)
        configuration.depth = 1
        let table = try #require(model(configuration).state()["pos_embed"])
        #expect(table.shape == [1, 256, 1152])
        func values(_ row: Int, _ channels: Range<Int>) -> Tensor { table[0][row][channels] }
        let sines = Tensor([Float(0.84147096), 0.82405132, 0.80640167, 0.78859305])
        let cosines = Tensor([Float(0.54030228), 0.56651509, 0.59136820, 0.61491543])
        expectClose(values(1, 0..<4), sines, absolute: 2e-7)
        expectClose(values(16, 576..<580), sines, absolute: 2e-7)
        expectClose(values(1, 288..<292), cosines, absolute: 2e-7)
        let exact = table.converted(to: .float64)
        #expect(abs(exact.sum().item - 134598.94786) < 1e-3)
        #expect(abs(exact.magnitude().sum().item - 165457.32154) < 1e-3)
        #expect(!table.requiresGradient)
    }

    @Test("Timesteps become the published features")
    func timestepFeatures() {
        let model = model(tiny())
        let features = model.intermediates(
            .zeros([2, 4, 8, 8]),
            timesteps: Tensor([1, 999]),
            labels: Tensor([0, 0])
        ).timestepFeatures
        expectClose(
            features[0][0..<4],
            Tensor([Float(0.54030234), 0.59737533, 0.64790589, 0.69250393]),
            absolute: 1e-6
        )
        // The arguments reach 999 rad, where float32 has steps of 6e-5.
        expectClose(
            features[1][0..<4],
            Tensor([Float(0.99964982), 0.96378529, -0.39902055, 0.70484155]),
            absolute: 2e-4
        )
    }

    @Test(
        "The published sizes have the published number of parameters",
        arguments: [
            ("S/2", 32_963_360), ("S/4", 32_945_024), ("S/8", 33_148_160),
            ("B/2", 130_512_416), ("B/4", 130_475_648), ("B/8", 130_881_536),
            ("L/2", 458_102_816), ("L/4", 458_053_760), ("L/8", 458_594_816),
            ("XL/2", 675_129_632), ("XL/4", 675_074_432), ("XL/8", 675_683_072),
        ]
    )
    func parameterCounts(name: String, count: Int) throws {
        // Counted from one block, as the others are like it.
        var configuration = try #require(DiT.Configuration.published[name])
        let depth = configuration.depth
        configuration.depth = 1
        let state = model(configuration).state()
        let block = state.removingPrefix("blocks.0.").elementCount
        #expect(state.elementCount + (depth - 1) * block == count)
    }

    @Test("The smallest published model exists as a whole")
    func wholeModel() {
        let small = model(.small(patchSize: 2).withScaleFactors())
        #expect(small.parameterCount == 32_991_008)
        small.train(where: DiT.isFineTuned)
        let trained = small.trainableParameters()
        #expect(trained.count == 114)
        #expect(trained.reduce(0) { $0 + $1.tensor.count } == 483_104)
    }

    @Test(
        "Any number of channels, patch size and output fits",
        arguments: [1, 3, 16],
        [1, 4]
    )
    func customSizes(channels: Int, patchSize: Int) {
        for learnsVariance in [false, true] {
            let configuration = tiny(
                patchSize: patchSize,
                channels: channels,
                learnsVariance: learnsVariance
            )
            let output = model(configuration)(
                .zeros([3, channels, 8, 8]),
                timesteps: Tensor([1, 2, 3]),
                labels: Tensor([0, 1, 5])
            )
            #expect(output.shape == [3, learnsVariance ? 2 * channels : channels, 8, 8])
        }
    }

    @Test("Tokens become pixels where their patches were cut")
    func patches() throws {
        // Every token's patch holds its own number: as a bias cannot tell tokens apart, the
        // positions are the only difference.
        let configuration = tiny(inputSize: 4, patchSize: 2, channels: 1, learnsVariance: false)
        let model = model(configuration)
        let state = model.state()
        // One final shift for all; the linear layer reads channel 0 of the normalised token into
        // the patch's first pixel and channel 1 into its last.
        let weight = try #require(state["final_layer.linear.weight"])
        withoutGradient {
            weight.fill(with: 0)
            weight[0][0..<1].fill(with: 1)
            weight[3][1..<2].fill(with: 1)
        }
        let x = Tensor.zeros([1, 1, 4, 4])
        let (t, y) = (Tensor([0]), Tensor([0]))
        let tokens = model.intermediates(x, timesteps: t, labels: y).tokens
            .layerNormalized(width: 16, epsilon: 1e-6).detached()
        let output = model(x, timesteps: t, labels: y).detached()[0][0]
        for token in 0..<4 {
            let (row, column) = (2 * (token / 2), 2 * (token % 2))
            #expect(output[row][column].item == tokens[0][token][0].item)
            #expect(output[row + 1][column + 1].item == tokens[0][token][1].item)
            #expect(output[row][column + 1].item == 0 && output[row + 1][column].item == 0)
        }
    }

    @Test("Sizes that do not fit each other are explained")
    func problems() {
        var configuration = tiny()
        #expect(configuration.problem == nil)
        configuration.inputSize = 9
        #expect(configuration.problem?.contains("no multiple of the patch size 2") == true)
        configuration = tiny()
        configuration.headCount = 3
        #expect(configuration.problem?.contains("3 heads") == true)
        configuration = tiny()
        configuration.hiddenSize = 18
        #expect(configuration.problem?.contains("no multiple of 4") == true)
        configuration = tiny()
        configuration.depth = 0
        #expect(configuration.problem != nil)
    }

    @Test("A configuration survives JSON")
    func coding() throws {
        let configuration = DiT.Configuration.extraLarge(patchSize: 4).withScaleFactors()
        let data = try JSONEncoder().encode(configuration)
        #expect(try JSONDecoder().decode(DiT.Configuration.self, from: data) == configuration)
    }

    @Test("A checkpoint without scale factors loads into a model with them, and means the same")
    func scaleFactorsStartAsOne() throws {
        let plain = model(tiny())
        var generator = RandomGenerator(seed: 9)
        withoutGradient {
            for (_, tensor) in plain.trainableParameters() {
                tensor.add(generator.normal(tensor.shape), scaledBy: 0.1)
            }
        }
        let scaled = model(tiny().withScaleFactors(blockCount: 1))
        try scaled.load(plain.state(), optional: DiT.isScaleFactor)
        let x = generator.normal([2, 4, 8, 8])
        let (t, y) = (Tensor([10, 600]), Tensor([1, 4]))
        expectClose(
            scaled(x, timesteps: t, labels: y),
            plain(x, timesteps: t, labels: y),
            relative: 1e-6
        )
        #expect(throws: StateMismatchError.self) { try scaled.load(plain.state()) }
    }

    @Test("A forward and backward pass leaves no tensor behind")
    func leaks() {
        let model = model(tiny().withScaleFactors())
        func step() {
            model(
                .ones([2, 4, 8, 8]),
                timesteps: Tensor([10, 600]),
                labels: Tensor([1, 4])
            ).sum().backward()
            for (_, tensor) in model.parameters() { tensor.gradient = nil }
        }
        step()
        expectNoLeaks { step() }
    }
}
