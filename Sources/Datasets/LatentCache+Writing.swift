import Checkpoints
import Dispatch
import Foundation
import Torch

extension LatentCache {
    /// How a cache is written.
    public struct WritingOptions: Sendable, Equatable {
        /// Images of one file: what an interruption loses at most.
        public var shardSize: Int
        /// Images given to the encoder at once.
        public var batchSize: Int

        /// Files of 256 images, batches of 16, unless other numbers are given.
        public init(shardSize: Int = 256, batchSize: Int = 16) {
            self.shardSize = shardSize
            self.batchSize = batchSize
        }
    }

    /// How far the writing is.
    public struct Progress: Sendable, Equatable {
        /// Images that are encoded, those of earlier sessions included.
        public let done: Int
        /// All images.
        public let total: Int
    }

    /// Encodes all images of a dataset, or those that an earlier session has left.
    ///
    /// Files that are there are verified and kept; damaged ones are encoded again. The next images
    /// are decoded on all cores while the encoder runs.
    ///
    /// - Parameters:
    ///   - images: The dataset.
    ///   - key: What the latents depend on; size, channels and flips are taken from it.
    ///   - folder: The folder of the cache; it is created if needed.
    ///   - options: Sizes of files and batches.
    ///   - encoder: Mean and deviation of the latents [B, c, h, w] of a batch, uint8 [B, C, H, W]
    ///     on the CPU; no deviation where it is zero.
    ///   - progress: Called after every batch; false stops, and a later call goes on with the file
    ///     that was in work.
    /// - Returns: Whether the cache is complete.
    /// - Throws: ``DatasetError`` if the folder holds another cache, if images cannot be read or
    ///   have different sizes, if latents are not finite, or if the folder cannot be written.
    public static func write(
        _ images: some LabelledImages,
        key: LatentCacheKey,
        to folder: URL,
        options: WritingOptions = WritingOptions(),
        encoder: (Tensor) throws -> (mean: Tensor, deviation: Tensor?),
        progress: (Progress) throws -> Bool = { _ in true }
    ) throws -> Bool {
        guard images.count > 0, let storage = key.storageType else {
            throw DatasetError(
                .tooFewImages,
                "\(images.name): there are no images to encode, or their latents cannot be stored "
                    + "in \(key.storage): float32 and float16 are possible."
            )
        }
        try OutputFile.createFolder(folder)
        AtomicFile.removeLeftovers(in: folder)
        var record = LatentShard.Record(
            key: key,
            classNames: images.classNames,
            count: images.count,
            shardSize: min(max(1, options.shardSize), 1 << 24),
            number: 0
        )
        let finished = try finishedShards(record, in: folder)
        record.shardSize = finished.shardSize
        let missing = (0..<record.shardCount).filter { !finished.numbers.contains($0) }
        let batchSize = min(max(1, options.batchSize), 1 << 20)
        let batches = missing.flatMap { number -> [(shard: Int, images: Range<Int>)] in
            record.number = number
            let range = record.images
            return stride(from: range.lowerBound, to: range.upperBound, by: batchSize).map {
                (number, $0..<min($0 + batchSize, range.upperBound))
            }
        }
        var done = images.count - batches.reduce(0) { $0 + $1.images.count }
        guard try progress(Progress(done: done, total: images.count)) else {
            return batches.isEmpty
        }

        func load(_ place: Int) -> Future<PackedImages>? {
            guard batches.indices.contains(place) else { return nil }
            let range = batches[place].images
            return Future {
                try PackedImages(
                    loading: SubsetDataset(of: images, indices: Array(range)),
                    centerCrop: key.imageSize > 0 ? key.imageSize : nil,
                    channels: key.channels > 0 ? key.channels : nil
                )
            }
        }
        var next = load(0)
        var part = ShardInProgress(storage: storage, hasFlips: key.hasFlips)
        for (place, batch) in batches.enumerated() {
            guard let packed = try next?.value() else { break }
            next = load(place + 1)
            let first = images.identifier(at: batch.images.lowerBound)
            try part.add(packed, named: "\(images.name), from \(first) on", encoder)
            record.number = batch.shard
            if batch.images.upperBound == record.images.upperBound {
                try part.write(record, to: folder)
                part = ShardInProgress(part)
            }
            done += batch.images.count
            let isLast = place == batches.count - 1
            guard try progress(Progress(done: done, total: images.count)) || isLast else {
                return false
            }
        }
        return true
    }

