import Datasets
import Foundation
import Testing

@Suite("fastai's ImageWoof in the split of ImageNet")
struct FastAIDatasetTests {
    /// As fastai mixed them: images of both parts of ImageNet in both folders.
    private func dataset() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for (index, name) in ["n02086240", "n02087394"].enumerated() {
            let level = UInt8(50 * index)
            try folder.writeImage(level + 1, to: "train/\(name)/\(name)_10.png")
            try folder.writeImage(level + 2, to: "train/\(name)/ILSVRC2012_val_00000907.png")
            try folder.writeImage(level + 3, to: "val/\(name)/\(name)_99.png")
            try folder.writeImage(level + 4, to: "val/\(name)/ILSVRC2012_val_00001244.png")
        }
        return folder
    }

    private func levels(_ images: some LabelledImages) throws -> [UInt8] {
        try (0..<images.count).map { try images.image(at: $0).bytes[0] }
    }

    @Test("names tell the part, whichever folder a file lies in")
    func split() throws {
        let folder = try dataset()
        let train = try FastAIDataset(folder.url, split: .train)
        let test = try FastAIDataset(folder.url, split: .test)
        #expect(train.classNames == ["n02086240", "n02087394"])
        #expect(try levels(train) == [1, 3, 51, 53])
        #expect(try levels(test) == [2, 4, 52, 54])
        #expect((0..<4).map(test.label) == [0, 0, 1, 1])
        #expect(test.identifier(at: 1) == "val/n02086240/ILSVRC2012_val_00001244.png")
        #expect(try train.fingerprint() != test.fingerprint())
    }

    @Test("a class has its images in the order of their names, as ImageNet's folder")
    func order() throws {
        let folder = try dataset()
        try folder.writeImage(7, to: "val/n02086240/n02086240_100.png")
        let train = try FastAIDataset(folder.url, split: .train)
        #expect(try levels(train) == [1, 7, 3, 51, 53])
        #expect(try levels(train.firstPerClass(2)) == [1, 7, 51, 53])
    }

    @Test("classes can be chosen, and one without images in a part is an error")
    func classes() throws {
        let folder = try dataset()
        let one = try FastAIDataset(folder.url, split: .train, classes: ["n02087394"])
        #expect(try levels(one) == [51, 53])
        try FileManager.default.removeItem(
            at: folder.url.appendingPathComponent("val/n02087394/ILSVRC2012_val_00001244.png")
        )
        try FileManager.default.removeItem(
            at: folder.url.appendingPathComponent("train/n02087394/ILSVRC2012_val_00000907.png")
        )
        let error = #expect(throws: DatasetError.self) {
            try FastAIDataset(folder.url, split: .test)
        }
        #expect(error?.code == .emptyClass)
        #expect(error?.description.contains("n02087394") == true)
    }

    @Test("folders with different classes are refused")
    func differentClasses() throws {
        let folder = try dataset()
        try folder.writeImage(9, to: "val/n02088364/n02088364_1.png")
        let error = #expect(throws: DatasetError.self) {
            try FastAIDataset(folder.url, split: .train)
        }
        #expect(error?.code == .differentClasses)
    }
}

@Suite("Some classes of a dataset")
struct SelectedClassesTests {
    @Test("labels are the places in the list, and the order of the images stays")
    func selection() throws {
        let folder = try TemporaryFolder()
        for (index, name) in ["a", "b", "c"].enumerated() {
            try folder.writeImage(UInt8(10 * index), to: "\(name)/0.png")
            try folder.writeImage(UInt8(10 * index + 1), to: "\(name)/1.png")
        }
        let some = try ImageFolder(folder.url).selecting(classes: ["c", "a"])
        #expect(some.classNames == ["c", "a"])
        #expect((0..<some.count).map(some.label) == [1, 1, 0, 0])
        #expect(try (0..<some.count).map { try some.image(at: $0).bytes[0] } == [0, 1, 20, 21])
        let error = #expect(throws: DatasetError.self) {
            try ImageFolder(folder.url).selecting(classes: ["a", "d"])
        }
        #expect(error?.description.contains("d") == true)
    }
}
