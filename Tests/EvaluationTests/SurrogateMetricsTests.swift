import Evaluation
import Foundation
import TestSupport
import Testing
import Torch
import Training

@Suite("What a surrogate is like beside the real set")
struct SurrogateMetricsTests {
    /// Grey images of noise around a grey value of the class.
    private func images(
        _ perClass: Int,
        classes: [String] = ["cat", "dog"],
        size: Int = 6,
        seed: UInt64 = 1
    ) throws -> ImageSet {
        var generator = RandomGenerator(seed: seed)
        let labels = (0..<perClass * classes.count).map { $0 % classes.count }
        let values = labels.flatMap { label -> [UInt8] in
            generator.integers(size * size, below: 100).map { UInt8($0 + 60 * label) }
        }
        return try ImageSet(
            images: Tensor(values, shape: [labels.count, 1, size, size]),
            labels: labels,
            classNames: classes
        )
    }

    private func part(_ set: ImageSet, _ places: [Int]) throws -> ImageSet {
        try ImageSet(
            images: set.images.gathered(places),
            labels: places.map { set.labels[$0] },
            classNames: set.classNames
        )
    }

    private func measure(
        _ surrogate: ImageSet,
        _ real: ImageSet,
        neighbours: Int = 3,
        extractor: FeatureExtractor = .pixels(size: 6, channels: 1)
    ) throws -> SurrogateMetrics {
        try SurrogateMetrics.measure(
            surrogate: .init(.init(images: surrogate, path: "S", fingerprint: "s")),
            real: .init(.init(images: real, path: "R", fingerprint: "r")),
            extractor: extractor,
            neighbours: neighbours
        )
    }

    @Test("a part of the training set is all copies, and each finds itself")
    func copies() throws {
        let real = try images(200)
        let places = [7, 12, 100, 101, 33, 64]
        let metrics = try measure(try part(real, places), real)
        #expect(metrics.nearCopies == 6 && metrics.nearCopyShare == 1)
        #expect(metrics.images.map(\.nearestReal) == places.map(String.init))
        #expect(metrics.images.allSatisfy { $0.realDistance < 1e-5 })
        #expect(metrics.precision == 1)
        #expect(metrics.classes.map(\.nearCopies) == [3, 3])
        #expect(metrics.classes.map(\.surrogateImages) == [3, 3])
        #expect(metrics.classes.map(\.realImages) == [200, 200])
    }

    @Test("new images from the same source are copies in about one case of a hundred")
    func newImages() throws {
        let metrics = try measure(try images(300, seed: 2), try images(500, seed: 1))
        #expect(metrics.nearCopyShare < 0.03)
        #expect(metrics.precision > 0.8)
        for metrics in metrics.classes {
            let distance = try #require(metrics.meanRealDistance)
            let spacing = try #require(metrics.realSpacing)
            #expect(abs(distance / spacing - 1) < 0.1)
            #expect(metrics.nearCopyDistance < spacing)
        }
    }

    @Test("a slightly changed copy is found, a distant image is not")
    func nearCopies() throws {
        let real = try images(200)
        let noise = Tensor([UInt8]([1, 0, 2, 0, 1, 0]), shape: [1, 1, 1, 6])
        let changed = try ImageSet(
            images: .concatenated([
                real.images[0..<2] + noise,
                (real.images[2..<4].converted(to: .int32) + 90)
                    .converted(to: .uint8),
            ]),
            labels: [0, 1, 0, 1],
            classNames: real.classNames
        )
        let metrics = try measure(changed, real)
        #expect(metrics.images.map(\.isNearCopy) == [true, true, false, false])
        #expect(metrics.nearCopyShare == 0.5)
        #expect(metrics.images[0].nearestSibling == "2" && metrics.images[2].nearestSibling == "0")
    }

    @Test("duplicates among the real images do not hide near copies")
    func duplicates() throws {
        let real = try images(100)
        let doubled = try ImageSet(
            images: .concatenated([real.images, real.images[0..<20]]),
            labels: real.labels + real.labels.prefix(20),
            classNames: real.classNames
        )
        let metrics = try measure(try part(real, [0, 1, 50, 51]), doubled)
        #expect(metrics.nearCopies == 4)
        #expect(metrics.classes.allSatisfy { $0.nearCopyDistance > 0.1 })
    }

