import NeuralNetworks
import Torch

/// The name of a network as it is written on the command line and in results: `convnet-3`,
/// `resnet-18`, `resnet-ap-10`, `mobilenet-v2`; with variants `convnet-3-w64-batchnorm`.
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
    /// What differs from the published network.
    public let variant: Variant

    /// What may differ from the published network; part of its name.
    public struct Variant: Sendable, Hashable {
        /// Channels of a ConvNet's blocks or of a ResNet's first stage: `-w64`.
        public var width: Int?
        /// What normalises the maps: `-batchnorm`, `-nonorm`; published: instance norm.
        public var norm: ConvNet.Configuration.Norm = .instance
        /// How a ConvNet's blocks end: `-maxpool`, `-nopool`; published: average pooling.
        public var pooling: ConvNet.Configuration.Pooling = .average
        /// Padding of a ConvNet's first convolution: `-pad3`, as in the published code for grey images
        /// of 28 pixels.
        public var padding = 1

        /// The published network.
        public init() {}

        /// The suffixes in fixed order.
        var suffix: String {
            let norm = ["batch": "-batchnorm", "none": "-nonorm"][norm.rawValue]
            let pooling = ["maximum": "-maxpool", "none": "-nopool"][pooling.rawValue]
            return (width.map { "-w\($0)" } ?? "") + (norm ?? "") + (pooling ?? "")
                + (padding == 1 ? "" : "-pad\(padding)")
        }

        /// Takes a suffix without its hyphen; false if it is none.
        fileprivate mutating func take(_ word: Substring) -> Bool {
            switch word {
            case "batchnorm": norm = .batch
            case "nonorm": norm = .none
            case "maxpool": pooling = .maximum
            case "nopool": pooling = .none
            case "pad3": padding = 3
            default:
                guard word.first == "w", let number = Int(word.dropFirst()), number > 0 else {
                    return false
                }
                width = number
            }
            return true
        }
    }

    /// Names a network.
    public init(_ family: Family, depth: Int, variant: Variant = Variant()) {
        self.family = family
        self.depth = depth
        self.variant = variant
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
    /// - Parameter text: Kind and depth, and what differs from the published network.
    /// - Throws: `NetworkError` for a name that no network has.
    public init(_ text: String) throws(NetworkError) {
        var variant = Variant()
        var base = text[...]
        while let hyphen = base.lastIndex(of: "-"), variant.take(base[hyphen...].dropFirst()) {
            base = base[..<hyphen]
        }
        let candidates = Family.allCases.compactMap { family -> NetworkName? in
            guard base.hasPrefix(family.rawValue),
                let depth = Int(base.dropFirst(family.rawValue.count)), depth >= 0
            else { return nil }
            let name = NetworkName(family, depth: depth, variant: variant)
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
        if let problem = name.variantProblem {
            throw NetworkError(
                code: .unknownName,
                message: "\"\(text)\" is no network: \(problem)."
            )
        }
        self = name
    }

    /// Why there is no such variant of this kind of network; nil if there is.
    private var variantProblem: String? {
        switch family {
        case .convNet: nil
        case .resNet where depth == 50, .mobileNet, .efficientNetLite:
            variant == Variant() ? nil : "this kind has no variants"
        case .resNet, .resNetAP:
            if variant.pooling != .average {
                "-maxpool and -nopool are variants of ConvNets only"
            } else if variant.norm == .none {
                "-nonorm is a variant of ConvNets only"
            } else if variant.padding != 1 {
                "-pad3 is a variant of ConvNets only"
            } else {
                nil
            }
        }
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
                depth: depth,
                width: variant.width ?? 128,
                norm: variant.norm,
                pooling: variant.pooling,
                firstPadding: variant.padding
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
                depth: depth,
                width: variant.width ?? 64,
                norm: variant.norm == .batch ? .batch : .instance
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
    public var description: String { "\(family.rawValue)\(depth)\(variant.suffix)" }
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
