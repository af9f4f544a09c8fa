extension NameTable {
    /// `AutoencoderKL` of diffusers with its present names, which are the native ones.
    static let autoencoderKL = NameTable(
        rules: (autoencoderKLColumns + attentionColumns.flatMap(\.rows)).map { row in
            NameRule(row.native)
        }
    )

    /// `AutoencoderKL` as diffusers wrote it before 0.18, with other names of the attention.
    static let deprecatedAutoencoderKL = NameTable(
        rules: autoencoderKLColumns.map { NameRule($0.native) }
            + attentionColumns.flatMap { attention in
                zip(attention.rows, ["group_norm", "query", "key", "value", "proj_attn"]).map {
                    NameRule($0.native, "\(attention.prefix).\($1).*")
                }
            }
    )

    /// `AutoencoderKL` of CompVis/latent-diffusion: levels of the decoder are counted from the
    /// image, and the attention's matrices are 1×1 convolutions.
    static let latentDiffusionAutoencoder = NameTable(
        rules: autoencoderKLColumns.map { NameRule($0.native, $0.foreign) }
            + attentionColumns.flatMap(\.rows).map {
                NameRule($0.native, $0.foreign, kind: .pointwise)
            }
    )

    private typealias Row = (native: String, foreign: String)

    /// The names of diffusers beside those of CompVis/latent-diffusion, without the attention.
    private static let autoencoderKLColumns: [Row] = {
        var rows: [Row] = [
            ("encoder.conv_in.*", "encoder.conv_in.*"),
            ("encoder.conv_norm_out.*", "encoder.norm_out.*"),
            ("encoder.conv_out.*", "encoder.conv_out.*"),
            ("encoder.down_blocks.#.downsamplers.0.conv.*", "encoder.down.#.downsample.conv.*"),
            ("decoder.conv_in.*", "decoder.conv_in.*"),
            ("decoder.conv_norm_out.*", "decoder.norm_out.*"),
            ("decoder.conv_out.*", "decoder.conv_out.*"),
            ("decoder.up_blocks.#.upsamplers.0.conv.*", "decoder.up.^#.upsample.conv.*"),
            ("quant_conv.*", "quant_conv.*"),
            ("post_quant_conv.*", "post_quant_conv.*"),
        ]
        let blocks: [Row] = [
            ("encoder.down_blocks.#.resnets.#", "encoder.down.#.block.#"),
            ("encoder.mid_block.resnets.0", "encoder.mid.block_1"),
            ("encoder.mid_block.resnets.1", "encoder.mid.block_2"),
            ("decoder.mid_block.resnets.0", "decoder.mid.block_1"),
            ("decoder.mid_block.resnets.1", "decoder.mid.block_2"),
            ("decoder.up_blocks.#.resnets.#", "decoder.up.^#.block.#"),
        ]
        let layers: [Row] = [
            ("norm1", "norm1"), ("conv1", "conv1"), ("norm2", "norm2"), ("conv2", "conv2"),
            ("conv_shortcut", "nin_shortcut"),
        ]
        for block in blocks {
            for layer in layers {
                rows.append(
                    ("\(block.native).\(layer.native).*", "\(block.foreign).\(layer.foreign).*")
                )
            }
        }
        return rows
    }()

    /// The attention in the middle of encoder and decoder: norm, query, key, value, output.
    private static let attentionColumns: [(prefix: String, rows: [Row])] = {
        let layers: [Row] = [
            ("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"),
            ("to_out.0", "proj_out"),
        ]
        return ["encoder", "decoder"].map { side in
            let prefix = "\(side).mid_block.attentions.0"
            return (
                prefix,
                layers.map { ("\(prefix).\($0.native).*", "\(side).mid.attn_1.\($0.foreign).*") }
            )
        }
    }()

    // MARK: - TAESD

    /// TAESD and TAESD3 as one file: positions of layers behind `encoder.` and `decoder.`, which
    /// are the native names.
    static let tinyAutoencoder = NameTable(
        rules: ["encoder", "decoder"].flatMap { side in
            [NameRule("\(side).#.*"), NameRule("\(side).#.conv.#.*")]
        }
    )

    /// The published file of the encoder of madebyollin/taesd.
    static let tinyEncoder = NameTable(rules: [
        NameRule("encoder.#.*", "#.*"),
        NameRule("encoder.#.conv.#.*", "#.conv.#.*"),
    ])

    /// The published file of the decoder of madebyollin/taesd.
    static let tinyDecoder = NameTable(rules: [
        NameRule("decoder.#.*", "#.*"),
        NameRule("decoder.#.conv.#.*", "#.conv.#.*"),
    ])

    /// `AutoencoderTiny` of diffusers, whose decoder does not count the bending of large latents
    /// as a layer.
    static let diffusersTinyAutoencoder = NameTable(rules: [
        NameRule("encoder.#.*", "encoder.layers.#.*"),
        NameRule("encoder.#.conv.#.*", "encoder.layers.#.conv.#.*"),
        NameRule("decoder.#.*", "decoder.layers.#-1.*"),
        NameRule("decoder.#.conv.#.*", "decoder.layers.#-1.conv.#.*"),
    ])
}
