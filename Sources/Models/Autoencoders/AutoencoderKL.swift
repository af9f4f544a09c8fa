import NeuralNetworks
import Torch

/// The autoencoder of latent diffusion models (Rombach et al., CVPR 2022, "High-Resolution Image
/// Synthesis with Latent Diffusion Models"), regularised by a Kullback–Leibler term.
///
/// ```
/// mean, logVariance = encoder(x);  z = mean + exp(logVariance/2)·ε;  x' = decoder(z)
/// ```
///
/// State-dictionary names and settings are those of diffusers' `AutoencoderKL`, with the attention
/// names `to_q`, `to_k`, `to_v` and `to_out.0`.
///
/// Shape letters: B images, C image channels, H×W pixels, f downsampling factor, c latent channels,
/// h×w = H/f×W/f positions of a latent.
public final class AutoencoderKL: Module {
    /// What the encoder says of an image's latent: independent normal distributions.
    public struct Moments {
        /// [B, c, h, w], float32.
        public let mean: Tensor
        /// [B, c, h, w], float32, between −30 and 20.
        public let logVariance: Tensor

        /// exp(logVariance/2), [B, c, h, w].
        public var deviation: Tensor { (logVariance * 0.5).exp() }

        /// mean + deviation·ε with standard normal numbers, [B, c, h, w].
        public func sampled(using generator: inout RandomGenerator) -> Tensor {
            LatentPosterior(mean: mean, deviation: deviation).sampled(using: &generator)
        }
    }

    /// How large a part of an image is decoded at once.
    ///
    /// Neighbours overlap and fade into each other. Group norm and attention see a part only, so
    /// colours may differ a little from those of the whole; without overlap seams would show.
    public struct Tiling: Codable, Sendable, Equatable {
        /// Positions of the latent, a side.
        public var size: Int
        /// Positions that neighbours share, below `size`.
        public var overlap: Int

        /// Parts of 36 positions that share 8, unless others are given: four for 512×512 pixels.
        public init(size: Int = 36, overlap: Int = 8) {
            self.size = size
            self.overlap = overlap
        }
    }

    /// Size and shape.
    public let configuration: Configuration
    /// Images are computed one after another, or as many at once as have no more pixels than this.
    ///
    /// The decoder of Stable Diffusion needs about 4 kB a pixel in float32 and half of it in
    /// bfloat16. On a GPU a multiple of the default, one image of 256×256, is faster.
    public var pixelsAtOnce = 256 * 256
    /// Decodes images larger than a tile in parts; nil decodes them whole.
    public var tiling: Tiling?
    @Child("encoder") var encoder: Encoder
    @Child("decoder") var decoder: Decoder
    @Child("quant_conv") var quantConvolution: Conv2d?
    @Child("post_quant_conv") var postQuantConvolution: Conv2d?

    /// Makes a model whose weights are zero until they are loaded.
    ///
    /// Convolutions are stored in channels-last order.
    ///
    /// - Parameter configuration: Size and shape.
    /// - Throws: `NetworkError` if the settings contradict each other.
    public init(_ configuration: Configuration = Configuration()) throws(NetworkError) {
        let widths = configuration.blockChannels
        guard configuration.problem == nil, let innermost = widths.last else {
            throw NetworkError(
                code: .unfitSize,
                message: "AutoencoderKL: \(configuration.problem ?? "there are no levels"). "
                    + "Check the settings (config.json)."
            )
        }
        self.configuration = configuration
        super.init()
        encoder = Encoder(configuration, widths: widths, innermost: innermost)
        decoder = Decoder(configuration, widths: widths, innermost: innermost)
        let channels = configuration.latentChannels
        quantConvolution =
            configuration.usesQuantConvolution
            ? Conv2d(inputChannels: 2 * channels, outputChannels: 2 * channels, kernelSize: 1)
            : nil
        postQuantConvolution =
            configuration.usesPostQuantConvolution
            ? Conv2d(inputChannels: channels, outputChannels: channels, kernelSize: 1)
            : nil
        useChannelsLast()
    }

