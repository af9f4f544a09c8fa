import Checkpoints
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
    public init(contentsOf url: URL) throws {
        let file = try SafetensorsFile(contentsOf: url)
        guard let text = file.metadata[ModelFile.key] else {
            throw RunError(
                .invalidSettings,
                "\(url.path) holds weights, but not what they are for (no \"\(ModelFile.key)\" in "
                    + "its metadata). Expected a file made by `distill pretrain` or `distill "
                    + "finetune`."
            )
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
        weights = file.state()
    }

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
