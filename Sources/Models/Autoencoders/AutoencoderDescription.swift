import Torch

/// What an autoencoder is: enough to make it, and to know which images and diffusion models fit.
///
/// It is stored with every model that was trained on its latents, as
/// `{"kind": "autoencoder-kl", "configuration": {…}}`.
public enum AutoencoderDescription: Sendable, Equatable {
    /// The pixels themselves, centred and scaled.
    case pixels(PixelSpace)
    /// The autoencoder of Stable Diffusion and its relatives.
    case autoencoderKL(AutoencoderKL.Configuration)
    /// TAESD and its relatives.
    case tiny(TinyAutoencoder.Configuration)

    /// What people call it.
    public var name: String {
        switch self {
        case .pixels: "the pixel space"
        case .autoencoderKL: "AutoencoderKL"
        case .tiny: "the tiny autoencoder"
        }
    }

    /// C, channels of the images.
    public var imageChannels: Int {
        switch self {
        case .pixels(let space): space.mean.count
        case .autoencoderKL(let configuration): configuration.imageChannels
        case .tiny(let configuration): configuration.imageChannels
        }
    }

    /// c, channels of the latents.
    public var latentChannels: Int {
        switch self {
        case .pixels(let space): space.mean.count
        case .autoencoderKL(let configuration): configuration.latentChannels
        case .tiny(let configuration): configuration.latentChannels
        }
    }

    /// f, pixels of an image for one position of its latent, a side.
    public var downsampling: Int {
        switch self {
        case .pixels: 1
        case .autoencoderKL(let configuration): configuration.downsampling
        case .tiny: TinyAutoencoder.downsampling
        }
    }

    /// What black and white are for encoder and decoder.
    public var valueRange: ClosedRange<Double> {
        switch self {
        case .pixels, .tiny: 0...1
        case .autoencoderKL: -1...1
        }
    }

    /// The map between the latents of the autoencoder and those of a diffusion model; for pixels
    /// the one between values from 0 to 1 and those.
    public var scaling: LatentScaling {
        switch self {
        case .pixels(let space):
            LatentScaling(shift: space.mean, scale: space.deviation.map { 1 / $0 })
        case .autoencoderKL(let configuration): configuration.scaling
        // Trained on scaled latents.
        case .tiny: LatentScaling()
        }
    }

    /// Whether latents are drawn from a distribution; otherwise an image has one latent.
    public var hasDeviation: Bool {
        if case .autoencoderKL = self { true } else { false }
    }

    /// Whether another autoencoder is of the same kind and has latents of the same form: a model
    /// for the latents of one can be used with the other.
    ///
    /// Weights are not compared: decoders that were fine-tuned later share their latents. So does
    /// TAESD, which was trained to give the scaled latents of Stable Diffusion's autoencoder.
    public func hasSameLatents(as other: AutoencoderDescription) -> Bool {
        let hasSameForm =
            imageChannels == other.imageChannels && latentChannels == other.latentChannels
            && downsampling == other.downsampling
        return switch (self, other) {
        case (.pixels, .pixels): self == other
        case (.autoencoderKL, .autoencoderKL), (.tiny, .tiny):
            hasSameForm && scaling == other.scaling
        case (.autoencoderKL(let original), .tiny), (.tiny, .autoencoderKL(let original)):
            hasSameForm && original.scaling == AutoencoderKL.Configuration().scaling
        default: false
        }
    }

    /// [c, h, w] of the latents of images of a size.
    ///
    /// - Parameters:
    ///   - height: Rows of the images, a multiple of `downsampling`.
    ///   - width: Pixels in a row, a multiple of `downsampling`.
    /// - Returns: Channels, height and width.
    public func latentShape(height: Int, width: Int) -> [Int] {
        [latentChannels, height / downsampling, width / downsampling]
    }
}

// MARK: - Does it fit?

extension AutoencoderDescription {
    /// The name at the beginning of a sentence.
    private var subject: String { name.prefix(1).uppercased() + name.dropFirst() }

