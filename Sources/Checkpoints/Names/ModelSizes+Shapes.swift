import Foundation

extension ModelSizes {
    /// Reads the sizes of a model off the shapes of its tensors.
    ///
    /// - Parameters:
    ///   - layout: How the tensors were named.
    ///   - tensors: The tensors by native name.
    ///   - settings: The `config.json` of diffusers beside the file, for what no shape tells.
    /// - Returns: The sizes; nil where shapes contradict each other.
    static func sizes(
        _ layout: WeightLayout,
        _ tensors: [ImportedTensor],
        settings: ModelSettings
    ) -> ModelSizes? {
        let shapes = NativeShapes(tensors)
        return switch layout {
        case .dit, .diffusersDiT: DiT(shapes, settings).map { .dit($0) }
        case .autoencoderKL, .deprecatedAutoencoderKL, .latentDiffusionAutoencoder:
            AutoencoderKL(shapes, settings).map { .autoencoderKL($0) }
        case .tinyAutoencoder, .tinyEncoder, .tinyDecoder, .diffusersTinyAutoencoder:
            TinyAutoencoder(shapes).map { .tinyAutoencoder($0) }
        }
    }
}

/// Native shapes by name, and the lengths of lists of layers.
struct NativeShapes {
    private let shapes: [String: [Int]]
    let levels: LevelCounts

    init(_ tensors: [ImportedTensor]) {
        shapes = Dictionary(tensors.map { ($0.name, $0.shape) }) { first, _ in first }
        levels = LevelCounts(tensors.map { $0.name.split(separator: ".") })
    }

    /// A shape of so many axes, none of them 0; nil if there is none.
    func shape(_ name: String, axes: Int) -> [Int]? {
        shapes[name].flatMap { $0.count == axes && !$0.contains(0) ? $0 : nil }
    }

    func contains(_ name: String) -> Bool { shapes[name] != nil }
}

extension ModelSizes.DiT {
    init?(_ shapes: NativeShapes, _ settings: ModelSettings) {
        guard let patch = shapes.shape("x_embedder.proj.weight", axes: 4), patch[2] == patch[3],
            let table = shapes.shape("y_embedder.embedding_table.weight", axes: 2),
            let hidden = shapes.shape("blocks.0.mlp.fc1.weight", axes: 2),
            let output = shapes.shape("final_layer.linear.weight", axes: 2), table[0] > 1
        else { return nil }
        hiddenSize = patch[0]
        channels = patch[1]
        patchSize = patch[2]
        depth = shapes.levels["blocks"]
        mlpRatio = Double(hidden[0]) / Double(hiddenSize)
        classCount = table[0] - 1
        let plain = patchSize * patchSize * channels
        guard output[0] == plain || output[0] == 2 * plain else { return nil }
        learnsVariance = output[0] == 2 * plain
        guesses = []

        if let positions = shapes.shape("pos_embed", axes: 3) {
            let side = Int(Double(positions[1]).squareRoot().rounded())
            guard side * side == positions[1], positions[2] == hiddenSize else { return nil }
            inputSize = side * patchSize
        } else if let size = settings.integer("sample_size"), size <= 1024,
            size % patchSize == 0
        {
            inputSize = size
        } else {
            // Most published models are for images of 256 pixels.
            inputSize = max(32 / patchSize, 1) * patchSize
            guesses.append("inputSize")
        }
        let width = hiddenSize
        if let count = settings.integer("num_attention_heads"), width % count == 0 {
            headCount = count
        } else if let model = ModelSizes.DiT.published.first(where: { $0.width == width }) {
            headCount = model.headCount
        } else {
            // Heads of at most 64 channels, as in the published models.
            headCount = (1...width).first { width % $0 == 0 && width / $0 <= 64 } ?? 1
            guesses.append("headCount")
        }

        let scaled = (0..<depth).map { shapes.contains("blocks.\($0).attn.gamma1") }
        scaledBlockCount = scaled.prefix { $0 }.count
        guard scaled.dropFirst(scaledBlockCount).allSatisfy({ !$0 }) else { return nil }
    }
}

extension ModelSizes.AutoencoderKL {
    init?(_ shapes: NativeShapes, _ settings: ModelSettings) {
        guard let input = shapes.shape("encoder.conv_in.weight", axes: 4),
            let latent = shapes.shape("decoder.conv_in.weight", axes: 4)
        else { return nil }
        imageChannels = input[1]
        latentChannels = latent[1]
        blockChannels = (0..<shapes.levels["encoder.down_blocks"]).compactMap {
            shapes.shape("encoder.down_blocks.\($0).resnets.0.conv1.weight", axes: 4)?[0]
        }
        layersPerBlock = shapes.levels["encoder.down_blocks.0.resnets"]
        guard !blockChannels.isEmpty, layersPerBlock > 0 else { return nil }
        usesQuantConvolutions = shapes.contains("quant_conv.weight")
        hasMiddleAttention = shapes.contains("encoder.mid_block.attentions.0.to_q.weight")
        let groups = settings.integer("norm_num_groups")
        normGroupCount = groups ?? 32
        guesses = groups == nil ? ["normGroupCount"] : []
    }
}

extension ModelSizes.TinyAutoencoder {
    init?(_ shapes: NativeShapes) {
        let encoder = shapes.shape("encoder.0.weight", axes: 4)
        let decoder = shapes.shape("decoder.1.weight", axes: 4)
        let layers = (encoder: shapes.levels["encoder"], decoder: shapes.levels["decoder"])
        let latents = shapes.shape("encoder.\(layers.encoder - 1).weight", axes: 4)?[0]
        let images = shapes.shape("decoder.\(layers.decoder - 1).weight", axes: 4)?[0]
        guard let width = encoder?[0] ?? decoder?[0], let imageChannels = encoder?[1] ?? images,
            let latentChannels = latents ?? decoder?[1]
        else { return nil }
        self.width = width
        self.imageChannels = imageChannels
        self.latentChannels = latentChannels
        hasEncoder = encoder != nil
        hasDecoder = decoder != nil
    }
}

/// The whole numbers of a `config.json` of diffusers.
struct ModelSettings {
    private var numbers = [String: Int]()

    /// No settings.
    init() {}

    /// Reads the file of this name beside a checkpoint; nothing where there is none.
    ///
    /// - Parameters:
    ///   - url: The checkpoint.
    ///   - className: The kind of model that the settings must be for.
    init(beside url: URL, className: String) {
        let file = url.deletingLastPathComponent().appendingPathComponent("config.json")
        guard let text = try? Data(contentsOf: file), text.count < 1 << 20,
            case .object(let members) = try? OrderedJSON(text),
            members.contains(.init(name: "_class_name", value: .string(className)))
        else { return }
        for member in members {
            guard case .number(let digits) = member.value, let number = Int(digits),
                (1...1 << 20).contains(number)
            else { continue }
            numbers[member.name] = number
        }
    }

    /// A whole number from 1 on.
    func integer(_ name: String) -> Int? { numbers[name] }
}
