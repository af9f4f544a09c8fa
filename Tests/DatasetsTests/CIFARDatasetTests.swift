import Datasets
import Foundation
import Testing

@Suite("CIFAR")
struct CIFARDatasetTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A record whose planes are red + 0, 50, 100.
    private func record(_ labels: [UInt8], red: UInt8) -> [UInt8] {
        labels + [0, 50, 100].flatMap { [UInt8](repeating: red + $0, count: 1024) }
    }

    @Test("CIFAR-10: five files are one split, planes become pixels, names come from the list")
    func cifar10() throws {
        for file in 1...5 {
            let records = (0..<2).map { index -> [UInt8] in
                let label = UInt8((file - 1) * 2 + index)
                return record([label], red: label)
            }
            try folder.write(records.joined(), to: "data_batch_\(file).bin")
        }
        let plain = try CIFARDataset(folder: folder.url, split: .train)
        #expect(plain.classNames.first == "00" && plain.classNames.count == 10)
        let titles = ["airplane", "automobile"] + (2..<10).map { "class \($0)" }
        try folder.write(titles.joined(separator: "\n").utf8, to: "batches.meta.txt")
        let data = try CIFARDataset(folder: folder.url, split: .train)
        #expect(data.variant == .cifar10)
        #expect(data.classNames[1] == "01-automobile")
        #expect((0..<10).map(data.label(at:)) == Array(0..<10))
        let image = data.image(at: 7)
        #expect((image.width, image.height, image.channels) == (32, 32, 3))
        #expect(image.bytes.prefix(6).elementsEqual([7, 57, 107, 7, 57, 107]))
        #expect(data.identifier(at: 7) == "train #7")
    }

    @Test("CIFAR-100: the fine labels count")
    func cifar100() throws {
        let records = (0..<100).map { record([3, UInt8($0)], red: UInt8($0)) }
        try folder.write(records.joined(), to: "test.bin")
        let data = try CIFARDataset(folder: folder.url, split: .test)
        #expect(data.variant == .cifar100)
        #expect((0..<100).map(data.label(at:)) == Array(0..<100))
        #expect(data.image(at: 99).bytes[1] == 149)
    }

    @Test("missing, truncated and foreign files are named")
    func faults() throws {
        let missing = #expect(throws: DatasetError.self) {
            try CIFARDataset(folder: folder.url, split: .test)
        }
        #expect(missing?.code == .missingFile)
        try folder.write(record([1], red: 0).dropLast(), to: "test_batch.bin")
        let truncated = #expect(throws: DatasetError.self) {
            try CIFARDataset(folder: folder.url, split: .test)
        }
        #expect(truncated?.code == .truncated)
        try folder.write(record([10], red: 0), to: "test_batch.bin")
        let foreign = #expect(throws: DatasetError.self) {
            try CIFARDataset(folder: folder.url, split: .test)
        }
        #expect(foreign?.message.contains("label 10") == true)
        try folder.write(record([1], red: 0), to: "test_batch.bin")
        let empty = #expect(throws: DatasetError.self) {
            try CIFARDataset(folder: folder.url, split: .test)
        }
        #expect(empty?.code == .emptyClass)
    }
}