    @Test("classes are matched by name")
    func names() throws {
        let real = try images(50)
        let swapped = try ImageSet(
            images: real.images,
            labels: real.labels.map { 1 - $0 },
            classNames: real.classNames.reversed()
        )
        let surrogate = try part(real, [0, 1, 2, 3])
        #expect(try measure(surrogate, swapped).classes == measure(surrogate, real).classes)
        let error = #expect(throws: TrainingError.self) {
            try measure(surrogate, try images(50, classes: ["cat", "fish"]))
        }
        #expect(error?.code == .differingClasses)
        #expect(error?.message.contains("\"fish\"") == true)
        #expect(error?.message.contains("\"dog\"") == true)
    }

    @Test("a class with a single image is measured by what the others tell")
    func singleImage() throws {
        let many = try images(40)
        let dogs = many.labels.indices.filter { many.labels[$0] == 1 }
        let real = try part(many, [0] + dogs)
        let metrics = try measure(try part(many, [0, 1, 3]), real, neighbours: 2)
        let cat = metrics.classes[0]
        #expect(cat.realImages == 1 && cat.realSpacing == nil)
        #expect(cat.meanSiblingDistance == nil)
        #expect(cat.nearCopyDistance == metrics.classes[1].nearCopyDistance)
        #expect(metrics.nearCopies == 3)
        // No two images of any class: only copies are found.
        let two = try part(many, [0, 1])
        let alone = try measure(two, two, neighbours: 1)
        #expect(alone.nearCopies == 2)
        #expect(try measure(try part(many, [2, 3]), two, neighbours: 1).nearCopies == 0)
    }

    @Test("an empty class of the real set is named, one of the surrogate has no numbers")
    func emptyClass() throws {
        let real = try images(40)
        let cats = try part(real, [0, 2, 4, 6, 8])
        let metrics = try measure(cats, real)
        #expect(metrics.classes[1].precision == nil && metrics.classes[1].surrogateImages == 0)
        let error = #expect(throws: TrainingError.self) { try measure(real, cats) }
        #expect(error?.code == .emptyClass)
        #expect(error?.message.contains("\"dog\"") == true)
    }

    @Test("fewer images than neighbours are refused before any work")
    func tooFew() throws {
        let real = try images(40)
        let never = FeatureExtractor(name: "never", imageSize: 6, channels: 1) { _ in
            Issue.record("features were computed")
            return .zeros([1, 1])
        }
        #expect(throws: TrainingError.self) {
            try measure(try part(real, [0, 1]), real, extractor: never)
        }
    }

    @Test("images of other sizes are brought to one size, which the result tells")
    func sizes() throws {
        let real = try images(40, size: 12)
        let metrics = try measure(
            try images(4, size: 9, seed: 3),
            real,
            extractor: .pixels(size: 4, channels: 3)
        )
        #expect(metrics.imageSize == 4 && metrics.featureCount == 48)
        #expect(metrics.features == "pixels-4")
    }

    @Test("the result survives writing and reading")
    func coding() throws {
        let real = try images(40)
        let metrics = try measure(try part(real, [0, 1, 2, 3]), real)
        let data = try JSONEncoder().encode(metrics)
        #expect(try JSONDecoder().decode(SurrogateMetrics.self, from: data) == metrics)
        let text = String(decoding: data, as: UTF8.self)
        for key in ["frechetDistance", "nearCopyShare", "\"class\":\"cat\"", "fingerprint"] {
            #expect(text.contains(key), "\(key)")
        }
    }

    @Test("features that are no numbers are refused")
    func notFinite() throws {
        let broken = FeatureExtractor(name: "broken", imageSize: 6, channels: 1) {
            $0.flattened(from: 1) / 0.0
        }
        let real = try images(40)
        let error = #expect(throws: TrainingError.self) {
            try measure(real, real, extractor: broken)
        }
        #expect(error?.code == .unfitImages)
    }
}
