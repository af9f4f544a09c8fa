import Datasets
import Distillation
import Evaluation
import Foundation
import Images
import Torch
import Training

/// Finds the most similar of the real images for images of a surrogate, by their pixels at the
/// size of the run.
///
/// Only a portion of the real images is in memory at any time.
package struct RealNeighbours {
    /// The most similar real image of an image.
    package struct Neighbour {
        /// Its position in the source.
        package let place: Int
        /// Mean of the squared differences of all values, which lie between 0 and 1.
        package let meanSquaredDistance: Double
        /// The real image, prepared as the run saw it.
        package let picture: Image
    }

    private let source: any LabelledImages
    private let settings: DataSettings
    /// What is compared: `pixels-28`.
    package let extractor: FeatureExtractor

    /// Prepares a search.
    ///
    /// - Parameters:
    ///   - source: The real images.
    ///   - settings: How the run prepares them.
    ///   - size: Pixels a side of the prepared images.
    ///   - channels: Their channels.
    package init(
        of source: any LabelledImages,
        preparedBy settings: DataSettings,
        size: Int,
        channels: Int
    ) {
        self.source = source
        self.settings = settings
        extractor = .pixels(size: size, channels: channels)
    }

    /// For every image the most similar one of some real images.
    ///
    /// - Parameters:
    ///   - images: Images of any sizes.
    ///   - places: Positions in the source, usually those of one class; at least one.
    ///   - isInterrupted: Asked between the portions.
    /// - Returns: One neighbour an image, in their order; none without places.
    /// - Throws: `DatasetError` for real images that cannot be read, `TrainingError` for images
    ///   that do not fit each other, `InterruptedError`.
    package func nearest(
        to images: [Image],
        among places: [Int],
        isInterrupted: () -> Bool = { false }
    ) throws -> [Neighbour] {
        guard !images.isEmpty, !places.isEmpty else { return [] }
        let own = Tensor.concatenated(try images.map(features(of:)))  // [N, F]
        var search = NearestSearch(for: own)
        // 32 MB of features, and twice as much for their distances.
        let portion = max(1, 8_388_608 / own.size(along: 1))
        for start in stride(from: 0, to: places.count, by: portion) {
            if isInterrupted() { throw InterruptedError() }
            let part = Array(places[start..<min(start + portion, places.count)])
            let set = try RunData.load(source.subset(part), settings)
            search.look(at: extractor.features(of: set), places: part)
        }

        let found = search.nearest.map { $0?.place ?? places[0] }
        let unique = Set(found).sorted()
        let packed = try RunData.pack(source.subset(unique), settings)
        let real = extractor.features(of: try RunData.set(packed))
        let row = Dictionary(uniqueKeysWithValues: zip(unique, unique.indices))
        return found.enumerated().map { position, place in
            let index = row[place, default: 0]
            // The search works with |a|² + |b|² − 2a·b, which is not quite 0 for equal images.
            let difference = own[position..<position + 1] - real[index..<index + 1]
            return Neighbour(
                place: place,
                meanSquaredDistance: difference.squared().mean().item,
                picture: packed.image(at: index)
            )
        }
    }

    private func features(of image: Image) throws -> Tensor {
        let shape = [1, image.height, image.width, image.channels]
        let pixels = Tensor(bytes: image.bytes, shape: shape, dtype: .uint8)
            .permuted(0, 3, 1, 2).contiguous()
        return extractor.features(
            of: try ImageSet(images: pixels, labels: [0], classNames: [""])
        )
    }
}
