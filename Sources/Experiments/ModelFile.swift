import Checkpoints
import Datasets
import Diffusion
import Foundation
import Models
import NeuralNetworks
import Torch

/// A diffusion model in one safetensors file: weights, and in the metadata what is needed to use
/// them.
public struct ModelFile {
    /// What the metadata says.
    public struct Description: Codable, Sendable, Equatable {
        /// Size and shape.
        public var architecture: DiT.Configuration
        /// What made the latents it was trained on.
        public var autoencoder: AutoencoderDescription
        /// Names of its classes, in the order of their labels.
        public var classNames: [String]
        /// Where the weights come from.
        public var origin: String
    }

    /// What the metadata says.
    public var description: Description
    /// The weights, by official name.
    public var weights: StateDictionary

    private static let key = "distill.model"

    /// Puts a model together.
    public init(description: Description, weights: StateDictionary) {
        self.description = description
        self.weights = weights
    }

    /// Opens a file; the weights are mapped into memory.
    ///
    /// - Parameter url: A file of this package, or a DiT of others: facebookresearch/DiT,
    ///   MinimaxDiffusion (the average of a training checkpoint) or diffusers, in safetensors or
    ///   as `torch.save` writes it.
    /// - Throws: `CheckpointError` for a damaged file, `RunError` for one without a usable model.
    public init(contentsOf url: URL) throws {
        let checkpoint = try Checkpoint(contentsOf: url)
        guard case .text(let text)? = checkpoint.content[ModelFile.key] else {
            self = try ModelFile(foreign: checkpoint)
            return
        }
        do {
            description = try JSONDecoder().decode(Description.self, from: Data(text.utf8))
        } catch {
            throw RunError(
                .invalidSettings,
                "\(url.path): its description cannot be read: \(error)"
            )
        }
        if let problem = description.architecture.problem {
            throw RunError(.invalidSettings, "\(url.path): \(problem)")
        }
        weights = checkpoint.state()
    }

    /// Whether a file was written by this package, with a description of the model.
    public static func isOwn(_ checkpoint: Checkpoint) -> Bool { checkpoint.content[key] != nil }

    /// Writes the file atomically.
    ///
    /// - Parameters:
    ///   - url: Where.
    ///   - dtype: The type in which the weights are stored.
    /// - Throws: `CheckpointError` if the file cannot be written.
    public func save(to url: URL, dtype: DType = .float32) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(description), as: UTF8.self)
        try Safetensors.save(
            weights.mapValues { $0.detached().converted(to: dtype, device: .cpu).contiguous() },
            metadata: [ModelFile.key: text],
            to: url
        )
    }

    /// Makes the model with these weights.
    ///
    /// - Parameters:
    ///   - scaledBlockCount: Number of first blocks with scale factors; those that the file lacks
    ///     start at one. Nil for the number the file was made with.
    ///   - device: Where the model is needed.
    /// - Returns: The model in float32.
    /// - Throws: `StateMismatchError` if the weights are not those of the architecture.
    public func model(scaledBlockCount: Int? = nil, device: Device) throws -> DiT {
        var configuration = description.architecture
        if let scaledBlockCount {
            configuration = configuration.withScaleFactors(blockCount: scaledBlockCount)
        }
        let model = DiT(awaitingWeights: configuration)
        try model.load(weights, optional: DiT.isScaleFactor)
        model.move(to: device)
        model.setTraining(false)
        return model
    }
}

extension ModelFile {
    /// The same model with a new table of labels: rows from N(0, 0.02) for the classes, as at the
    /// start of a pre-training, and the old row for "no class".
    ///
    /// - Parameters:
    ///   - classNames: The new classes.
    ///   - seed: Of the new rows.
    /// - Returns: A model to fine-tune: its new classes mean nothing yet.
    /// - Throws: `RunError` if the old table is none.
    func withNewLabels(for classNames: [String], seed: UInt64) throws(RunError) -> ModelFile {
        let name = "y_embedder.embedding_table.weight"
        guard let table = weights[name] else { return self }
        guard table.rank == 2, table.size(along: 0) > 0 else {
            throw RunError(
                .malformed,
                "\(name) of the model has the shape \(table.shape): expected a row for each class "
                    + "and one for \"no class\"."
            )
        }
        let (rows, width) = (table.size(along: 0), table.size(along: 1))
        var generator = RandomGenerator(seed: seed, purpose: .initialization)
        let fresh = generator.normal([classNames.count, width]) * 0.02
        let null = table.sliced(rows - 1..<rows).converted(to: .float32)
        var result = self
        result.weights[name] = .concatenated([fresh, null])
        result.description.architecture.classCount = classNames.count
        result.description.classNames = classNames
        result.description.origin += "; a new table of labels"
        return result
    }

    /// The same model with the weights that it lacks taken from another one.
    func completed(by base: ModelFile) -> ModelFile {
        var result = self
        var all = base.weights
        all.merge(weights)
        result.weights = all
        return result
    }

    /// A model that another program has written.
    ///
    /// Such a file says nothing about latents and classes. What has 4 channels works on those of
    /// Stable Diffusion's autoencoder, and what has 1000 classes on those of ImageNet-1K.
    private init(foreign checkpoint: Checkpoint) throws {
        let path = checkpoint.url.path
        guard let found = checkpoint.recognizedWeights(), case .dit(let sizes) = found.sizes else {
            throw RunError(
                .invalidSettings,
                "\(path) holds no diffusion transformer that is known here: neither what `distill "
                    + "pretrain` and `distill finetune` write, nor a DiT with the names of "
                    + "facebookresearch/DiT, MinimaxDiffusion or diffusers. Look at it with "
                    + "`distill inspect`."
            )
        }
        let architecture = DiT.Configuration(sizes)
        let autoencoder = AutoencoderKL.Configuration()
        guard architecture.channels == autoencoder.latentChannels else {
            throw RunError(
                .invalidSettings,
                "\(path) is a DiT for \(architecture.channels) channels. Files of other programs "
                    + "do not say what their latents are; those with \(autoencoder.latentChannels) "
                    + "channels are taken for Stable Diffusion's."
            )
        }
        let classes: [String]
        if architecture.classCount == 1000 {
            classes = try ClassList.named("imagenet-1k").folders
        } else {
            classes = (0..<architecture.classCount).map(String.init)
        }
        let origin = checkpoint.url.lastPathComponent
        description = Description(
            architecture: architecture,
            autoencoder: .autoencoderKL(autoencoder),
            classNames: classes,
            origin: found.group.isEmpty ? origin : "\(origin) (\(found.group))"
        )
        weights = try checkpoint.state(found)
    }
}

extension ModelFile.Description {
    private enum CodingKeys: String, CodingKey {
        case architecture, autoencoder, classNames, origin
    }

    /// Files of version 0.1.0 know pixel models only.
    private enum OlderKeys: String, CodingKey {
        case pixelSpace
    }

    /// Reads a description, also one of version 0.1.0.
    ///
    /// - Parameter decoder: Where it comes from.
    /// - Throws: `DecodingError` for what is missing or of another kind.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let older = try decoder.container(keyedBy: OlderKeys.self)
        if let space = try older.decodeIfPresent(PixelSpace.self, forKey: .pixelSpace) {
            autoencoder = .pixels(space)
        } else {
            autoencoder = try values.decode(AutoencoderDescription.self, forKey: .autoencoder)
        }
        architecture = try values.decode(DiT.Configuration.self, forKey: .architecture)
        classNames = try values.decode([String].self, forKey: .classNames)
        origin = try values.decode(String.self, forKey: .origin)
    }
}
