import NeuralNetworks
import Torch

/// Size and shape of a `ResNet` or a `ResNetAP`.
public struct ResNetConfiguration: Codable, Sendable, Equatable {
    /// What normalises the maps between the layers.
    public enum Norm: String, Codable, Sendable, CaseIterable {
        /// Each channel of each image by itself: the published evaluation.
        case instance
        /// Each channel over the batch, with running statistics for tests.
        case batch
    }

    /// The layers in front of the residual blocks, by the size of the images.
    public enum Stem: Sendable, Equatable {
        /// Up to 64 pixels: a 3×3 convolution at full resolution.
        case small
        /// 65 to 128 pixels: a 3×3 convolution, then half of the resolution.
        case middle
        /// Above 128 pixels: a 7×7 convolution, then a quarter of the resolution.
        case large
    }

    /// S, pixels a side: it chooses the stem.
    public var imageSize: Int
    /// C, channels of the images.
    public var channels: Int
    /// K, number of classes.
    public var classCount: Int
    /// Number of layers with weights, as it is counted in the name: 10, 18 or 34.
    public var depth: Int
    /// W, channels of the first stage; each of the other three doubles them.
    public var width: Int
    /// What normalises the maps.
    public var norm: Norm

    /// Describes a network; the published width is 64 and the published norm that of instances.
    public init(
        imageSize: Int,
        channels: Int = 3,
        classCount: Int,
        depth: Int,
        width: Int = 64,
        norm: Norm = .instance
    ) {
        self.imageSize = imageSize
        self.channels = channels
        self.classCount = classCount
        self.depth = depth
        self.width = width
        self.norm = norm
    }

    /// The stem for the size of the images.
    public var stem: Stem {
        switch imageSize {
        case ...64: .small
        case ...128: .middle
        default: .large
        }
    }

    /// The depths there are.
    public static let depths = [10, 18, 34]

    /// Number of blocks, of two convolutions each, in each of the four stages.
    var blockCounts: [Int] {
        switch depth {
        case 18: [2, 2, 2, 2]
        case 34: [3, 4, 6, 3]
        default: [1, 1, 1, 1]
        }
    }

    /// Channels of each of the four stages: W, 2W, 4W, 8W.
    var widths: [Int] { (0..<4).map { width << $0 } }

    /// The blocks of a stage, 0 to 3; all but the first stage begin with stride 2.
    ///
    /// - Parameters:
    ///   - stage: The number of the stage.
    ///   - make: Makes a block with its input channels, output channels, stride and norm.
    /// - Returns: The blocks in order.
    func blocks<Block>(ofStage stage: Int, _ make: (Int, Int, Int, Norm) -> Block) -> [Block] {
        let outputs = widths[stage]
        return (0..<blockCounts[stage]).map { position in
            position == 0 && stage > 0
                ? make(widths[stage - 1], outputs, 2, norm) : make(outputs, outputs, 1, norm)
        }
    }

    /// F = 8W, width of the features.
    public var featureCount: Int { width * 8 }

    /// What is wrong with these sizes, or nil.
    ///
    /// - Parameters:
    ///   - name: What the network is called in the message.
    ///   - leastImageSize: The smallest images that leave a last map of 2×2: an instance norm
    ///     makes zeros of a map of one pixel.
    /// - Returns: The message.
    func problem(of name: String, leastImageSize: Int) -> String? {
        if [imageSize, channels, classCount, width].contains(where: { $0 < 1 }) {
            return "Image size, channels, classes and width of a \(name) must be at least 1; they "
                + "are \(imageSize), \(channels), \(classCount) and \(width)."
        }
        if !ResNetConfiguration.depths.contains(depth) {
            let depths = ResNetConfiguration.depths.map(String.init).joined(separator: ", ")
            return "There is no \(name) of depth \(depth): expected one of \(depths)."
        }
        if imageSize < leastImageSize {
            return "\(name)-\(depth) leaves less than 2×2 pixels of images of "
                + "\(imageSize)×\(imageSize). Use images of at least "
                + "\(leastImageSize)×\(leastImageSize) pixels, or a ConvNet of a small depth."
        }
        return nil
    }
}

/// The norm of a residual network, one of two layers under the same names.
enum ChannelNorm: ModuleValue {
    case instance(GroupNorm)
    case batch(BatchNorm2d)

    init(_ norm: ResNetConfiguration.Norm, channels: Int) {
        switch norm {
        case .instance: self = .instance(GroupNorm(groupCount: channels, channels: channels))
        case .batch: self = .batch(BatchNorm2d(channels: channels))
        }
    }

    var modulesWithPositions: [(Int?, Module)] {
        switch self {
        case .instance(let layer): [(nil, layer)]
        case .batch(let layer): [(nil, layer)]
        }
    }

    /// Maps [B, C, H, W] to the same shape.
    func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .instance(let layer): layer(x)
        case .batch(let layer): layer(x)
        }
    }
}

extension Conv2d {
    /// A convolution without bias, whose norm has one, that keeps the size at stride 1.
    convenience init(_ inputs: Int, _ outputs: Int, kernelSize: Int, stride: Int = 1) {
        self.init(
            inputChannels: inputs,
            outputChannels: outputs,
            kernelSize: kernelSize,
            stride: stride,
            padding: kernelSize / 2,
            usesBias: false
        )
    }
}

/// A part of a residual network: [B, C, H, W] → [B, C', H', W'].
class MapLayer: Module {
    /// The map of the next layer; every kind of layer has its own.
    func callAsFunction(_ x: Tensor) -> Tensor { trap("\(type(of: self)) maps nothing") }
}
