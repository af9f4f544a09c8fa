import Models
import Torch

/// A generator of images whose inside can be optimised instead of pixels (Cazenave et al., CVPR
/// 2023, "Generalizing Dataset Distillation via Deep Generative Prior").
///
/// Images come from a latent z through the layers 0, 1, … of the generator. Before layer n lies a
/// feature map F_n(z); the later layers turn the map, which may have been changed, into an image.
///
/// Shape letters: B images, C channels, H×W pixels.
public protocol GenerativePrior {
    /// Number of layers; a map lies before each of them, before layer 0 the latent itself.
    var layerCount: Int { get }

    /// Makes sure that it can make images of a size.
    ///
    /// - Parameters:
    ///   - height: Rows of the images, H.
    ///   - width: Columns of the images, W.
    ///   - channels: C.
    /// - Throws: An error that says what to change.
    func requireImages(height: Int, width: Int, channels: Int) throws

    /// The latents whose images resemble given ones most.
    ///
    /// - Parameter images: [B, C, H, W], from 0 to 1.
    /// - Returns: [B, …], float32.
    func latents(of images: Tensor) -> Tensor

    /// F_n(z), differentiable.
    ///
    /// - Parameters:
    ///   - latents: z, [B, …].
    ///   - layer: n; 0 for the latents themselves.
    /// - Returns: [B, …], float32.
    func map(of latents: Tensor, before layer: Int) -> Tensor

    /// The images of feature maps, differentiable.
    ///
    /// - Parameters:
    ///   - map: What lies before layer n, [B, …].
    ///   - latents: z, [B, …], for generators that use it in every layer.
    ///   - layer: n.
    /// - Returns: [B, C, H, W], about 0 to 1, not limited to it.
    func images(of map: Tensor, latents: Tensor, from layer: Int) -> Tensor
}

/// The decoder of TAESD or TAESD3; layers are numbered as in the names of its weights.
extension TinyAutoencoder: GenerativePrior {
    /// Layers of the decoder, those without weights counted too.
    public var layerCount: Int { decoderLayerCount }

    /// Makes sure that the images are those of the autoencoder.
    public func requireImages(height: Int, width: Int, channels: Int) throws {
        try description.requireFit(height: height, width: width, channels: channels)
    }

    /// Encoded images.
    public func latents(of images: Tensor) -> Tensor { encode(images) }

    /// The first layers of the decoder.
    public func map(of latents: Tensor, before layer: Int) -> Tensor {
        layer == 0 ? latents : decode(latents, layers: 0..<layer)
    }

    /// The other layers of the decoder, which do not look at the latents again.
    public func images(of map: Tensor, latents: Tensor, from layer: Int) -> Tensor {
        decode(map, layers: layer..<layerCount)
    }
}

/// The decoder of Stable Diffusion; its layers are the input, the middle, every level, the output.
extension AutoencoderKL: GenerativePrior {
    /// Layers of the decoder: three more than it has levels.
    public var layerCount: Int { decoderLayerCount }

    /// Makes sure that the images are those of the autoencoder.
    public func requireImages(height: Int, width: Int, channels: Int) throws {
        try description.requireFit(height: height, width: width, channels: channels)
    }

    /// The means of encoded images, without the scaling factor.
    public func latents(of images: Tensor) -> Tensor { encode(images * 2 - 1).mean }

    /// The first layers of the decoder.
    public func map(of latents: Tensor, before layer: Int) -> Tensor {
        layer == 0 ? latents : decode(latents, layers: 0..<layer)
    }

    /// The other layers of the decoder, which do not look at the latents again.
    public func images(of map: Tensor, latents: Tensor, from layer: Int) -> Tensor {
        (decode(map, layers: layer..<layerCount) + 1) * 0.5
    }
}
