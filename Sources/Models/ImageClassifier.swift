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
}

extension ImageClassifier {
    /// False: libtorch's group norm of bfloat16 is slow in channels-last order.
    public var prefersChannelsLast: Bool { false }

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

/// The name of a network as it is written on the command line and in results: `convnet-3`.
public struct NetworkName: Sendable, Hashable {
    /// The kinds of network.
    public enum Family: String, Sendable, CaseIterable {
        /// `ConvNet`; the depth is its number of blocks.
        case convNet = "convnet"

        /// A name as an example for messages.
        var example: String {
            switch self {
            case .convNet: "convnet-3"
            }
        }
    }

    /// The kind of network.
    public let family: Family
    /// Its depth, in the unit of its kind.
    public let depth: Int

    /// Names a network.
    public init(_ family: Family, depth: Int) {
        self.family = family
        self.depth = depth
    }

    /// ConvNet of a depth.
    public static func convNet(depth: Int) -> NetworkName {
        NetworkName(.convNet, depth: depth)
    }

    /// Reads a name such as `convnet-3`.
    ///
    /// - Parameter text: Kind and depth with a hyphen between them.
    /// - Throws: `NetworkError` for a name that no network has.
    public init(_ text: String) throws(NetworkError) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let family = Family(rawValue: String(parts[0])),
            let depth = Int(parts[1]), depth > 0, String(depth) == parts[1]
        else {
            let examples = Family.allCases.map(\.example).joined(separator: ", ")
            throw NetworkError(
                code: .unknownName,
                message: "\"\(text)\" is no network: expected a kind and a depth, such as "
                    + "\(examples)."
            )
        }
        self.init(family, depth: depth)
    }

    /// Makes a network with new weights.
    ///
    /// - Parameters:
    ///   - imageSize: Pixels a side.
    ///   - channels: Channels of the images.
    ///   - classCount: Number of classes.
    ///   - generator: Source of the first weights.
    /// - Returns: The network.
    /// - Throws: `NetworkError` if it does not fit the images.
    public func makeClassifier(
        imageSize: Int,
        channels: Int,
        classCount: Int,
        using generator: inout RandomGenerator
    ) throws(NetworkError) -> any ImageClassifier {
        switch family {
        case .convNet:
            let configuration = ConvNet.Configuration(
                imageSize: imageSize,
                channels: channels,
                classCount: classCount,
                depth: depth
            )
            return try ConvNet(configuration, using: &generator)
        }
    }
}

extension NetworkName: CustomStringConvertible {
    /// The name: `convnet-3`.
    public var description: String { "\(family.rawValue)-\(depth)" }
}

extension NetworkName: Codable {
    /// Reads the name.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
