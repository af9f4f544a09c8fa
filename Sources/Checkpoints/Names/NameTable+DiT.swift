extension NameTable {
    /// facebookresearch/DiT, whose names are the native ones, and the scale factors ("DiffFit")
    /// that vimar-gu/MinimaxDiffusion adds.
    static let dit = NameTable(rules: [
        NameRule("pos_embed"),
        NameRule("x_embedder.proj.*"),
        NameRule("t_embedder.mlp.#.*"),
        NameRule("y_embedder.embedding_table.weight"),
        NameRule("blocks.#.attn.qkv.*"),
        NameRule("blocks.#.attn.proj.*"),
        NameRule("blocks.#.attn.gamma1"),
        NameRule("blocks.#.attn.gamma2"),
        NameRule("blocks.#.mlp.fc1.*"),
        NameRule("blocks.#.mlp.fc2.*"),
        NameRule("blocks.#.adaLN_modulation.1.*"),
        NameRule("blocks.#.gamma1"),
        NameRule("blocks.#.gamma2"),
        NameRule("final_layer.linear.*"),
        NameRule("final_layer.adaLN_modulation.1.*"),
    ])

    /// `DiTTransformer2DModel` of diffusers: query, key and value apart, and the embedders of time
    /// and class repeated in every block.
    static let diffusersDiT: NameTable = {
        let block = "transformer_blocks.#"
        let embedder = "transformer_blocks.@.norm1.emb"
        let copies = NameRule.Kind.repeated(list: "blocks")
        return NameTable(rules: [
            NameRule("pos_embed", "pos_embed.pos_embed", kind: .computed),
            NameRule("x_embedder.proj.*", "pos_embed.proj.*"),
            NameRule(
                "t_embedder.mlp.0.*",
                "\(embedder).timestep_embedder.linear_1.*",
                kind: copies
            ),
            NameRule(
                "t_embedder.mlp.2.*",
                "\(embedder).timestep_embedder.linear_2.*",
                kind: copies
            ),
            NameRule(
                "y_embedder.embedding_table.weight",
                "\(embedder).class_embedder.embedding_table.weight",
                kind: copies
            ),
            NameRule(
                "blocks.#.attn.qkv.*",
                "\(block).attn1.to_q.*",
                "\(block).attn1.to_k.*",
                "\(block).attn1.to_v.*",
                kind: .joined
            ),
            NameRule("blocks.#.attn.proj.*", "\(block).attn1.to_out.0.*"),
            NameRule("blocks.#.mlp.fc1.*", "\(block).ff.net.0.proj.*"),
            NameRule("blocks.#.mlp.fc2.*", "\(block).ff.net.2.*"),
            NameRule("blocks.#.adaLN_modulation.1.*", "\(block).norm1.linear.*"),
            NameRule("final_layer.adaLN_modulation.1.*", "proj_out_1.*"),
            NameRule("final_layer.linear.*", "proj_out_2.*"),
        ])
    }()
}
