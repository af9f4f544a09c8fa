import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Names, shapes and files that no program would write end no program")
struct HostileFileTests {
    /// Writes tensors to a file and opens it.
    private func checkpoint(_ shapes: [(String, [Int])]) throws -> Checkpoint {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            try Safetensors.save(StateDictionary(shapes.map { ($0.0, Tensor.ones($0.1)) }), to: url)
            return try Checkpoint(contentsOf: url)
        }
    }

    /// A file of bytes by names and shapes; those without elements may be of any size.
    private func bytes(_ shapes: [(String, [Int])]) throws -> Checkpoint {
        var members = [String]()
        var end = 0
        for (name, shape) in shapes {
            let size = shape.contains(0) ? 0 : shape.reduce(1, *)
            members.append(
                #""\#(name)":{"dtype":"U8","shape":\#(shape),"data_offsets":[\#(end),\#(end + size)]}"#
            )
            end += size
        }
        let text = "{" + members.joined(separator: ",") + "}"
        return try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            try Data(safetensors(text, data: [UInt8](repeating: 1, count: end))).write(to: url)
            return try Checkpoint(contentsOf: url)
        }
    }

    /// A small DiT as diffusers names it, without its attention.
    private func dit(width: Int) -> [(String, [Int])] {
        [
            ("pos_embed.proj.weight", [width, 1, 1, 1]),
            (
                "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight",
                [2, width]
            ),
            ("transformer_blocks.0.ff.net.0.proj.weight", [2 * width, width]),
            ("transformer_blocks.0.ff.net.2.weight", [width, 2 * width]),
            ("proj_out_2.weight", [1, width]),
        ]
    }

    private let attention = ["to_q", "to_k", "to_v"].map {
        "transformer_blocks.0.attn1.\($0).weight"
    }

    @Test("a number that no list of layers has is not the number of a layer")
    func layerNumbers() throws {
        let last = "decoder.layers.\(Int.max).weight"
        let tiny = try checkpoint([
            ("encoder.layers.0.weight", [2, 3, 1, 1]), ("encoder.layers.1.conv.0.weight", [1]),
            ("encoder.layers.14.weight", [4, 2, 1, 1]), (last, [1]),
        ])
        let encoder = try #require(tiny.recognizedWeights())
        #expect(encoder.layout == .diffusersTinyAutoencoder)
        #expect(encoder.unknownNames == [last])

        let first = "decoder.up.\(Int.min).upsample.conv.weight"
        let latentDiffusion = try checkpoint([
            ("encoder.conv_in.weight", [8, 3, 1, 1]), ("decoder.conv_in.weight", [8, 4, 1, 1]),
            ("encoder.down.0.block.0.conv1.weight", [8, 8, 1, 1]),
            ("decoder.up.0.upsample.conv.weight", [8, 8, 1, 1]), (first, [1]),
        ])
        let autoencoder = try #require(latentDiffusion.recognizedWeights())
        #expect(autoencoder.layout == .latentDiffusionAutoencoder)
        #expect(autoencoder.unknownNames == [first])
    }

    @Test("tensors without elements may claim to have any number of rows")
    func hugeShapes() throws {
        let tooMany = try bytes(dit(width: 4) + attention.map { ($0, [1 << 62, 0]) })
        let unfit = try #require(tooMany.recognizedWeights())
        #expect(unfit.problems.count == 1)
        #expect(unfit.problems.first?.contains("do not fit each other") == true)

        let many = try bytes(dit(width: 4) + attention.map { ($0, [1 << 60, 4, 0]) })
        let weights = try #require(many.recognizedWeights())
        #expect(weights.problems.isEmpty)
        #expect(weights.parameterCount == 4 + 8 + 32 + 32 + 4)
    }

    @Test("a DiT whose width has no table of positions is refused, not computed")
    func oddWidth() throws {
        let good = try checkpoint(dit(width: 8))
        let weights = try #require(good.recognizedWeights())
        #expect(try good.state(weights)["pos_embed"]?.shape.last == 8)

        let odd = try checkpoint(dit(width: 6))
        let found = try #require(odd.recognizedWeights())
        let error = #expect(throws: CheckpointError.self) { try odd.state(found) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("width 6: a multiple of 4 is needed") == true)
    }

    @Test("weights with more than the model are whole: the remedy is not another copy")
    func moreThanTheModel() throws {
        let file = try checkpoint(dit(width: 8) + [("transformer_blocks.0.lora.weight", [1])])
        let weights = try #require(file.recognizedWeights())
        let error = #expect(throws: CheckpointError.self) { try file.state(weights) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("lora.weight have no place in the model") == true)
        #expect(error?.remedy.contains("Remove these tensors") == true)
    }

    @Test("a pipe is refused and not waited for")
    func pipe() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            #expect(mkfifo(url.path, 0o600) == 0)
            let error = #expect(throws: CheckpointError.self) {
                try Checkpoint(contentsOf: url)
            }
            #expect(error?.code == .unreadable)
            #expect(error?.message.contains("a pipe") == true)
        }
    }
}
