import Foundation
import Torch

/// The latents of a dataset, encoded once: mean and deviation of the posterior of every image, and
/// of its mirror image.
///
/// A training draws mean + deviation·ε at every use, so that it sees what it would see with the
/// encoder in the loop. The files are mapped into memory: nothing is read before it is needed. A
/// cache is written by ``write(_:key:to:options:encoder:progress:)``.
public struct LatentCache {
    /// The folder of the cache.
    public let folder: URL
    /// What the latents depend on.
    public let key: LatentCacheKey
    /// The names of the classes, in the order of the labels.
    public let classNames: [String]
    /// The class of every image, in the order of the dataset.
    public let labels: [Int]
    /// [c, h, w] of one latent.
    public let latentShape: [Int]
    private let shards: [LatentShard]
    private let shardSize: Int

    /// The number of images.
    public var count: Int { labels.count }

    /// Whether mirrored images are there too.
    public var hasFlips: Bool { key.hasFlips }

    /// Whether latents have a deviation; otherwise an image has one latent.
    public var hasDeviation: Bool { shards.first?.deviation != nil }

    /// Opens a cache that is complete.
    ///
    /// - Parameters:
    ///   - folder: The folder of the cache.
    ///   - key: What the latents must depend on; nil takes whatever cache it is.
    ///   - isVerified: Whether every byte is compared with its checksum, on all cores.
    /// - Throws: ``DatasetError`` if there is no cache, if it is not complete, damaged, or was made
    ///   of something else than `key` says.
    public init(
        opening folder: URL,
        expecting key: LatentCacheKey? = nil,
        isVerified: Bool = true
    ) throws {
        let numbers = LatentShard.numbers(in: folder)
        guard let first = numbers.first else {
            throw DatasetError(
                .missingFile,
                "\(folder.path): there is no latent cache here. Encode the images first."
            )
        }
        let record = try LatentShard(first, in: folder, isVerified: false).record
        if let key { try LatentCache.require(record.key, key, in: folder) }
        guard numbers == Array(0..<min(record.shardCount, numbers.count + 1)) else {
            throw DatasetError(
                .incomplete,
                "\(folder.path): the latent cache is not complete: \(numbers.count) of "
                    + "\(record.shardCount) files are there. Encode the images again: it goes on "
                    + "where it stopped."
            )
        }
        if isVerified {
            // Errors come in the order of the files, whichever thread is the first.
            let results = Parallel.map(count: numbers.count) { number -> Result<Int, any Error> in
                Result { try LatentShard(number, in: folder, isVerified: true).labels.count }
            }
            for result in results { _ = try result.get() }
        }
        let shards = try numbers.map { try LatentShard($0, in: folder, isVerified: false) }
        let shape = Array(shards[0].mean.shape.dropFirst(2))
        for shard in shards {
            try LatentCache.require(shard.record.key, record.key, in: folder)
            guard shard.record.count == record.count, shard.record.shardSize == record.shardSize,
                shard.record.classNames == record.classNames,
                Array(shard.mean.shape.dropFirst(2)) == shape,
                (shard.deviation == nil) == (shards[0].deviation == nil)
            else {
                throw DatasetError(
                    .malformed,
                    "\(LatentShard.url(shard.record.number, in: folder).path): it belongs to "
                        + "another cache than the first file of the folder. Remove the folder and "
                        + "encode the images again."
                )
            }
        }
        self.shards = shards
        self.folder = folder
        self.key = record.key
        classNames = record.classNames
        labels = shards.flatMap(\.labels)
        latentShape = shape
        shardSize = record.shardSize
    }

    /// Whether a folder holds a latent cache or a part of one.
    public static func isPresent(in folder: URL) -> Bool {
        !LatentShard.numbers(in: folder).isEmpty
    }

    /// Throws if a cache was made of something else.
    static func require(
        _ found: LatentCacheKey,
        _ wanted: LatentCacheKey,
        in folder: URL
    ) throws(DatasetError) {
        let differences = found.differences(from: wanted)
        guard !differences.isEmpty else { return }
        throw DatasetError(
            .otherLatents,
            "\(folder.path): the latent cache does not fit: it was made "
                + differences.joined(separator: ", and ")
                + ". Choose another folder, or remove this one and encode the images again."
        )
    }

    /// The distributions of the latents of some images.
    ///
    /// Traps for an index outside of the dataset, and for mirrored images in a cache without them.
    ///
    /// - Parameters:
    ///   - indices: Which images, in the order of the dataset.
    ///   - isMirrored: For each of them, whether its mirror image is meant.
    /// - Returns: Mean and deviation, float32 [B, c, h, w]; no deviation where it is zero.
    public func posterior(
        of indices: [Int],
        isMirrored: [Bool]
    ) -> (mean: Tensor, deviation: Tensor?) {
        guard indices.count == isMirrored.count, hasFlips || !isMirrored.contains(true) else {
            trap("LatentCache: there are no mirrored images, or not as many flags as indices")
        }
        func rows(_ tensor: (LatentShard) -> Tensor?) -> Tensor? {
            let rows = zip(indices, isMirrored).compactMap { index, isMirrored -> Tensor? in
                guard labels.indices.contains(index) else {
                    trap("LatentCache: there is no image \(index) among \(count)")
                }
                let (number, row) = index.quotientAndRemainder(dividingBy: shardSize)
                return tensor(shards[number])?[row][isMirrored ? 1 : 0]
            }
            guard !rows.isEmpty else { return nil }
            return Tensor.stacked(rows).converted(to: .float32)  // [B, c, h, w]
        }
        let mean = rows { $0.mean } ?? .empty([0] + latentShape)
        return (mean, hasDeviation ? rows { $0.deviation } : nil)
    }
}
