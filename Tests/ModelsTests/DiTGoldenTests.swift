import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("The DiT against the reference", .tags(.golden), .comparesDevices)
struct DiTGoldenTests {
    static let files = [
        "dit_forward_p2", "dit_forward_p4", "minimax_dit_forward", "minimax_dit_forward_deep",
    ]

    /// The configuration in a golden file.
    private func configuration(_ config: JSONValue) throws -> DiT.Configuration {
        DiT.Configuration(
            inputSize: try config["input_size"].int,
            patchSize: try config["patch_size"].int,
            channels: try config["in_channels"].int,
            hiddenSize: try config["hidden_size"].int,
            depth: try config["depth"].int,
            headCount: try config["num_heads"].int,
            mlpRatio: try config["mlp_ratio"].double,
            classCount: try config["num_classes"].int,
            learnsVariance: try config["learn_sigma"].bool
        )
    }

    private func model(_ golden: Golden) throws -> DiT {
        var configuration = try configuration(golden.config)
        let weights = golden.group("model.")
        if weights.names.contains(where: DiT.isScaleFactor) {
            configuration = configuration.withScaleFactors()
        }
        var generator = RandomGenerator(seed: 0)
        let model = DiT(configuration, using: &generator)
        // The names are the official ones, in the order of `named_parameters()`.
        #expect(Set(model.state().names) == Set(weights.names))
        expectClose(
            try #require(model.state()["pos_embed"]),
            try golden["model.pos_embed"],
            absolute: 1e-7,
            "pos_embed"
        )
        try model.load(weights)
        model.move(to: golden.device)
        return model
    }

    @Test("Outputs and what leads to them agree", arguments: files, Device.tested)
    func forward(_ name: String, on device: Device) throws {
        let golden = try Golden(name, on: device)
        let model = try model(golden)
        let (x, t, y) = (try golden["input.x"], try golden["input.t"], try golden["input.y"])
        func expect(_ key: String, _ tensor: Tensor) throws {
            expectClose(tensor, try golden["expected.\(key)"], relative: 2e-4, "\(name), \(key)")
        }
        try withoutGradient {
            try expect("out", model(x, timesteps: t, labels: y))
            let inside = model.intermediates(x, timesteps: t, labels: y)
            expectClose(
                inside.timestepFeatures,
                try golden["expected.t_freq"],
                absolute: 2e-4,
                "\(name), t_freq"
            )
            try expect("t_emb", inside.timestepEmbedding)
            try expect("y_emb", inside.labelEmbedding)
            try expect("tokens", inside.tokens)
            let blocks = golden.group("expected.block").names.compactMap { Int($0) }
            #expect(!blocks.isEmpty)
            for block in blocks { try expect("block\(block)", inside.blocks[block]) }

            // Training replaces some labels by the one for "no class".
            let isDropped = try golden["input.drop_mask"].compared(.equal, to: 1)
            let null = Tensor.full(
                y.shape,
                Double(model.configuration.classCount),
                dtype: .int64,
                device: device
            )
            let labels = Tensor.choose(isDropped, null, else: y)
            try expect("out_train_drop", model(x, timesteps: t, labels: labels))
        }
    }

    @Test(
        "Gradients of every parameter and of the input agree",
        arguments: files,
        Device.tested
    )
    func gradients(_ name: String, on device: Device) throws {
        let golden = try Golden(name, on: device)
        let expected = try Golden("\(name)_grads").group("grad.")
        let model = try model(golden)
        let x = try golden["input.x"].copied()
        x.requiresGradient = true
        let output = model(x, timesteps: try golden["input.t"], labels: try golden["input.y"])
        (output * (try golden["input.r"])).sum().backward()

        let gradient = try #require(x.gradient)
        expectClose(gradient, try golden["expected.grad_x"], relative: 2e-4, "\(name), x")
        let parameters = model.trainableParameters()
        #expect(Set(parameters.map(\.name)) == Set(expected.names))
        for (parameter, tensor) in parameters {
            expectClose(
                try #require(tensor.gradient),
                try #require(expected[parameter]),
                relative: 5e-4,
                "\(name), \(parameter)"
            )
        }
    }

    @Test("They agree by the operations that a GPU takes, too", arguments: files)
    func composed(_ name: String) throws {
        try withoutFusedLoops {
            try forward(name, on: .cpu)
            try gradients(name, on: .cpu)
        }
    }

