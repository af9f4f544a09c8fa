import Datasets
import Foundation
import Images
import TestSupport
import Testing
import Torch

/// Images of two classes, an encoder that can be followed by hand, and a folder for the cache.
private final class Setting {
    static let side = 4
    let folder: TemporaryFolder
    let images: ImageFolder
    let cache: URL
    /// Images the encoder has seen.
    var encoded = 0

    init(count: Int = 11) throws {
        folder = try TemporaryFolder()
        for k in 0..<count {
            let bytes = (0..<Setting.side * Setting.side * 3).map { UInt8((k * 37 + $0 * 5) % 256) }
            let image = Image(width: Setting.side, height: Setting.side, channels: 3, bytes: bytes)
            try folder.write(image.pngData(), to: "images/\(k % 2 == 0 ? "a" : "b")/\(k).png")
        }
        images = try ImageFolder(folder.url.appendingPathComponent("images"))
        cache = folder.url.appendingPathComponent("cache")
    }

    func key(hasFlips: Bool = true, storage: DType = .float32) throws -> LatentCacheKey {
        LatentCacheKey(
            dataset: try images.fingerprint(),
            autoencoder: "an encoder",
            imageSize: 0,
            channels: 3,
            hasFlips: hasFlips,
            storage: storage
        )
    }

    static func latents(_ x: Tensor) -> (mean: Tensor, deviation: Tensor?) {
        let mean = x.converted(to: .float32).averagePooled(kernelSize: 2) * (1 / 255)
        return (mean, mean * 0.1 + 0.01)
    }

    /// Writes the cache in files of four images and batches of three.
    @discardableResult
    func write(
        _ key: LatentCacheKey? = nil,
        shardSize: Int = 4,
        encoder: ((Tensor) throws -> (mean: Tensor, deviation: Tensor?))? = nil,
        progress: (LatentCache.Progress) throws -> Bool = { _ in true }
    ) throws -> Bool {
        try LatentCache.write(
            images,
            key: try key ?? self.key(),
            to: cache,
            options: .init(shardSize: shardSize, batchSize: 3),
            encoder: encoder ?? {
                self.encoded += $0.size(along: 0)
                return Setting.latents($0)
            },
            progress: progress
        )
    }

    func file(_ number: Int) -> URL {
        cache.appendingPathComponent("latents-0000\(number).safetensors")
    }

    /// The bytes of all files of the cache.
    func contents() throws -> [String: Data] {
        var contents = [String: Data]()
        for name in try folder.names(in: "cache") {
            contents[name] = try Data(contentsOf: cache.appendingPathComponent(name))
        }
        return contents
    }
}

@Suite("The latent cache")
struct LatentCacheTests {
    @Test("latents of every image and its mirror image come back", arguments: [true, false])
    func roundTrip(hasFlips: Bool) throws {
        let setting = try Setting()
        let key = try setting.key(hasFlips: hasFlips)
        var reports = [Int]()
        #expect(
            try setting.write(
                key,
                progress: {
                    reports.append($0.done)
                    return true
                }
            )
        )
        #expect(reports == [0, 3, 4, 7, 8, 11])
        #expect(setting.encoded == 11 * (hasFlips ? 2 : 1))
        #expect(try setting.folder.names(in: "cache").count == 3)

        let cache = try LatentCache(opening: setting.cache, expecting: key)
        let images = setting.images
        #expect((cache.count, cache.hasFlips, cache.hasDeviation) == (11, hasFlips, true))
        #expect(cache.labels == (0..<11).map(images.label(at:)))
        #expect(cache.classNames == ["a", "b"])
        #expect(cache.latentShape == [3, 2, 2])

        let order = [10, 0, 5, 4, 5]
        let isMirrored = [false, true, true, false, false].map { $0 && hasFlips }
        let found = cache.posterior(of: order, isMirrored: isMirrored)
        for (row, index) in order.enumerated() {
            var x = try PackedImages(loading: SubsetDataset(of: images, indices: [index])).tensor()
            if isMirrored[row] { x = x.flipped(along: 3) }
            let expected = Setting.latents(x)
            expectIdentical(found.mean[row], expected.mean[0])
            expectIdentical(try #require(found.deviation)[row], try #require(expected.deviation)[0])
        }
        #expect(cache.posterior(of: [], isMirrored: []).mean.shape == [0, 3, 2, 2])
    }

    @Test("an interrupted writing goes on, and no finished file is encoded again")
    func resume() throws {
        let whole = try Setting()
        try whole.write()
        let setting = try Setting()
        var sessions = 0
        while true {
            sessions += 1
            var questions = 0
            let isComplete = try setting.write(progress: { _ in
                // Stops after three batches: one file and a part of the next.
                questions += 1
                return questions <= 3
            })
            if isComplete { break }
            #expect(sessions < 10)
            guard sessions < 10 else { return }
        }
        #expect(sessions == 2)
        // A batch of three was lost.
        #expect(setting.encoded == 2 * (11 + 3))
        #expect(try setting.contents() == whole.contents())

        setting.encoded = 0
        #expect(try setting.write(shardSize: 100))
        #expect(setting.encoded == 0)
    }

    @Test("an incomplete cache is refused with what is missing")
    func incomplete() throws {
        let setting = try Setting()
        let none = #expect(throws: DatasetError.self) { try LatentCache(opening: setting.cache) }
        #expect(none?.code == .missingFile)
        #expect(!LatentCache.isPresent(in: setting.cache))
        try setting.write()
        try FileManager.default.removeItem(at: setting.file(1))
        let error = #expect(throws: DatasetError.self) { try LatentCache(opening: setting.cache) }
        #expect(error?.code == .incomplete)
        #expect(error?.message.contains("2 of 3") == true)
        setting.encoded = 0
        try setting.write()
        #expect(setting.encoded == 2 * 4)
        _ = try LatentCache(opening: setting.cache)
    }

