import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Weights of known models are recognised, whatever their names", .tags(.golden))
struct WeightLayoutGoldenTests {
    /// Writes tensors to a file and opens it.
    private func checkpoint(_ state: StateDictionary) throws -> Checkpoint {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            try Safetensors.save(state, to: url)
            return try Checkpoint(contentsOf: url)
        }
    }

    /// A safetensors file of these names and shapes that takes no space on the disk.
    private func sparse(_ shapes: [(String, [Int])]) throws -> Checkpoint {
        var members = [String]()
        var end = 0
        for (name, shape) in shapes {
            let size = shape.reduce(4, *)
            members.append(
                #""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(end),\#(end + size)]}"#
            )
            end += size
        }
        let head = safetensors("{" + members.joined(separator: ",") + "}")
        return try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            try Data(head).write(to: url)
            let file = try FileHandle(forWritingTo: url)
            try file.truncate(atOffset: UInt64(head.count + end))
            try file.close()
            return try Checkpoint(contentsOf: url)
        }
    }

    private func sizes(_ checkpoint: Checkpoint) throws -> ModelSizes.DiT {
        let weights = try #require(checkpoint.recognizedWeights())
        #expect(weights.problems.isEmpty && weights.unknownNames.isEmpty)
        guard case .dit(let sizes) = weights.sizes else {
            Issue.record("\(weights.sizes)")
            throw CancellationError()
        }
        return sizes
    }

    @Test("the published models are recognised by their shapes")
    func publishedModels() throws {
        let url = Golden.url("dit_state_dict_shapes.json")
        let models = try JSONValue(text: String(contentsOf: url, encoding: .utf8)).object
        #expect(!models.isEmpty)
        for (title, model) in models {
            let shapes = try model["parameters"].object.map { name, shape in
                (name, try shape.array.map { try $0.int })
            }
            let checkpoint = try sparse(shapes)
            let sizes = try sizes(checkpoint)
            let isScaled = title.hasSuffix("minimax")
            #expect(sizes.name.map { title.hasPrefix("\($0) ") } == true)
            #expect(sizes.scaledBlockCount == (isScaled ? min(14, sizes.depth) : 0))
            #expect(sizes.guesses.isEmpty)
            #expect(sizes.learnsVariance && sizes.mlpRatio == 4)
            #expect(sizes.inputSize == 32 && sizes.channels == 4 && sizes.classCount == 1000)
            let weights = checkpoint.recognizedWeights()
            #expect(weights?.layout == .dit)
            #expect(try weights?.parameterCount == model["total"].int)
        }
    }

    @Test(
        "sizes of small models are those of their files",
        arguments: ["dit_forward_p2", "dit_forward_p4", "minimax_dit_forward_deep"]
    )
    func smallModels(_ name: String) throws {
        let golden = try Golden(name)
        let state = golden.group("model.")
        let sizes = try sizes(try checkpoint(state))
        #expect(try sizes.inputSize == golden.config["input_size"].int)
        #expect(try sizes.patchSize == golden.config["patch_size"].int)
        #expect(try sizes.depth == golden.config["depth"].int)
        #expect(try sizes.hiddenSize == golden.config["hidden_size"].int)
        #expect(try sizes.classCount == golden.config["num_classes"].int)
        #expect(sizes.guesses == ["headCount"])
        #expect(sizes.description.contains("a guess"))
    }

    @Test("of a training checkpoint the average is taken, under any wrapper")
    func trainingCheckpoint() throws {
        let checkpoint = try Checkpoint(contentsOf: Golden.url("checkpoints/training_zip.pt"))
        let weights = try #require(checkpoint.recognizedWeights())
        #expect(weights.group == "ema")
        let plain = try #require(checkpoint.recognizedWeights(in: "model"))
        #expect(plain.group == "model" && plain.sizes == weights.sizes)
        #expect(checkpoint.recognizedWeights(in: "opt") == nil)
        let state = try checkpoint.state(weights)
        for (name, tensor) in state {
            expectIdentical(tensor, try #require(checkpoint["ema/\(name)"]), name)
        }
        for wrapper in ["module.", "_orig_mod."] {
            let wrapped = try self.checkpoint(state.addingPrefix(wrapper))
            let found = try #require(wrapped.recognizedWeights())
            #expect(try wrapped.state(found).names == state.names)
        }
    }

    @Test("diffusers' DiT becomes the native one and back")
    func diffusersDiT() throws {
        let golden = try Golden("diffusers_dit")
        let foreign = golden.group("model.")
        let file = try checkpoint(foreign)
        let weights = try #require(file.recognizedWeights())
        #expect(weights.layout == .diffusersDiT)
        let state = try file.state(weights)
        guard case .dit(let sizes) = weights.sizes else {
            Issue.record("\(weights.sizes)")
            return
        }
        #expect(try sizes.depth == golden.config["depth"].int)
        #expect(sizes.guesses.contains("inputSize"))
        let width = sizes.hiddenSize
        #expect(state["blocks.0.attn.qkv.weight"]?.shape == [3 * width, width])
        #expect(state["pos_embed"]?.shape.last == width)
        // The native names are those of the reference.
        let native = try checkpoint(state)
        #expect(native.recognizedWeights()?.layout == .dit)
        let back = try WeightLayout.diffusersDiT.exported(state, for: "x")
        #expect(Set(back.names) == Set(foreign.names))
        for (name, tensor) in foreign { expectIdentical(try #require(back[name]), tensor, name) }
    }

    @Test("embedders that differ between the blocks of diffusers' DiT are refused")
    func differingEmbedders() throws {
        var state = try Golden("diffusers_dit").group("model.")
        let name = "transformer_blocks.1.norm1.emb.timestep_embedder.linear_2.bias"
        state[name] = try #require(state[name]).copied() + 1
        let file = try checkpoint(state)
        let weights = try #require(file.recognizedWeights())
        let error = #expect(throws: CheckpointError.self) { try file.state(weights) }
        #expect(error?.message.contains("\(name) differ") == true)
    }

    @Test("missing parts and foreign tensors are named")
    func problems() throws {
        var pairs = try Golden("diffusers_dit").group("model.").map { ($0.key, $0.value) }
        pairs.removeAll { $0.0 == "transformer_blocks.2.attn1.to_k.bias" }
        pairs.append(("transformer_blocks.0.lora.weight", .ones([1])))
        let file = try checkpoint(StateDictionary(pairs))
        let weights = try #require(file.recognizedWeights())
        #expect(weights.unknownNames == ["transformer_blocks.0.lora.weight"])
        let error = #expect(throws: CheckpointError.self) { try file.state(weights) }
        #expect(error?.message.contains("transformer_blocks.2.attn1.to_k.bias is missing") == true)
        #expect(error?.message.contains("lora") == true)
        let state = StateDictionary([("blocks.0.gamma1", .ones([8]))])
        let second = #expect(throws: CheckpointError.self) {
            try WeightLayout.diffusersDiT.exported(state, for: "x")
        }
        #expect(second?.message.contains("blocks.0.gamma1") == true)
    }

    @Test("old names of diffusers' AutoencoderKL become the new ones, from both formats")
    func deprecatedAutoencoder() throws {
        let folder = "autoencoder_kl_diffusers"
        let new = try Checkpoint(
            contentsOf: Golden.url("\(folder)/new_names/diffusion_pytorch_model.safetensors")
        )
        let old = try Checkpoint(
            contentsOf: Golden.url("\(folder)/old_names/diffusion_pytorch_model.bin")
        )
        let (first, second) = (
            try #require(new.recognizedWeights()), try #require(old.recognizedWeights())
        )
        #expect(first.layout == .autoencoderKL && second.layout == .deprecatedAutoencoderKL)
        #expect(first.sizes == second.sizes)
        let settings = Golden.url("\(folder)/new_names/config.json")
        let config = try JSONValue(text: String(contentsOf: settings, encoding: .utf8))
        guard case .autoencoderKL(let sizes) = first.sizes else {
            Issue.record("\(first.sizes)")
            return
        }
        #expect(try sizes.blockChannels == config["block_out_channels"].array.map { try $0.int })
        #expect(try sizes.latentChannels == config["latent_channels"].int)
        #expect(try sizes.layersPerBlock == config["layers_per_block"].int)
        #expect(try sizes.normGroupCount == config["norm_num_groups"].int)
        #expect(sizes.guesses.isEmpty && sizes.usesQuantConvolutions && sizes.hasMiddleAttention)
        let (expected, state) = (try new.state(first), try old.state(second))
        #expect(Set(expected.names) == Set(state.names))
        for (name, tensor) in expected { expectIdentical(try #require(state[name]), tensor, name) }
        let back = try WeightLayout.deprecatedAutoencoderKL.exported(state, for: "x")
        #expect(Set(back.names) == Set(old.entries.map(\.name)))
    }

    @Test("names of latent-diffusion go where diffusers' converter brings them, and back")
    func latentDiffusion() throws {
        let url = Golden.url("diffusers_layouts.json")
        let rows = try JSONValue(text: String(contentsOf: url, encoding: .utf8))["autoencoderKL"]
            .array
        func shape(_ value: JSONValue) throws -> [Int] { try value.array.map { try $0.int } }
        var foreign = StateDictionary()
        for (number, row) in rows.enumerated() {
            foreign[try row["ldm"].string] = .full(try shape(row["ldmShape"]), Double(number))
        }
        var whole = foreign.addingPrefix("first_stage_model.")
        whole["first_stage_model.loss.logvar"] = .ones([1])
        whole["model.diffusion_model.input_blocks.0.0.weight"] = .ones([2])
        for state in [foreign, whole] {
            let file = try checkpoint(state)
            let weights = try #require(file.recognizedWeights())
            #expect(weights.layout == .latentDiffusionAutoencoder)
            let native = try file.state(weights)
            #expect(native.count == rows.count)
            for (number, row) in rows.enumerated() {
                let tensor = try #require(native[try row["diffusers"].string])
                #expect(try tensor.shape == shape(row["diffusersShape"]))
                #expect(tensor.values(as: Float.self).allSatisfy { $0 == Float(number) })
            }
            let back = try WeightLayout.latentDiffusionAutoencoder.exported(native, for: "x")
            #expect(Set(back.names) == Set(foreign.names))
            for (name, tensor) in foreign {
                // Convolutions of one pixel are matrices in the attention only.
                expectIdentical(try #require(back[name]), tensor, name)
            }
        }
    }

    @Test("TAESD's files and diffusers' AutoencoderTiny have one set of names")
    func tinyAutoencoder() throws {
        let url = Golden.url("diffusers_layouts.json")
        let layouts = try JSONValue(text: String(contentsOf: url, encoding: .utf8))
        let shapes = try layouts["autoencoderTiny"].object.map { name, shape in
            (name, try shape.array.map { try $0.int })
        }
        let file = try sparse(shapes)
        let weights = try #require(file.recognizedWeights())
        #expect(weights.layout == .diffusersTinyAutoencoder)
        #expect(weights.unknownNames.isEmpty)
        guard case .tinyAutoencoder(let sizes) = weights.sizes else {
            Issue.record("\(weights.sizes)")
            return
        }
        #expect(sizes.imageChannels == 3 && sizes.latentChannels == 4 && sizes.width == 64)
        let native = try file.state(weights)
        let back = try WeightLayout.diffusersTinyAutoencoder.exported(native, for: "x")
        #expect(Set(back.names) == Set(shapes.map(\.0)))
        for (layout, side) in [
            (WeightLayout.tinyEncoder, "encoder."), (.tinyDecoder, "decoder."),
        ] {
            let part = try checkpoint(native.removingPrefix(side))
            let found = try #require(part.recognizedWeights())
            #expect(found.layout == layout)
            guard case .tinyAutoencoder(let sizes) = found.sizes else {
                Issue.record("\(found.sizes)")
                return
            }
            #expect(sizes.hasEncoder == (layout == .tinyEncoder))
            #expect(sizes.hasDecoder == (layout == .tinyDecoder))
            #expect(sizes.latentChannels == 4 && sizes.imageChannels == 3)
            let names = try part.state(found).names
            #expect(Set(names) == Set(native.names.filter { $0.hasPrefix(side) }))
        }
    }

    @Test("an unknown model is none")
    func unknown() throws {
        #expect(try checkpoint(StateDictionary([("a", .ones([2]))])).recognizedWeights() == nil)
        let minimal = try Checkpoint(contentsOf: Golden.url("checkpoints/minimal_zip.pt"))
        #expect(minimal.recognizedWeights() == nil)
    }
}
