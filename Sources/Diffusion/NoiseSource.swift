import Torch

/// The noise of a batch of images: every image has a stream of its own, so that it does not
/// depend on the other images of its batch, their order, or what was drawn before.
///
/// A value: a copy gives the same noise once more.
public struct NoiseSource {
    private enum Origin {
        case streams([RandomGenerator])
        case given(ArraySlice<Tensor>)
    }

    private var origin: Origin

    /// The noise of chosen images.
    ///
    /// - Parameters:
    ///   - seed: Any number.
    ///   - images: The class and the number within its class of every image of the batch.
    public init(seed: UInt64, images: [(label: Int, image: Int)]) {
        origin = .streams(
            images.map {
                RandomGenerator(seed: seed, purpose: .sampling, label: $0.label, image: $0.image)
            }
        )
    }

    /// Noise from elsewhere, handed out in order: each [B, C, H, W].
    public init(_ noises: [Tensor]) {
        origin = .given(noises[...])
    }

    /// The next noise of every image, standard normal, float32.
    ///
    /// - Parameters:
    ///   - imageShape: [C, H, W].
    ///   - device: Where it is needed; it is drawn on the CPU in any case.
    /// - Returns: [B, C, H, W].
    public mutating func next(_ imageShape: [Int], on device: Device = .cpu) -> Tensor {
        switch origin {
        case .streams(var generators):
            let noise = Tensor.stacked(
                generators.indices.map { generators[$0].normal(imageShape) }
            )
            origin = .streams(generators)
            return noise.moved(to: device)
        case .given(var noises):
            guard let noise = noises.popFirst() else { trap("NoiseSource: no noise is left") }
            origin = .given(noises)
            guard Array(noise.shape.dropFirst()) == imageShape else {
                trap("NoiseSource: noise of shape \(noise.shape) for images \(imageShape)")
            }
            return noise.moved(to: device)
        }
    }

    /// The next noise for a batch [B, C, H, W], on its device.
    mutating func next(like x: Tensor) -> Tensor {
        next(Array(x.shape.dropFirst()), on: x.device)
    }
}