    @Test(
        "In bfloat16 these give the same types, and the numbers within its digits",
        arguments: files
    )
    func bfloat16(_ name: String) throws {
        let golden = try Golden(name)
        let (x, t, y) = (try golden["input.x"], try golden["input.t"], try golden["input.y"])
        let weights = try golden["input.r"]
        func run() throws -> (output: Tensor, gradients: [(name: String, tensor: Tensor)]) {
            let model = try model(golden)
            let output = withAutocast(.bfloat16, on: .cpu) { model(x, timesteps: t, labels: y) }
            (output.converted(to: .float32) * weights).sum().backward()
            let gradients = try model.trainableParameters().map {
                ($0.name, try #require($0.tensor.gradient))
            }
            return (output, gradients)
        }
        let fused = try run()
        let composed = try #require(try Engine.withFusedLoops("none", run))
        #expect(composed.output.dtype == fused.output.dtype)
        expectClose(composed.output, fused.output, relative: 3e-2, name)
        for (a, b) in zip(composed.gradients, fused.gradients) {
            #expect(a.tensor.dtype == b.tensor.dtype, "\(name), \(a.name)")
            expectClose(a.tensor, b.tensor, relative: 0.1, "\(name), \(a.name)")
        }
    }

    private func json(_ name: String) throws -> JSONValue {
        try JSONValue(text: String(contentsOf: Golden.url(name), encoding: .utf8))
    }

    @Test("Fine-tuning trains the published parameters")
    func trainableNames() throws {
        for (name, entry) in try json("minimax_trainable_names.json").object {
            func names(_ key: String) throws -> [String] {
                try entry[key].array.map { try $0.string }
            }
            let configuration = try configuration(entry["config"]).withScaleFactors()
            var generator = RandomGenerator(seed: 0)
            let model = DiT(configuration, using: &generator)
            model.train(where: DiT.isFineTuned)
            let trained = model.trainableParameters().map(\.name)
            #expect(trained == (try names("trainable")), "\(name)")
            let frozen = model.parameters().filter { !$0.tensor.requiresGradient }.map(\.name)
            #expect(frozen == (try names("frozen")), "\(name)")
            model.train { $0.contains("bias") }
            let biases = model.trainableParameters().map(\.name)
            #expect(biases == (try names("bitfit_trainable")), "\(name)")
        }
    }

    @Test(
        "The published sizes have the published tensors",
        arguments: ["S", "B", "L", "XL"],
        [false, true]
    )
    func publishedShapes(size: String, isScaled: Bool) throws {
        let entry = try json("dit_state_dict_shapes.json")[
            "DiT-\(size)/2 \(isScaled ? "minimax" : "dit")"
        ]
        let expected = try entry["parameters"].object.mapValues {
            try $0.array.map { try $0.int }
        }
        var configuration = try #require(DiT.Configuration.published["\(size)/2"])
        if isScaled { configuration = configuration.withScaleFactors() }

        // All blocks with scale factors are alike, and all without: one of each stands for them,
        // since the largest model would need 2.7 GB.
        var short = configuration
        short.depth = isScaled ? 2 : 1
        short.scaledBlockCount = isScaled ? 1 : 0
        var generator = RandomGenerator(seed: 0)
        var computed = [String: [Int]]()
        var trained = 0
        for (name, tensor) in DiT(short, using: &generator).state() {
            var names = [name]
            if name.hasPrefix("blocks.") {
                let parts = name.split(separator: ".", maxSplits: 2)
                let standsForScaled = isScaled && parts[1] == "0"
                names = (0..<configuration.depth)
                    .filter { ($0 < configuration.scaledBlockCount) == standsForScaled }
                    .map { "blocks.\($0).\(parts[2])" }
            }
            for name in names { computed[name] = tensor.shape }
            if DiT.isFineTuned(name) { trained += names.count * tensor.count }
        }
        #expect(computed == expected)
        let total = computed.values.reduce(0) { $0 + $1.reduce(1, *) }
        #expect(total == (try entry["total"].int))
        if isScaled { #expect(trained == (try entry["trainable_total"].int)) }
    }
}

extension DiT.Configuration {
    /// The sizes by their published names.
    static let published: [String: DiT.Configuration] = {
        var result = [String: DiT.Configuration]()
        for patchSize in [2, 4, 8] {
            result["S/\(patchSize)"] = .small(patchSize: patchSize)
            result["B/\(patchSize)"] = .base(patchSize: patchSize)
            result["L/\(patchSize)"] = .large(patchSize: patchSize)
            result["XL/\(patchSize)"] = .extraLarge(patchSize: patchSize)
        }
        return result
    }()
}
