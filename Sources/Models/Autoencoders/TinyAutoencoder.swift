import NeuralNetworks
import Torch

/// TAESD and TAESD3 (Ollin Boer Bohan, github.com/madebyollin/taesd): a small, fast stand-in for
/// the autoencoder of Stable Diffusion, with the latents that its diffusion models work on.
///
/// State-dictionary names are those of the published files behind `encoder.` and `decoder.`: the
/// positions of the layers, those without weights counted too.
///
/// Shape letters: B images, C = 3 image channels, H×W pixels, c latent channels.
public final class TinyAutoencoder: Module {
    /// Size and shape.
    public struct Configuration: Codable, Sendable, Equatable {
        /// C, channels of the images.
        public var imageChannels: Int
        /// c, channels of the latents.
        public var latentChannels: Int
        /// Channels of every layer inside.
        public var width: Int

        /// Describes an autoencoder; 4 latent channels are TAESD's, 16 TAESD3's.
        public init(imageChannels: Int = 3, latentChannels: Int = 4, width: Int = 64) {
            self.imageChannels = imageChannels
            self.latentChannels = latentChannels
            self.width = width
        }

        /// What is wrong with these sizes, or nil.
        public var problem: String? {
            [imageChannels, latentChannels, width].allSatisfy { (1...65_536).contains($0) }
                ? nil : "every size must be from 1 to 65536"
        }
    }

    /// f, pixels of an image for one position of its latent, a side.
    public static let downsampling = 8

    /// Size and shape.
    public let configuration: Configuration
    @Child("encoder") var encoder: [Module]
    @Child("decoder") var decoder: [Module]

    /// Makes a model whose weights are zero until they are loaded.
    ///
    /// Convolutions are stored in channels-last order.
    ///
    /// - Parameter configuration: Size and shape.
    /// - Throws: `NetworkError` for a size below 1.
    public init(_ configuration: Configuration = Configuration()) throws(NetworkError) {
        if let problem = configuration.problem {
            throw NetworkError(code: .unfitSize, message: "TinyAutoencoder: \(problem).")
        }
        self.configuration = configuration
        super.init()
        let width = configuration.width
        func convolution(_ inputs: Int, _ outputs: Int) -> Conv2d {
            Conv2d(inputChannels: inputs, outputChannels: outputs, kernelSize: 3, padding: 1)
        }
        func halving() -> Conv2d {
            Conv2d(
                inputChannels: width,
                outputChannels: width,
                kernelSize: 3,
                stride: 2,
                padding: 1,
                usesBias: false
            )
        }
        func doubling() -> [Module] {
            let convolution = Conv2d(
                inputChannels: width,
                outputChannels: width,
                kernelSize: 3,
                padding: 1,
                usesBias: false
            )
            return [Doubling(), convolution]
        }
        func blocks(_ count: Int) -> [Module] { (0..<count).map { _ in Block(width: width) } }

        encoder = [convolution(configuration.imageChannels, width)] + blocks(1)
        for _ in 0..<3 { encoder += [halving()] + blocks(3) }
        encoder += [convolution(width, configuration.latentChannels)]

        decoder = [Limit(), convolution(configuration.latentChannels, width), Rectifier()]
        for _ in 0..<3 { decoder += blocks(3) + doubling() }
        decoder += blocks(1) + [convolution(width, configuration.imageChannels)]
        useChannelsLast()
    }

    /// The latents of images: [B, C, H, W] → [B, c, H/8, W/8].
    ///
    /// - Parameter x: Values between 0 and 1; H and W are multiples of 8.
    /// - Returns: Latents, float32, in the units of the diffusion model.
    public func encode(_ x: Tensor) -> Tensor { TinyAutoencoder.run(encoder, x) }

    /// The images of latents: [B, c, h, w] → [B, C, 8·h, 8·w].
    ///
    /// - Parameter z: Latents in the units of the diffusion model.
    /// - Returns: float32, about 0 to 1, not limited to it.
    public func decode(_ z: Tensor) -> Tensor { TinyAutoencoder.run(decoder, z) }

    /// Number of layers of the decoder, those without weights counted too.
    package var decoderLayerCount: Int { decoder.count }

    /// Some of the decoder's layers, numbered as in the names of its weights: what comes before
    /// the first of them → what comes after the last, float32.
    package func decode(_ x: Tensor, layers: Range<Int>) -> Tensor {
        TinyAutoencoder.run(decoder[layers], x)
    }

    private static func run(_ layers: some Sequence<Module>, _ x: Tensor) -> Tensor {
        var x = x.contiguous(channelsLast: true)
        for layer in layers { x = apply(layer, x) }
        return x.converted(to: .float32).contiguous()
    }

    fileprivate static func apply(_ layer: Module, _ x: Tensor) -> Tensor {
        switch layer {
        case let layer as Conv2d: layer(x)
        case let layer as Block: layer(x)
        case is Rectifier: x.relu()
        // Values beyond ±3 are bent back smoothly.
        case is Limit: (x * (1.0 / 3)).tanh() * 3
        case is Doubling:
            x.interpolated(
                height: 2 * x.size(along: 2),
                width: 2 * x.size(along: 3),
                bilinear: false
            )
        default: x
        }
    }

    /// Random first weights, PyTorch's defaults, for training from scratch.
    ///
    /// - Parameter generator: Source of the weights.
    public func initializeWeights(using generator: inout RandomGenerator) {
        Initialization.pytorchDefault(self, using: &generator)
    }
}

// MARK: - Layers

extension TinyAutoencoder {
    // Layers without weights hold their place in the numbering.
    fileprivate final class Rectifier: Module {}
    fileprivate final class Limit: Module {}
    fileprivate final class Doubling: Module {}

    /// Three convolutions with ReLU between, added to the input, and ReLU: [B, W, h, w] →
    /// [B, W, h, w].
    fileprivate final class Block: Module {
        @Child("conv") var layers: [Module]

        init(width: Int) {
            super.init()
            func convolution() -> Conv2d {
                Conv2d(inputChannels: width, outputChannels: width, kernelSize: 3, padding: 1)
            }
            layers = [convolution(), Rectifier(), convolution(), Rectifier(), convolution()]
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            var y = x
            for layer in layers { y = TinyAutoencoder.apply(layer, y) }
            return (y + x).relu()
        }
    }
}

extension TinyAutoencoder: ImageAutoencoder {
    /// Its settings.
    public var description: AutoencoderDescription { .tiny(configuration) }

    /// The weights of the encoder.
    public var encoderState: StateDictionary {
        StateDictionary(
            state().filter { name, _ in name.hasPrefix("encoder.") }.map { ($0.key, $0.value) }
        )
    }

    private var device: Device? { (encoder.first as? Conv2d)?.weight.device }

    /// The latents themselves, without a deviation: [B, C, H, W] → [B, c, h, w].
    public func posterior(of x: Tensor) -> LatentPosterior {
        LatentPosterior(mean: encode(x.moved(to: device ?? x.device)))
    }

    /// The images of latents: [B, c, h, w] → [B, C, 8·h, 8·w].
    public func reconstruction(of latents: Tensor) -> Tensor {
        decode(latents.moved(to: device ?? latents.device))
    }
}
