import TestSupport
import Testing
import Torch
import Training

@Suite("Labelled images and their statistics")
struct ImageSetTests {
    private func bytes(_ count: Int, channels: Int = 1) -> Tensor {
        var generator = RandomGenerator(seed: 3)
        let values = generator.integers(count * channels * 20, below: 256).map { UInt8($0) }
        return Tensor(values, shape: [count, channels, 4, 5])
    }

    @Test("mean and deviation are those of all pixels", arguments: [1, 3])
    func statistics(_ channels: Int) throws {
        let images = bytes(9, channels: channels)
        let set = try ImageSet(
            images: images,
            labels: [Int](repeating: 0, count: 9),
            classNames: ["a"]
        )
        let statistics = ChannelStatistics(of: set)
        for channel in 0..<channels {
            let values: [Double] = images.selected(channel, along: 1).values()
            let mean = values.reduce(0, +) / Double(values.count) / 255
            let squares = values.reduce(0) { $0 + ($1 / 255 - mean) * ($1 / 255 - mean) }
            #expect(abs(statistics.mean[channel] - mean) < 1e-14)
            let deviation = (squares / Double(values.count)).squareRoot()
            #expect(abs(statistics.deviation[channel] - deviation) < 1e-13)
        }
    }

    @Test("the statistics of a large set are exact where float32 sums are not")
    func largeSet() throws {
        // 20 million values, in more than one part: half 254, half 255.
        let half = Tensor.full([10_000, 1, 32, 32], 254, dtype: .uint8)
        let other = Tensor.full([10_000, 1, 32, 32], 255, dtype: .uint8)
        let set = try ImageSet(
            images: .concatenated([half, other]),
            labels: [Int](repeating: 0, count: 20_000),
            classNames: ["a"]
        )
        let statistics = ChannelStatistics(of: set)
        #expect(statistics.mean[0] == 254.5 / 255)
        #expect(abs(statistics.deviation[0] - 0.5 / 255) < 1e-9)
    }

    @Test("a constant channel is only centred")
    func constant() throws {
        let set = try ImageSet(
            images: .full([2, 1, 4, 5], 51, dtype: .uint8),
            labels: [0, 0],
            classNames: ["a"]
        )
        #expect(ChannelStatistics(of: set) == ChannelStatistics(mean: [0.2], deviation: [1]))
    }

    @Test("a batch has the values of the bytes, over 255")
    func batch() throws {
        let images = bytes(4)
        let set = try ImageSet(images: images, labels: [0, 1, 0, 1], classNames: ["a", "b"])
        expectIdentical(set.batch([2, 0])[0], images[2].converted(to: .float32) / 255)
        expectIdentical(set.batch(1..<3), set.batch([1, 2]))
        #expect(set.imagesPerClass == [2, 2])
    }

    @Test("a set that would fill a GPU stays outside, and its batches go there", .requiresCUDA)
    func tooLargeForCUDA() throws {
        let images = bytes(6).converted(to: .float32) / 255
        let set = try ImageSet(
            images: images,
            labels: [0, 1, 0, 1, 0, 1],
            classNames: ["a", "b"]
        )
        for (limit, home) in [(nil, Device.cuda), (6 * 20 * 4, .cuda), (6 * 20 * 4 - 1, .cpu)] {
            let moved = set.moved(to: .cuda, keepingAtMost: limit)
            #expect(moved.device == .cuda)
            #expect(moved.images.device == home)
            #expect(moved.subset([1]).device == .cuda)
            #expect(moved.batch(2..<4).device == .cuda)
            #expect(moved.batch([4, 1]).device == .cuda)
            guard home == .cpu else { continue }
            expectIdentical(moved.batch(2..<4).moved(to: .cpu), images[2..<4])
            expectIdentical(moved.batch([4, 1]).moved(to: .cpu), images.gathered([4, 1]))
        }
    }

    @Test("what does not fit together is refused")
    func malformed() {
        let cases: [(Tensor, [Int], [String])] = [
            (bytes(2), [0], ["a"]), (bytes(2), [0, 1], ["a"]), (bytes(2), [0, -1], ["a"]),
            (bytes(2), [0, 1], ["a", "a"]), (bytes(2)[0], [0], ["a"]),
            (bytes(2).converted(to: .int64), [0, 0], ["a"]),
            (.zeros([0, 1, 4, 4], dtype: .uint8), [], ["a"]),
        ]
        for (images, labels, names) in cases {
            let error = #expect(throws: TrainingError.self) {
                try ImageSet(images: images, labels: labels, classNames: names)
            }
            #expect(error?.code == .malformedSet)
        }
    }

    @Test("classes are matched by name, not by position")
    func relabelled() throws {
        let set = try ImageSet(
            images: bytes(3),
            labels: [0, 1, 2],
            classNames: ["boot", "bag", "coat"]
        )
        let names = ["bag", "boot", "coat"]
        let matched = try set.relabelled(toMatch: names, subject: "the test set", other: "mine")
        #expect(matched.labels == [1, 0, 2])
        #expect(matched.classNames == names)
        let error = #expect(throws: TrainingError.self) {
            try set.relabelled(
                toMatch: ["bag", "boot", "shirt"],
                subject: "the test set",
                other: "the training set"
            )
        }
        #expect(error?.code == .differingClasses)
        #expect(error?.message.contains("only the test set has \"coat\"") == true)
        #expect(error?.message.contains("only the training set has \"shirt\"") == true)
    }

    @Test("an empty class is named")
    func emptyClass() throws {
        let set = try ImageSet(
            images: bytes(2),
            labels: [0, 2],
            classNames: ["boot", "bag", "coat"]
        )
        let error = #expect(throws: TrainingError.self) {
            try set.requireImagesInEveryClass("the training set")
        }
        #expect(error?.code == .emptyClass)
        #expect(error?.message.contains("\"bag\"") == true)
        #expect(error?.message.contains("boot") == false)
    }
}