    /// The distribution of the latents of images, without the scaling factor.
    ///
    /// - Parameter x: [B, C, H, W], values between −1 and 1; H and W are multiples of f.
    /// - Returns: Mean and log-variance, each [B, c, H/f, W/f].
    public func encode(_ x: Tensor) -> Moments {
        let moments = inSlices(x, pixels: x.size(along: 2) * x.size(along: 3)) { slice in
            var x = slice.contiguous(channelsLast: true)  // [b, C, H, W]
            x = encoder(x)  // [b, 2c, h, w]
            if let quantConvolution { x = quantConvolution(x) }  // [b, 2c, h, w]
            return x.converted(to: .float32).contiguous()
        }
        let parts = moments.chunked(2, along: 1)
        return Moments(
            mean: parts[0].contiguous(),
            logVariance: parts[1].clamped(to: -30...20).contiguous()
        )
    }

    /// The images of latents without the scaling factor.
    ///
    /// - Parameter z: [B, c, h, w].
    /// - Returns: [B, C, f·h, f·w], float32, about −1 to 1, not limited to it.
    public func decode(_ z: Tensor) -> Tensor {
        let factor = configuration.downsampling
        let (height, width) = (z.size(along: 2), z.size(along: 3))
        if let tiling, height > tiling.size || width > tiling.size {
            let map = TiledMap(size: tiling.size, overlap: tiling.overlap, scale: factor)
            return inSlices(z, pixels: tiling.size * tiling.size * factor * factor) { slice in
                map.applied(to: slice, decodeWhole)
            }
        }
        return inSlices(z, pixels: height * width * factor * factor, decodeWhole)
    }

    private func decodeWhole(_ z: Tensor) -> Tensor {
        decode(z, layers: 0..<decoderLayerCount)  // [b, C, f·h, f·w]
    }

    /// Number of layers of the decoder: the input, the middle, the levels, the output.
    package var decoderLayerCount: Int { decoder.layerCount }

    /// Some of the decoder's layers: what comes before the first of them → what comes after the
    /// last, float32.
    ///
    /// Latents come without the scaling factor.
    package func decode(_ x: Tensor, layers: Range<Int>) -> Tensor {
        var x = x.contiguous(channelsLast: true)
        for layer in layers {
            if layer == 0, let postQuantConvolution { x = postQuantConvolution(x) }  // [b, c, h, w]
            x = decoder.layer(layer, x)
        }
        return x.converted(to: .float32).contiguous()
    }

    /// Computes as many images at once as `pixelsAtOnce` allows.
    private func inSlices(_ x: Tensor, pixels: Int, _ body: (Tensor) -> Tensor) -> Tensor {
        let count = x.size(along: 0)
        let atOnce = max(1, pixelsAtOnce / max(pixels, 1))
        guard count > atOnce else { return body(x) }
        return .concatenated(
            stride(from: 0, to: count, by: atOnce).map { start in
                body(x[start..<min(start + atOnce, count)])
            }
        )
    }

    /// Random first weights, PyTorch's defaults, for training from scratch.
    ///
    /// - Parameter generator: Source of the weights.
    public func initializeWeights(using generator: inout RandomGenerator) {
        Initialization.pytorchDefault(self, using: &generator)
    }
}

extension AutoencoderKL: ImageAutoencoder {
    /// Its settings.
    public var description: AutoencoderDescription { .autoencoderKL(configuration) }

    /// The weights of the encoder and of what follows it.
    public var encoderState: StateDictionary {
        StateDictionary(
            state().filter { name, _ in
                name.hasPrefix("encoder.") || name.hasPrefix("quant_conv.")
            }.map { ($0.key, $0.value) }
        )
    }

    /// Mean and deviation times the scaling factor: [B, C, H, W] → [B, c, h, w].
    public func posterior(of x: Tensor) -> LatentPosterior {
        let moments = encode(x.moved(to: encoder.input.weight.device))
        let scaling = configuration.scaling
        return LatentPosterior(
            mean: scaling.scaled(moments.mean),
            deviation: scaling.scaled(deviation: moments.deviation)
        )
    }

    /// The images of scaled latents: [B, c, h, w] → [B, C, f·h, f·w].
    public func reconstruction(of latents: Tensor) -> Tensor {
        let z = latents.moved(to: decoder.input.weight.device)
        return decode(configuration.scaling.unscaled(z))
    }
}
