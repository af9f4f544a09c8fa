import Datasets
import Models
import NeuralNetworks
import Torch

/// Turns images into vectors, between which distances say how alike the images are.
///
/// Sets of images are compared, and images chosen from a set, by such vectors: what the last
/// layer of a trained network sees, or the pixels themselves.
public struct FeatureExtractor {
    /// What it is called in results: `efficientnet-lite0`, `pixels-32`.
    public let name: String
    /// Pixels a side of the images it sees; others are brought to this size.
    public let imageSize: Int
    /// 1 for grey images and 3 for colour; others are converted.
    public let channels: Int
    /// Where it computes.
    public let device: Device
    /// [B, C, S, S] with values from 0 to 1 → [B, F].
    private let compute: (Tensor) -> Tensor

    /// Makes an extractor of any function.
    ///
    /// - Parameters:
    ///   - name: What it is called in results.
    ///   - imageSize: S, pixels a side of the images.
    ///   - channels: C, 1 or 3.
    ///   - device: Where the images are wanted.
    ///   - compute: [B, C, S, S] with values from 0 to 1 → [B, F]; called without gradients.
    public init(
        name: String,
        imageSize: Int,
        channels: Int,
        on device: Device = .cpu,
        compute: @escaping (Tensor) -> Tensor
    ) {
        self.name = name
        self.imageSize = imageSize
        self.channels = channels
        self.device = device
        self.compute = compute
    }

    /// What the last layer of a trained network sees.
    ///
    /// - Parameters:
    ///   - classifier: The network, on the device where it is to compute.
    ///   - name: What the extractor is called in results.
    ///   - imageSize: Pixels a side of the images the network was trained on.
    ///   - channels: Channels of these images.
    ///   - statistics: What they were normalised by.
    ///   - precision: Type in which the network is computed; distances between near copies need
    ///     float32.
    public init(
        _ classifier: any ImageClassifier,
        name: String,
        imageSize: Int,
        channels: Int,
        normalizedBy statistics: ChannelStatistics,
        precision: Precision = .float32
    ) {
        let device = classifier.parameters().first?.tensor.device ?? .cpu
        self.init(name: name, imageSize: imageSize, channels: channels, on: device) { images in
            classifier.evaluating {
                withAutocast(precision.autocastType, on: device) {
                    classifier.features(
                        classifier.inPreferredOrder(statistics.normalized(images))
                    )
                }
            }
        }
    }

    /// The pixels themselves, from 0 to 1: what needs no network.
    ///
    /// - Parameters:
    ///   - size: Pixels a side to which every image is brought first.
    ///   - channels: 1 or 3; the features are `channels`·`size`² numbers.
    ///   - device: Where images are resized.
    /// - Returns: The extractor `pixels-SIZE`.
    public static func pixels(
        size: Int,
        channels: Int,
        on device: Device = .cpu
    ) -> FeatureExtractor {
        FeatureExtractor(
            name: "pixels-\(size)",
            imageSize: size,
            channels: channels,
            on: device
        ) { $0.flattened(from: 1) }
    }

    /// The features of a whole set.
    ///
    /// - Parameters:
    ///   - set: The images; of another size or number of channels they are converted.
    ///   - progress: Hears how many images are done; an error ends the work.
    /// - Returns: [N, F], float32, on the CPU.
    /// - Throws: What `progress` throws.
    public func features(
        of set: ImageSet,
        progress: (Int) throws -> Void
    ) rethrows -> Tensor {
        var rows = Rows(count: set.count)
        try fill(&rows, with: set, progress: progress)
        return rows.filled
    }

    /// The features of a whole set.
    ///
    /// - Parameter set: The images; of another size or number of channels they are converted.
    /// - Returns: [N, F], float32, on the CPU.
    public func features(of set: ImageSet) -> Tensor { features(of: set) { _ in } }

