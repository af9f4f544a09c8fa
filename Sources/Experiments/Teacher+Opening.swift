import Datasets
import Evaluation
import Foundation
import Images
import Models
import Torch
import Training

extension Teacher {
    /// Opens a trained network as teacher.
    ///
    /// - Parameters:
    ///   - url: A file of `distill evaluate --save`, or weights of others.
    ///   - network: The network of weights of others; nil for a file that says it.
    ///   - classNames: The classes of weights of others in the order of their scores, used if there
    ///     are as many scores; 1000 scores are those of ImageNet-1K in the order of its folders.
    ///   - imageSize: Pixels a side of the images of weights of others.
    ///   - device: Where the network is computed.
    /// - Throws: `RunError` if there is no file, else what reading it throws.
    public init(
        contentsOf url: URL,
        network: NetworkName? = nil,
        classNames: [String] = [],
        imageSize: Int = 224,
        on device: Device
    ) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw RunError(
                .missingFile,
                "There is no teacher \(url.path). Train one on the whole dataset: "
                    + "distill evaluate --train FOLDER --test FOLDER --seeds 0 --save \(url.path)"
            )
        }
        let digest = try SHA256.hexadecimalDigest(ofFile: url)
        guard let network else {
            try self.init(
                TrainedNetwork(contentsOf: url),
                path: url.path,
                digest: digest,
                on: device
            )
            return
        }
        func foreign(_ classNames: [String]) throws -> TrainedNetwork {
            try TrainedNetwork(
                foreign: url,
                .init(
                    network: network,
                    imageSize: imageSize,
                    channels: 3,
                    statistics: network == .efficientNetLite0 ? .efficientNetLite : .imageNet,
                    classNames: classNames,
                    origin: url.path
                )
            )
        }
        let probe = try foreign(classNames)
        // The last matrix is that of the classifier.
        let scores = probe.weights.reversed().first { $0.1.rank == 2 }?.1.size(along: 0)
        let isImageNet = scores == 1000 && classNames.count != 1000
        try self.init(
            isImageNet ? foreign(ClassList.named("imagenet-1k").folders.sorted()) : probe,
            path: url.path,
            digest: digest,
            on: device
        )
    }
}
