import NeuralNetworks
import Torch

/// The name of a network as it is written on the command line and in results: `convnet-3`,
/// `resnet-18`, `resnet-ap-10`, `mobilenet-v2`.
public struct NetworkName: Sendable, Hashable {
    /// The kinds of network; the raw value is what stands in front of the number.
    public enum Family: String, Sendable, CaseIterable {
        /// `ConvNet`; the depth is its number of blocks.
        case convNet = "convnet-"
        /// `ResNet`, and `ResNet50`; the depth is its number of layers with weights.
        case resNet = "resnet-"
        /// `ResNetAP`; the depth is its number of layers with weights.
        case resNetAP = "resnet-ap-"
        /// `MobileNetV2`; the depth is its version.
        case mobileNet = "mobilenet-v"
        /// `EfficientNetLite`; the depth is its size in the family.
        case efficientNetLite = "efficientnet-lite"

        /// A name as an example for messages.
        var example: String {
            switch self {
            case .convNet: "convnet-3"
            case .resNet: "resnet-18"
            case .resNetAP: "resnet-ap-10"
            case .mobileNet: "mobilenet-v2"
            case .efficientNetLite: "efficientnet-lite0"
            }
        }

        /// The depths there are; nil: any from 1.
        var depths: [Int]? {
            switch self {
            case .convNet: nil
            case .resNet: ResNetConfiguration.depths + [50]
            case .resNetAP: ResNetConfiguration.depths
            case .mobileNet: [2]
            case .efficientNetLite: [0]
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

    /// ResNet of depth 10, 18 or 34, or torchvision's of depth 50.
    public static func resNet(depth: Int) -> NetworkName {
        NetworkName(.resNet, depth: depth)
    }

    /// ResNetAP of depth 10, 18 or 34.
    public static func resNetAP(depth: Int) -> NetworkName {
        NetworkName(.resNetAP, depth: depth)
    }

    /// MobileNetV2.
    public static let mobileNetV2 = NetworkName(.mobileNet, depth: 2)

    /// EfficientNet-Lite0.
    public static let efficientNetLite0 = NetworkName(.efficientNetLite, depth: 0)

    /// Reads a name such as `convnet-3`.
    ///
    /// - Parameter text: Kind and depth.
    /// - Throws: `NetworkError` for a name that no network has.
    public init(_ text: String) throws(NetworkError) {
        let candidates = Family.allCases.compactMap { family -> NetworkName? in
            guard text.hasPrefix(family.rawValue),
                let depth = Int(text.dropFirst(family.rawValue.count)), depth >= 0
            else { return nil }
            let name = NetworkName(family, depth: depth)
            return "\(name)" == text ? name : nil
        }
        guard let name = candidates.first, name.depth > 0 || name.family.depths != nil else {
            let examples = Family.allCases.map(\.example).joined(separator: ", ")
            throw NetworkError(
                code: .unknownName,
                message: "\"\(text)\" is no network: expected a kind and a depth, such as "
                    + "\(examples)."
            )
        }
        if let depths = name.family.depths, !depths.contains(name.depth) {
            let names = depths.map { "\(NetworkName(name.family, depth: $0))" }
            throw NetworkError(
                code: .unknownName,
                message: "\"\(text)\" is no network: there is no depth \(name.depth) of this "
                    + "kind. Expected one of \(names.joined(separator: ", "))."
            )
        }
        self = name
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
        case .resNet where depth == 50:
            let configuration = ResNet50.Configuration(
                imageSize: imageSize,
                channels: channels,
                classCount: classCount
            )
            return try ResNet50(configuration, using: &generator)
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
        case .mobileNet:
            let configuration = MobileNetV2.Configuration(
                imageSize: imageSize,
                channels: channels,
                classCount: classCount
            )
            return try MobileNetV2(configuration, using: &generator)
        case .efficientNetLite:
            let configuration = EfficientNetLite.Configuration(
                imageSize: imageSize,
                channels: channels,
                classCount: classCount
            )
            return try EfficientNetLite(configuration, using: &generator)
        }
    }
}

extension NetworkName: CustomStringConvertible {
    /// The name: `convnet-3`.
    public var description: String { "\(family.rawValue)\(depth)" }
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