    @Test("a damaged file is named when the cache is opened, and only it is encoded again")
    func damaged() throws {
        let setting = try Setting()
        try setting.write()
        let good = try setting.contents()
        var bytes = try Data(contentsOf: setting.file(1))
        bytes[bytes.count - 40] ^= 1
        try bytes.write(to: setting.file(1))
        let error = #expect(throws: DatasetError.self) { try LatentCache(opening: setting.cache) }
        #expect(error?.code == .malformed)
        #expect(error?.message.contains("latents-00001") == true)
        #expect(error?.message.contains("checksum") == true)
        setting.encoded = 0
        try setting.write()
        #expect(setting.encoded == 2 * 4)
        #expect(try setting.contents() == good)
    }

    @Test("whatever byte is wrong, the cache is refused and nothing crashes")
    func anyByte() throws {
        let setting = try Setting(count: 2)
        try setting.write()
        let good = try Data(contentsOf: setting.file(0))
        for place in stride(from: 0, to: good.count, by: 3) {
            var bytes = good
            bytes[place] ^= UInt8(1 << (place % 8))
            try bytes.write(to: setting.file(0))
            #expect(throws: DatasetError.self, "byte \(place)") {
                try LatentCache(opening: setting.cache)
            }
        }
        for length in stride(from: 0, to: good.count, by: 61) {
            try good.prefix(length).write(to: setting.file(0))
            #expect(throws: DatasetError.self) { try LatentCache(opening: setting.cache) }
        }
    }

    @Test("a cache made of something else is refused with the reason, and stays as it is")
    func stale() throws {
        let setting = try Setting()
        let key = try setting.key()
        try setting.write(key)
        let before = try setting.contents()
        var others = [(LatentCacheKey, String)]()
        func add(_ text: String, _ change: (inout LatentCacheKey) -> Void) {
            var other = key
            change(&other)
            others.append((other, text))
        }
        add("other images") { $0.dataset = "0000" }
        add("another encoder") { $0.autoencoder = "0000" }
        add("not cropped to 256 pixels") { $0.imageSize = 256 }
        add("not with 1 channels") { $0.channels = 1 }
        add("with mirrored images") { $0.hasFlips = false }
        add("not bfloat16") { $0.precision = "bfloat16" }
        add("not float16") { $0.storage = "float16" }
        for (other, text) in others {
            let opening = #expect(throws: DatasetError.self) {
                try LatentCache(opening: setting.cache, expecting: other)
            }
            let writing = #expect(throws: DatasetError.self) { try setting.write(other) }
            for error in [opening, writing] {
                #expect(error?.code == .otherLatents)
                #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
            }
        }
        // One image more, and the cache is stale.
        try setting.folder.writeImage(7, to: "images/a/99.png", width: 4, height: 4)
        var stale = key
        stale.dataset = try ImageFolder(setting.images.root).fingerprint()
        #expect(throws: DatasetError.self) {
            try LatentCache(opening: setting.cache, expecting: stale)
        }
        #expect(try setting.contents() == before)
    }

    @Test("a file that is no part of a cache is never overwritten")
    func foreign() throws {
        let setting = try Setting()
        try FileManager.default.createDirectory(
            at: setting.cache,
            withIntermediateDirectories: true
        )
        let golden = try Data(contentsOf: Golden.url("to_uint8.safetensors"))
        try golden.write(to: setting.file(0))
        let error = #expect(throws: DatasetError.self) { try setting.write() }
        #expect(error?.code == .otherLatents)
        #expect(try Data(contentsOf: setting.file(0)) == golden)
    }

    @Test("latents stored in half of the room are near, and points need no deviation")
    func storage() throws {
        let setting = try Setting()
        let key = try setting.key(storage: .float16)
        try setting.write(key, encoder: { (Setting.latents($0).mean, nil) })
        let cache = try LatentCache(opening: setting.cache, expecting: key)
        #expect(!cache.hasDeviation)
        let found = cache.posterior(of: [3], isMirrored: [false])
        #expect(found.deviation == nil)
        let x = try PackedImages(loading: SubsetDataset(of: setting.images, indices: [3])).tensor()
        expectClose(found.mean, Setting.latents(x).mean, relative: 1e-3)
    }

    @Test("undefined numbers, sizes that differ and unreadable images are errors with a name")
    func badInput() throws {
        let setting = try Setting()
        let notFinite = #expect(throws: DatasetError.self) {
            try setting.write(encoder: { _ in (.full([3, 1, 1, 1], .nan), nil) })
        }
        #expect(notFinite?.code == .notFinite)
        #expect(notFinite?.message.contains("a/0.png") == true)

        try setting.folder.writeImage(1, to: "images/a/12.png", width: 5, height: 5)
        let grown = try ImageFolder(setting.images.root)
        let sizes = #expect(throws: DatasetError.self) {
            try LatentCache.write(
                grown,
                key: try setting.key(),
                to: setting.cache,
                options: .init(shardSize: 4, batchSize: 1),
                encoder: Setting.latents
            )
        }
        #expect(sizes?.code == .differentSizes)
        #expect(sizes?.message.contains("5×5") == true)

        let broken = try Setting()
        try broken.folder.write([1, 2, 3], to: "images/b/7.png")
        let unreadable = #expect(throws: DatasetError.self) { try broken.write() }
        #expect(unreadable?.code == .unreadableImages)
        #expect(unreadable?.message.contains("7.png") == true)
    }
}
