import NeuralNetworks
import Torch

/// The name of a network as it is written on the command line and in results: `convnet-3`,
/// `resnet-18`, `resnet-ap-10`.
public struct NetworkName: Sendable, Hashable {
    /// The kinds of network.
    public enum Family: String, Sendable, CaseIterable {
        /// `ConvNet`; the depth is its number of blocks.
        case convNet = "convnet"
        /// `ResNet`; the depth is its number of layers with weights.
        case resNet = "resnet"
        /// `ResNetAP`; the depth is its number of layers with weights.
        case resNetAP = "resnet-ap"

        /// A name as an example for messages.
        var example: String {
            switch self {
            case .convNet: "convnet-3"
            case .resNet: "resnet-18"
            case .resNetAP: "resnet-ap-10"
            }
        }

        /// The depths there are; nil: any from 1.
        var depths: [Int]? {
            switch self {
            case .convNet: nil
            case .resNet, .resNetAP: ResNetConfiguration.depths
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

    /// ResNet of depth 10, 18 or 34.
    public static func resNet(depth: Int) -> NetworkName {
        NetworkName(.resNet, depth: depth)
    }

    /// ResNetAP of depth 10, 18 or 34.
    public static func resNetAP(depth: Int) -> NetworkName {
        NetworkName(.resNetAP, depth: depth)
    }

    /// Reads a name such as `convnet-3`.
    ///
    /// - Parameter text: Kind and depth with a hyphen between them.
    /// - Throws: `NetworkError` for a name that no network has.
    public init(_ text: String) throws(NetworkError) {
        guard let hyphen = text.lastIndex(of: "-"),
            let family = Family(rawValue: String(text[..<hyphen])),
            let depth = Int(text[text.index(after: hyphen)...]), depth > 0,
            text == "\(family.rawValue)-\(depth)"
        else {
            let examples = Family.allCases.map(\.example).joined(separator: ", ")
            throw NetworkError(
                code: .unknownName,
                message: "\"\(text)\" is no network: expected a kind and a depth, such as "
                    + "\(examples)."
            )
        }
        if let depths = family.depths, !depths.contains(depth) {
            let names = depths.map { "\(family.rawValue)-\($0)" }.joined(separator: ", ")
            throw NetworkError(
                code: .unknownName,
                message: "\"\(text)\" is no network: there is no depth \(depth) of this kind. "
                    + "Expected one of \(names)."
            )
        }
        self.init(family, depth: depth)
    }

    /// Whether the network fits only one size of images: it has a weight for every place of its
    /// last map, not only for every channel.
    public var dependsOnImageSize: Bool { family == .convNet }

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
        case .resNet, .resNetAP:
            let configuration = ResNetConfiguration(
                imageSize: imageSize,
                channels: channels,
                classCount: classCount,
                depth: depth
            )
            return family == .resNet
                ? try ResNet(configuration, using: &generator)
                : try ResNetAP(configuration, using: &generator)
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