    /// Checks, before any work starts, that images can be encoded.
    ///
    /// - Parameters:
    ///   - height: Rows of the images.
    ///   - width: Pixels in a row of the images.
    ///   - channels: Channels of the images.
    /// - Throws: `NetworkError` that says what to change.
    public func requireFit(height: Int, width: Int, channels: Int) throws(NetworkError) {
        guard channels == imageChannels else {
            throw NetworkError(
                code: .unfitAutoencoder,
                message: "\(subject) works on images with \(imageChannels) channels, but these "
                    + "have \(channels). Convert them to \(imageChannels) channels."
            )
        }
        guard height > 0, width > 0, height % downsampling == 0, width % downsampling == 0 else {
            let size = max(min(height, width) / downsampling, 1) * downsampling
            throw NetworkError(
                code: .unfitAutoencoder,
                message: "\(subject) makes one position of a latent of \(downsampling)×"
                    + "\(downsampling) pixels, but the images have \(width)×\(height). Crop them "
                    + "to a multiple of \(downsampling), for example \(size)×\(size)."
            )
        }
    }

    /// Checks, before any work starts, that a DiT was made for the latents of images.
    ///
    /// - Parameters:
    ///   - architecture: Size and shape of the DiT.
    ///   - height: Rows of the images.
    ///   - width: Pixels in a row of the images.
    ///   - channels: Channels of the images.
    /// - Throws: `NetworkError` that says what to change.
    public func requireFit(
        _ architecture: DiT.Configuration,
        height: Int,
        width: Int,
        channels: Int
    ) throws(NetworkError) {
        try requireFit(height: height, width: width, channels: channels)
        let found = latentShape(height: height, width: width)
        let size = architecture.inputSize
        guard found != [architecture.channels, size, size] else { return }
        let remedy: String
        if architecture.channels != latentChannels {
            remedy =
                "Use a model made for \(latentChannels) latent channels, or an autoencoder with "
                + "\(architecture.channels)."
        } else {
            let side = size * downsampling
            remedy = "Crop the images to \(side)×\(side) pixels, or use another model."
        }
        throw NetworkError(
            code: .unfitAutoencoder,
            message: "The diffusion model was made for latents of \(architecture.channels)×"
                + "\(size)×\(size) (channels × height × width), but \(name) makes "
                + "\(found[0])×\(found[1])×\(found[2]) of images of \(width)×\(height) pixels. "
                + remedy
        )
    }
}

// MARK: - Coding

extension AutoencoderDescription: Codable {
    private enum CodingKeys: String, CodingKey {
        case kind, configuration
    }

    private enum Kind: String, Codable {
        case pixels
        case autoencoderKL = "autoencoder-kl"
        case tiny = "tiny-autoencoder"
    }

    /// Reads kind and configuration.
    ///
    /// - Parameter decoder: Where they come from.
    /// - Throws: `DecodingError` for another kind or settings that contradict each other.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func configuration<Value: Decodable>() throws -> Value {
            try values.decode(Value.self, forKey: .configuration)
        }
        switch try values.decode(Kind.self, forKey: .kind) {
        case .pixels: self = .pixels(try configuration())
        case .autoencoderKL: self = .autoencoderKL(try configuration())
        case .tiny: self = .tiny(try configuration())
        }
        let problem: String? =
            switch self {
            case .pixels(let space): space.problem
            case .autoencoderKL(let configuration): configuration.problem
            case .tiny(let configuration): configuration.problem
            }
        if let problem {
            throw DecodingError.dataCorruptedError(
                forKey: .configuration,
                in: values,
                debugDescription: "\(name): \(problem)"
            )
        }
    }

    /// Writes kind and configuration.
    ///
    /// - Parameter encoder: Where they go.
    /// - Throws: `EncodingError` if the encoder cannot hold a number.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .pixels(let space):
            try values.encode(Kind.pixels, forKey: .kind)
            try values.encode(space, forKey: .configuration)
        case .autoencoderKL(let configuration):
            try values.encode(Kind.autoencoderKL, forKey: .kind)
            try values.encode(configuration, forKey: .configuration)
        case .tiny(let configuration):
            try values.encode(Kind.tiny, forKey: .kind)
            try values.encode(configuration, forKey: .configuration)
        }
    }
}