    /// The features of images that are read from their files as they are needed.
    ///
    /// The shorter side of every image is brought to the extractor's size, and the middle is cut
    /// out, as torchvision's Resize and CenterCrop do.
    ///
    /// - Parameters:
    ///   - images: The source; images may differ in size.
    ///   - progress: Hears how many images are done; an error ends the work.
    /// - Returns: [N, F], float32, on the CPU.
    /// - Throws: `DatasetError` for images that cannot be read, and what `progress` throws.
    public func features(
        of images: any LabelledImages,
        progress: (Int) throws -> Void = { _ in }
    ) throws -> Tensor {
        // Enough to keep all cores busy with decoding, at most 64 MB.
        let chunk = max(batchSize, (64 << 20) / (channels * imageSize * imageSize))
        var rows = Rows(count: images.count)
        for start in stride(from: 0, to: images.count, by: chunk) {
            let packed = try PackedImages(
                loading: SubsetDataset(
                    of: images,
                    indices: Array(start..<min(start + chunk, images.count))
                ),
                preparation: ImagePreparation(
                    shortSide: imageSize,
                    middleSquare: imageSize,
                    channels: channels
                )
            )
            let set = try ImageSet(
                images: packed.tensor(),
                labels: packed.labels,
                classNames: packed.classNames
            )
            try fill(&rows, with: set, progress: progress)
        }
        return rows.filled
    }

    private func fill(
        _ rows: inout Rows,
        with set: ImageSet,
        progress: (Int) throws -> Void
    ) rethrows {
        for start in stride(from: 0, to: set.count, by: batchSize) {
            rows.append(
                features(ofImages: set.batch(start..<min(start + batchSize, set.count)))
            )
            try progress(rows.end)
        }
    }

    /// The rows of a matrix that come in parts.
    ///
    /// They are copied into one tensor: many small ones between the large maps of the network
    /// leave holes in the memory that the next maps do not fit in.
    private struct Rows {
        let count: Int
        private(set) var end = 0
        private var matrix: Tensor?

        init(count: Int) { self.count = count }

        mutating func append(_ part: Tensor) {
            let target = matrix ?? .empty([count, part.size(along: 1)])
            let next = end + part.size(along: 0)
            target[end..<next].copy(from: part)
            (matrix, end) = (target, next)
        }

        /// The matrix; [0, 0] if there are no rows.
        var filled: Tensor { matrix ?? .zeros([count, 0]) }
    }

    /// The features of a batch.
    ///
    /// - Parameter x: [B, C', H, W] with values from 0 to 1, of any size, grey or colour.
    /// - Returns: [B, F], float32, on the CPU.
    public func features(ofImages x: Tensor) -> Tensor {
        withoutGradient {
            var x = x.moved(to: device)  // [B, C', H, W]
            x = withChannels(x)  // [B, C, H, W]
            x = middleSquare(x)  // [B, C, S, S]
            x = compute(x)  // [B, F]
            return x.converted(to: .float32, device: .cpu)
        }
    }

    private var batchSize: Int { device.imagesAtOnce(height: imageSize, width: imageSize) }

    private func withChannels(_ x: Tensor) -> Tensor {
        let found = x.size(along: 1)
        if found == channels { return x }
        if found == 1 { return x.expanded([-1, channels, -1, -1]) }
        let weights = ColorMap.greyWeights(channels: found).map { Float($0) }
        let grey = x * Tensor(weights, shape: [1, found, 1, 1]).moved(to: x.device)
        return grey.sum(along: 1, keepingAxis: true).expanded([-1, channels, -1, -1])
    }

    private func middleSquare(_ x: Tensor) -> Tensor {
        var x = x
        var (height, width) = (x.size(along: 2), x.size(along: 3))
        let shorter = min(height, width)
        if shorter != imageSize {
            height = imageSize * height / shorter
            width = imageSize * width / shorter
            x = x.interpolated(height: height, width: width, antialias: true)
        }
        func offset(_ count: Int) -> Int {
            Int((Double(count - imageSize) / 2).rounded(.toNearestOrEven))
        }
        let (top, left) = (offset(height), offset(width))
        return x.sliced(top..<top + imageSize, along: 2)
            .sliced(left..<left + imageSize, along: 3)
    }
}
