import Experiments
import Foundation
import Images
import TestSupport
import Testing

@Suite("The real images most similar to those of a run", .serialized)
struct NeighbourTests {
    /// Two classes of 12 images, and a run folder.
    private func withRun(_ body: (URL, URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            try writeImages(folder.appendingPathComponent("train"), perClass: 12, seed: 1)
            try writeImages(folder.appendingPathComponent("test"), perClass: 2, seed: 2)
            try body(folder, folder.appendingPathComponent("run"))
        }
    }

    @discardableResult
    private func find(
        _ images: [String],
        _ folder: URL,
        change: (inout Recipe) -> Void = { _ in },
        isInterrupted: @escaping () -> Bool = { false }
    ) throws -> [String] {
        var recipe = tinyRecipe(folder)
        change(&recipe)
        let listener = Listener()
        try Pipeline(
            recipe,
            in: folder.appendingPathComponent("run"),
            environment: .init(isInterrupted: isInterrupted),
            observer: listener
        ).findNeighbours(of: images)
        return listener.warnings
    }

    private func record(_ run: URL) throws -> NeighbourRecord {
        try JSONDecoder().decode(
            NeighbourRecord.self,
            from: Data(contentsOf: run.appendingPathComponent(Pipeline.neighboursFile))
        )
    }

    private func copy(_ source: URL, to place: URL) throws {
        try FileManager.default.createDirectory(
            at: place.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try FileManager.default.copyItem(at: source, to: place)
    }

    /// What comparing every pair finds.
    private func nearest(_ image: Image, _ real: [Image]) -> (place: Int, distance: Double) {
        let distances = real.map { other in
            zip(image.bytes, other.bytes).reduce(0.0) { sum, pair in
                let difference = Double(Int(pair.0) - Int(pair.1)) / 255
                return sum + difference * difference
            } / Double(image.bytes.count)
        }
        let least = distances.min() ?? 0
        return (distances.firstIndex(of: least) ?? 0, least)
    }

    @Test("a copy finds its original with distance 0, others the nearest one of their class")
    func neighbours() throws {
        try withRun { folder, run in
            let train = folder.appendingPathComponent("train")
            let images = [
                "surrogate/left/0.png", "baselines/dit/left/0.png", "surrogate/right/0.png",
                "surrogate/neither/0.png",
            ]
            let sources = ["train/left/5.png", "test/left/1.png", "train/left/3.png"]
            for (image, source) in zip(images, sources + [sources[0]]) {
                try copy(
                    folder.appendingPathComponent(source),
                    to: run.appendingPathComponent(image)
                )
            }
            #expect(try find(images, folder).isEmpty)
            let found = try record(run)
            #expect(found.features == "pixels-28")
            #expect(found.images.keys.sorted() == images.dropLast().sorted())
            let original = try #require(found.images[images[0]])
            #expect(original.real == "left/5.png")
            #expect(original.meanSquaredDistance == 0)

            for (image, name) in [(images[1], "left"), (images[2], "right")] {
                // In the order of the source, which is that of strings.
                let names = (0..<12).map { "\($0).png" }.sorted()
                let real = try names.map {
                    try Image(contentsOf: train.appendingPathComponent("\(name)/\($0)"))
                }
                let own = try Image(contentsOf: run.appendingPathComponent(image))
                let expected = nearest(own, real)
                let neighbour = try #require(found.images[image])
                #expect(neighbour.real == "\(name)/\(names[expected.place])")
                #expect(abs(neighbour.meanSquaredDistance - expected.distance) < 1e-6)
                let picture = run.appendingPathComponent(neighbour.picture)
                #expect(try Image(contentsOf: picture) == real[expected.place])
            }
        }
    }

    @Test("what is known is kept, and other training images make it unknown")
    func again() throws {
        try withRun { folder, run in
            let images = ["surrogate/left/0.png", "surrogate/left/1.png"]
            for (number, image) in images.enumerated() {
                try copy(
                    folder.appendingPathComponent("train/left/\(number).png"),
                    to: run.appendingPathComponent(image)
                )
            }
            try find([images[0]], folder)
            let first = try record(run)
            #expect(first.images.count == 1)
            let encoded = try JSONEncoder().encode(first)
            #expect(try JSONDecoder().decode(NeighbourRecord.self, from: encoded) == first)
            try find(images, folder)
            let second = try record(run)
            #expect(second.images.count == 2)
            #expect(second.images[images[0]] == first.images[images[0]])

            // Without the real images what is known stays, and what is not is warned of.
            let train = folder.appendingPathComponent("train")
            let elsewhere = folder.appendingPathComponent("elsewhere")
            try FileManager.default.moveItem(at: train, to: elsewhere)
            #expect(try find(images, folder).isEmpty)
            let warnings = try find(images + ["surrogate/left/2.png"], folder)
            #expect(warnings.count == 1 && warnings[0].contains("train"), "\(warnings)")
            #expect(try record(run) == second)

            try writeImages(train, perClass: 4, seed: 9)
            try FileManager.default.removeItem(
                at: run.appendingPathComponent(second.images[images[0]]?.picture ?? "-")
            )
            try find(images, folder)
            let third = try record(run)
            #expect(third.train != second.train && third.images.count == 2)
            #expect(third.images.values.allSatisfy { $0.meanSquaredDistance > 0 })
        }
    }

    @Test("photographs are compared as the run crops them, and their pictures are small files")
    func photographs() throws {
        try withTemporaryFolder { folder in
            for (number, level) in [(0, 40), (1, 200)] {
                var bytes = [UInt8](repeating: UInt8(level), count: 120 * 80 * 3)
                // The border is cut off.
                for index in bytes.indices where index % 360 < 30 { bytes[index] = 255 }
                let place = folder.appendingPathComponent("train/dog/\(number).png")
                try FileManager.default.createDirectory(
                    at: place.deletingLastPathComponent(),
                    withIntermediateDirectories: true
                )
                try Image(width: 120, height: 80, channels: 3, bytes: bytes).pngData()
                    .write(to: place)
            }
            let run = folder.appendingPathComponent("run")
            let image = run.appendingPathComponent("surrogate/dog/0.png")
            try copy(folder.appendingPathComponent("train/dog/0.png"), to: image)
            try Image(width: 80, height: 80, channels: 3, filledWith: 190).pngData()
                .write(to: image)
            let warnings = try find(["surrogate/dog/0.png"], folder) { recipe in
                recipe.data.size = 80
                recipe.data.test.path = ""
            }
            #expect(warnings.isEmpty, "\(warnings)")
            let neighbour = try #require(try record(run).images["surrogate/dog/0.png"])
            #expect(neighbour.real == "dog/1.png")
            let expected = 10.0 * 10 / (255 * 255)
            #expect(abs(neighbour.meanSquaredDistance - expected) < 1e-6)
            #expect(neighbour.picture.hasSuffix(".jpg"))
            let picture = try Image(contentsOf: run.appendingPathComponent(neighbour.picture))
            #expect(picture.width == 80 && picture.height == 80)
        }
    }

    @Test("an interruption is no warning")
    func interruption() throws {
        try withRun { folder, run in
            let image = "surrogate/left/0.png"
            try copy(
                folder.appendingPathComponent("train/left/0.png"),
                to: run.appendingPathComponent(image)
            )
            #expect(throws: InterruptedError.self) {
                try find([image], folder, isInterrupted: { true })
            }
        }
    }
}
