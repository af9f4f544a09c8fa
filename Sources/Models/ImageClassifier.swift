import NeuralNetworks
import Torch

/// A network that tells the class of an image.
public protocol ImageClassifier: Module {
    /// Number of classes K.
    var classCount: Int { get }

    /// What the last linear layer sees: [B, C, H, W] → [B, F].
    func features(_ x: Tensor) -> Tensor

    /// Scores before the softmax: [B, C, H, W] → [B, K].
    func callAsFunction(_ x: Tensor) -> Tensor

    /// Whether it is faster on a CPU with images in channels-last order; the numbers are the same
    /// up to rounding.
    var prefersChannelsLast: Bool { get }

    /// Takes the random numbers of the next pass in training; a network without dropout needs
    /// none, and one with dropout drops nothing before it got some.
    ///
    /// - Parameter generator: A stream of the purpose `dropout` and the number of the step.
    func prepareStep(using generator: RandomGenerator)
}

extension ImageClassifier {
    /// False: the usual order.
    public var prefersChannelsLast: Bool { false }

    /// Needs no random numbers.
    public func prepareStep(using generator: RandomGenerator) {}

    /// The same images in the memory order that the network is fastest with.
    package func inPreferredOrder(_ x: Tensor) -> Tensor {
        guard prefersChannelsLast, x.device.kind == .cpu else { return x }
        guard x.size(along: 1) == 1 else { return x.contiguous(channelsLast: true) }
        // With one channel both orders are the same bytes, and only strides tell them apart.
        let (batch, height, width) = (x.size(along: 0), x.size(along: 2), x.size(along: 3))
        return x.reshaped(batch, height, width, 1).permuted(0, 3, 1, 2)
    }
}

/// Why a network cannot be made.
public struct NetworkError: Error, CustomStringConvertible, Sendable {
    /// The kinds of failure.
    public enum Code: Sendable, Equatable {
        /// No network has this name.
        case unknownName
        /// The network does not fit the size of the images.
        case unfitSize
        /// An autoencoder does not fit the images or the diffusion model.
        case unfitAutoencoder
        /// A file with settings cannot be used.
        case unfitSettings
    }

    /// The kind of failure.
    public let code: Code
    /// What does not fit, and what to do about it.
    public let message: String

    /// The message.
    public var description: String { message }
}
