import Datasets
import Foundation
import Images
import Models
import TestSupport
import Testing
import Torch
import Training

@Suite("Images that stay in their files")
struct ImageStreamTests {
    /// Pictures made up when they are asked for.
    private struct Pictures: LabelledImages {
        let name = "pictures"
        let classNames = ["a", "b"]
        let count: Int
        var broken: Int?
        var odd: Int?

        func label(at index: Int) -> Int { index % 2 }
        func identifier(at index: Int) -> String { "picture \(index)" }
        func image(at index: Int) throws -> Image {
            if index == broken {
                throw TrainingError(.unfitImages, "\(identifier(at: index)) is torn.")
            }
            let size = index == odd ? 9 : 8
            let bytes = (0..<size * size * 3).map { UInt8(($0 * 7 + index * 31) % 256) }
            return Image(width: size, height: size, channels: 3, bytes: bytes)
        }
    }

    private func sets(_ pictures: Pictures) throws -> (memory: ImageSet, files: ImageSet) {
        let packed = try PackedImages(loading: pictures)
        let memory = try ImageSet(
            images: packed.tensor(),
            labels: packed.labels,
            classNames: packed.classNames
        )
        let files = try ImageSet(
            reading: ImageStream(pictures, preparation: ImagePreparation()),
            labels: packed.labels,
            classNames: packed.classNames
        )
        return (memory, files)
    }

    @Test("batches, parts and statistics are those of the same images in memory")
    func equal() throws {
        let (memory, files) = try sets(Pictures(count: 11))
        #expect(files.isStreamed)
        #expect(!memory.isStreamed)
        for places in [[0], [10, 3, 3], Array(0..<11)] {
            expectIdentical(try files.reading(places), memory.batch(places))
            expectIdentical(try memory.reading(places), memory.batch(places))
        }
        let part = [9, 4, 0]
        expectIdentical(
            try files.subset(part).reading([2, 0]),
            memory.subset(part).batch([2, 0])
        )
        #expect(files.subset(part).labels == [1, 0, 0])
        #expect(try ChannelStatistics(reading: files) == ChannelStatistics(of: memory))
    }

    @Test("a network trained on files has the bits of one trained in memory")
    func training() throws {
        let (memory, files) = try sets(Pictures(count: 11))
        let options = TrainingOptions(epochs: 3, batchSize: 4, evaluations: 3)
        func weights(_ set: ImageSet) throws -> (Tensor, [Double]) {
            var generator = RandomGenerator(seed: 1, purpose: .initialization)
            let network = try NetworkName.convNet(depth: 1).makeClassifier(
                imageSize: 8,
                channels: 3,
                classCount: 2,
                using: &generator
            )
            let state = TrainingState(training: network, options: options)
            try SupervisedTraining.train(
                state,
                on: set,
                testing: set,
                normalizedBy: .imageNet,
                options: options
            )
            let weight = try #require(network.state()["classifier.weight"])
            return (weight, state.record.looks.map(\.accuracy))
        }
        let (inMemory, fromFiles) = (try weights(memory), try weights(files))
        expectIdentical(inMemory.0, fromFiles.0)
        #expect(inMemory.1 == fromFiles.1)
    }

    @Test("an image that cannot be read or has another size stops the work by name")
    func refusals() throws {
        func message(_ pictures: Pictures) throws -> String {
            let stream = try ImageStream(pictures, preparation: ImagePreparation())
            let set = try ImageSet(
                reading: stream,
                labels: (0..<pictures.count).map(pictures.label(at:)),
                classNames: pictures.classNames
            )
            let error = #expect(throws: TrainingError.self) { try set.reading([0, 1, 2, 3]) }
            return error?.message ?? ""
        }
        #expect(try message(Pictures(count: 4, broken: 2)).contains("picture 2 is torn"))
        #expect(try message(Pictures(count: 4, odd: 3)).contains("picture 3 has 9×9"))
        #expect(throws: TrainingError.self) {
            try ImageStream(Pictures(count: 0), preparation: ImagePreparation())
        }
    }
}