    /// The shards that need not be encoded again, and their size.
    private static func finishedShards(
        _ wanted: LatentShard.Record,
        in folder: URL
    ) throws -> (numbers: Set<Int>, shardSize: Int) {
        let numbers = LatentShard.numbers(in: folder)
        let results = Parallel.map(count: numbers.count) {
            place -> Result<LatentShard.Record, any Error> in
            Result { try LatentShard(numbers[place], in: folder, isVerified: true).record }
        }
        var records = [LatentShard.Record]()
        for result in results {
            switch result {
            case .success(let record): records.append(record)
            case .failure(let error as DatasetError) where error.code == .malformed: continue
            case .failure(let error): throw error
            }
        }
        for record in records {
            try require(record.key, wanted.key, in: folder)
            guard record.classNames == wanted.classNames, record.count == wanted.count,
                record.shardSize == records[0].shardSize
            else {
                throw DatasetError(
                    .otherLatents,
                    "\(folder.path): the files of the latent cache do not belong together. Choose "
                        + "another folder, or remove this one and encode the images again."
                )
            }
        }
        return (Set(records.map(\.number)), records.first?.shardSize ?? wanted.shardSize)
    }
}

/// The latents of a shard, as far as they are computed.
private struct ShardInProgress {
    private let storage: DType
    private let hasFlips: Bool
    private var shape: (pixels: ImageShape, latent: [Int])?
    private var means = [Tensor]()
    private var deviations = [Tensor]()
    private var labels = [Int]()

    init(storage: DType, hasFlips: Bool) {
        self.storage = storage
        self.hasFlips = hasFlips
    }

    /// The next shard, whose images and latents must have the same sizes.
    init(_ last: ShardInProgress) {
        self.init(storage: last.storage, hasFlips: last.hasFlips)
        shape = last.shape
    }

    /// Encodes a batch.
    mutating func add(
        _ packed: PackedImages,
        named name: String,
        _ encoder: (Tensor) throws -> (mean: Tensor, deviation: Tensor?)
    ) throws {
        let pixels = ImageShape(packed.image(at: 0))
        if let shape, shape.pixels != pixels {
            throw DatasetError(
                .differentSizes,
                "\(name): all images must have one size, but \(shape.pixels) and \(pixels) were "
                    + "found. Crop all to one size, and convert all to grey or RGB."
            )
        }
        let x = packed.tensor()  // [B, C, H, W]
        let results = try (hasFlips ? [x, x.flipped(along: 3)] : [x]).map(encoder)
        let latent = Array(results[0].mean.shape.dropFirst())
        shape = shape ?? (pixels, latent)
        for result in results {
            for tensor in [result.mean, result.deviation].compactMap({ $0 }) {
                guard tensor.shape == [packed.count] + (shape?.latent ?? latent) else {
                    trap("LatentCache: the encoder gave \(tensor.shape) for \(x.shape)")
                }
            }
        }
        func stored(_ tensors: [Tensor]) throws -> Tensor {
            let whole = Tensor.stacked(tensors.map { $0.detached().moved(to: .cpu) }, along: 1)
                .converted(to: storage)  // [B, flips, c, h, w]
            let isFinite = whole.isFinite().converted(to: .float32).min().item == 1
            guard isFinite else {
                throw DatasetError(
                    .notFinite,
                    "\(name): the encoder gave infinite or undefined numbers. Use --precision "
                        + "float32 and store float32, or use other weights."
                )
            }
            return whole
        }
        means.append(try stored(results.map(\.mean)))
        let spread = results.compactMap(\.deviation)
        if spread.count == results.count { deviations.append(try stored(spread)) }
        labels += packed.labels
    }

    /// Writes what was added.
    func write(_ record: LatentShard.Record, to folder: URL) throws {
        try LatentShard.write(
            record,
            mean: .concatenated(means),
            deviation: deviations.count == means.count ? .concatenated(deviations) : nil,
            labels: labels,
            to: folder
        )
    }
}

/// A value that another thread computes.
private struct Future<Value: Sendable> {
    private final class Box: @unchecked Sendable {
        let isDone = DispatchSemaphore(value: 0)
        // Written once before the signal, read after it.
        var result: Result<Value, any Error>?
    }

    private let box = Box()

    init(_ body: @escaping @Sendable () throws -> Value) {
        DispatchQueue.global(qos: .userInitiated).async { [box] in
            box.result = Result { try body() }
            box.isDone.signal()
        }
    }

    /// Waits for the value; asked for once.
    func value() throws -> Value? {
        box.isDone.wait()
        return try box.result?.get()
    }
}
