import Datasets
import Foundation
import Images
import Testing

@Suite("Parts and fingerprints of sources")
struct LabelledImagesTests {
    /// Twelve images of class `a`, three of class `b`.
    func folder(level: UInt8 = 5) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for k in 0..<12 { try folder.writeImage(level + UInt8(k), to: "a/\(k).png") }
        for k in 0..<3 { try folder.writeImage(level + UInt8(k), to: "b/\(k).png") }
        return folder
    }

    @Test("The first images per class are taken in string order, class by class")
    func firstPerClass() throws {
        let folder = try folder()
        let subset = try ImageFolder(folder.url).firstPerClass(3)
        #expect(
            (0..<subset.count).map(subset.identifier(at:)) == [
                "a/0.png", "a/1.png", "a/10.png", "b/0.png", "b/1.png", "b/2.png",
            ]
        )
        #expect((0..<6).map(subset.label(at:)) == [0, 0, 0, 1, 1, 1])
        #expect(subset.classNames == ["a", "b"])
        #expect(try subset.image(at: 2).bytes.first == 15)
        let error = #expect(throws: DatasetError.self) {
            try ImageFolder(folder.url).firstPerClass(4)
        }
        #expect(error?.code == .tooFewImages)
        #expect(error?.message.contains("b (3)") == true)
    }

    @Test("Labels are matched by class name, never by position")
    func relabelled() throws {
        let folder = try folder()
        let dataset = try ImageFolder(folder.url)
        let turned = try dataset.relabelled(as: ["b", "a"])
        #expect(turned.classNames == ["b", "a"])
        for index in 0..<dataset.count {
            #expect(
                turned.classNames[turned.label(at: index)]
                    == dataset.classNames[dataset.label(at: index)]
            )
        }
        let error = #expect(throws: DatasetError.self) {
            try dataset.relabelled(as: ["a", "c"])
        }
        #expect(error?.code == .differentClasses)
        #expect(error?.message.contains("it lacks c; only it has b") == true)
    }

    @Test("The fingerprint depends on contents and names, not on the place")
    func fingerprint() throws {
        let one = try folder()
        let two = try folder()
        let print = try ImageFolder(one.url).fingerprint()
        #expect(print.count == 64)
        #expect(try ImageFolder(two.url).fingerprint() == print)

        let changedContent = try folder(level: 6)
        #expect(try ImageFolder(changedContent.url).fingerprint() != print)

        #expect(try ImageFolder(one.url, classes: ["b", "a"]).fingerprint() != print)
        #expect(try ImageFolder(one.url).firstPerClass(3).fingerprint() != print)
        try FileManager.default.moveItem(
            at: two.url.appendingPathComponent("a"),
            to: two.url.appendingPathComponent("aa")
        )
        #expect(try ImageFolder(two.url).fingerprint() != print)

        try one.write([1, 2, 3], to: "a/0.png")
        #expect(try ImageFolder(one.url).fingerprint() != print)
    }

    @Test("The same pixels in another file format have another fingerprint, IDX files a stable one")
    func fingerprintOfPixels() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            IDX.file(shape: [2, 1, 2], values: [1, 2, 3, 4]),
            to: "train-images-idx3-ubyte"
        )
        try folder.write(IDX.file(shape: [2], values: [0, 1]), to: "train-labels-idx1-ubyte")
        let print = try IDXDataset(folder: folder.url, split: .train).fingerprint()
        #expect(print == "c97f12f290c3ef69dccbc257bd6e6641b03ae0a7f69a4ef227e3d2d2d910dbd8")
        try folder.write(
            IDX.file(shape: [2, 2, 1], values: [1, 2, 3, 4]),
            to: "train-images-idx3-ubyte"
        )
        #expect(try IDXDataset(folder: folder.url, split: .train).fingerprint() != print)
    }
}

@Suite("Images side by side in memory")
struct PackedImagesTests {
    @Test("an image that would become too large on the way is refused", arguments: [5000, Int.max])
    func tooNarrow(side: Int) throws {
        let image = Image(
            width: 20_000,
            height: 1,
            channels: 1,
            bytes: .init(repeating: 1, count: 20_000)
        )
        for preparation in [ImagePreparation(centerCrop: side), ImagePreparation(shortSide: side)] {
            let error = #expect(throws: ImageError.self) {
                try preparation(image, named: "strip.png")
            }
            #expect(error?.code == .tooLarge && error?.description.contains("strip.png") == true)
        }
    }

    @Test("Images are cropped, converted and keep order and labels")
    func packing() throws {
        let folder = try TemporaryFolder()
        for k in 0..<30 {
            try folder.writeImage(
                UInt8(k),
                to: "a/\(k).png",
                width: 5 + k,
                height: 9,
                channels: k % 2 == 0 ? 1 : 3
            )
            try folder.writeImage(UInt8(100 + k), to: "b/\(k).png", width: 64, height: 40)
        }
        let dataset = try ImageFolder(folder.url)
        let packed = try PackedImages(loading: dataset, centerCrop: 8, channels: 1)
        #expect((packed.count, packed.height, packed.width, packed.channels) == (60, 8, 8, 1))
        #expect(packed.bytes.count == 60 * 64)
        #expect(packed.classNames == ["a", "b"])
        for index in 0..<60 {
            #expect(packed.labels[index] == dataset.label(at: index))
            let level = try dataset.image(at: index).bytes[0]
            #expect(packed.image(at: index).bytes == [UInt8](repeating: level, count: 64))
        }
    }

    @Test("The first image of another size is named with both sizes")
    func differentSizes() throws {
        let folder = try TemporaryFolder()
        for k in 0..<20 { try folder.writeImage(1, to: "a/\(k).png") }
        try folder.writeImage(1, to: "b/0.png", width: 4, height: 4)
        try folder.writeImage(1, to: "b/1.png", channels: 1)
        let dataset = try ImageFolder(folder.url)
        let error = #expect(throws: DatasetError.self) { try PackedImages(loading: dataset) }
        #expect(error?.code == .differentSizes)
        #expect(error?.message.contains("a/0.png is 4×3 RGB and b/0.png is 4×4 RGB") == true)
    }

    @Test("Unreadable images are refused by name, or left out without a gap")
    func unreadable() throws {
        let folder = try TemporaryFolder()
        for k in 0..<10 { try folder.writeImage(UInt8(k), to: "a/\(k).png") }
        for k in [0, 4, 9] { try folder.write([1, 2, 3], to: "a/\(k).png") }
        let dataset = try ImageFolder(folder.url)
        let error = #expect(throws: DatasetError.self) { try PackedImages(loading: dataset) }
        #expect(error?.code == .unreadableImages)
        #expect(error?.message.contains("3 of 10 images") == true)
        let packed = try PackedImages(loading: dataset, unreadable: .skip)
        #expect(packed.indices == [1, 2, 3, 5, 6, 7, 8])
        #expect((0..<7).map { packed.image(at: $0).bytes[0] } == [1, 2, 3, 5, 6, 7, 8])
        #expect(packed.bytes.count == 7 * 36)
        #expect(packed.skipped.map(\.identifier) == ["a/0.png", "a/4.png", "a/9.png"])
    }
}
