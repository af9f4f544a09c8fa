import Datasets
import Foundation
import Images
import Testing

@Suite("Folders of images")
struct ImageFolderTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    func error(classes: [String]? = nil) -> DatasetError? {
        #expect(throws: DatasetError.self) { try ImageFolder(folder.url, classes: classes) }
    }

    @Test("Classes and files are in byte order, as Python sorts them")
    func order() throws {
        for path in [
            "b/2.png", "b/10.png", "b/1.png", "b/0.png", "B/x.png", "10/x.png", "9/x.png",
            "é/x.png", "z/x.png",
        ] {
            try folder.writeImage(1, to: path)
        }
        let dataset = try ImageFolder(folder.url)
        #expect(dataset.classNames == ["10", "9", "B", "b", "z", "é"])
        #expect(
            (0..<dataset.count).map(dataset.identifier(at:)) == [
                "10/x.png", "9/x.png", "B/x.png", "b/0.png", "b/1.png", "b/10.png", "b/2.png",
                "z/x.png", "é/x.png",
            ]
        )
        #expect((0..<dataset.count).map(dataset.label(at:)) == [0, 1, 2, 3, 3, 3, 3, 4, 5])
        #expect(dataset.indices(ofClass: 3) == [3, 4, 5, 6])
    }

    #if os(Linux)
        // Other file systems take the two for one name.
        @Test("Two folders with one name, encoded in two ways, are an error and no trap")
        func twins() throws {
            for name in ["caf\u{E9}", "cafe\u{301}", "tea"] {
                try folder.writeImage(1, to: "\(name)/x.png")
            }
            let error = error()
            #expect(error?.code == .badClassName)
            #expect(error?.description.contains("café") == true, "\(String(describing: error))")
        }
    #endif

    @Test("Images in folders below a class folder belong to the class")
    func nested() throws {
        for path in ["a/z.png", "a/images/1.JPEG", "a/images/0.png", "b/x.png"] {
            try folder.writeImage(1, to: path)
        }
        let dataset = try ImageFolder(folder.url)
        #expect(
            (0..<4).map(dataset.identifier(at:)) == [
                "a/z.png", "a/images/0.png", "a/images/1.JPEG", "b/x.png",
            ]
        )
    }

    @Test("Hidden and other files are left out and counted")
    func ignored() throws {
        try folder.writeImage(1, to: "a/0.png")
        try folder.writeImage(1, to: "a/.0.png.tmp")
        try folder.writeImage(1, to: ".git/x.png")
        try folder.write([1], to: "a/notes.txt")
        try folder.write([1], to: "README.md")
        try folder.write([1], to: "a/png")
        let dataset = try ImageFolder(folder.url)
        #expect(dataset.count == 1)
        #expect(dataset.ignored.hiddenCount == 2)
        #expect(dataset.ignored.otherCount == 3)
        #expect(dataset.ignored.examples == ["README.md", "a/notes.txt", "a/png"])
    }

    @Test("Classes can be chosen and ordered; a missing one is named")
    func classes() throws {
        for name in ["a", "b", "c"] { try folder.writeImage(1, to: "\(name)/0.png") }
        let dataset = try ImageFolder(folder.url, classes: ["c", "a"])
        #expect(dataset.classNames == ["c", "a"])
        #expect((0..<2).map(dataset.identifier(at:)) == ["c/0.png", "a/0.png"])
        let error = error(classes: ["a", "dog"])
        #expect(error?.code == .differentClasses)
        #expect(error?.message.contains("1 of 2 classes have no folder: dog") == true)
        #expect(error?.message.contains("a, b, c") == true)
        #expect(self.error(classes: ["a", "a"])?.code == .badClassName)
        #expect(self.error(classes: ["../a"])?.code == .badClassName)
        #expect(self.error(classes: [])?.code == .noClasses)
    }

    @Test("A class without images, a flat folder and a missing folder are errors of their own")
    func layoutErrors() throws {
        #expect(error()?.code == .noClasses)
        try folder.writeImage(1, to: "0.png")
        let flat = error()
        #expect(flat?.code == .noClasses)
        #expect(flat?.message.contains("it holds 1 images (0.png) but no folders") == true)
        try folder.writeImage(1, to: "a/0.png")
        try folder.write([1], to: "empty/notes.txt")
        let empty = error()
        #expect(empty?.code == .emptyClass)
        #expect(empty?.message.contains("this class has no images: empty") == true)
        let missing = #expect(throws: DatasetError.self) {
            try ImageFolder(folder.url.appendingPathComponent("nowhere"))
        }
        #expect(missing?.code == .missingFile)
        let file = #expect(throws: DatasetError.self) {
            try ImageFolder(folder.url.appendingPathComponent("0.png"))
        }
        #expect(file?.code == .noClasses)
    }

    @Test("Links are followed, circles of links end, broken ones are reported")
    func links() throws {
        let manager = FileManager.default
        let elsewhere = try TemporaryFolder()
        try elsewhere.writeImage(7, to: "real/0.png")
        let target = elsewhere.url.appendingPathComponent("real")
        try manager.createSymbolicLink(
            at: folder.url.appendingPathComponent("a"),
            withDestinationURL: target
        )
        try manager.createSymbolicLink(
            at: target.appendingPathComponent("circle"),
            withDestinationURL: target
        )
        try manager.createSymbolicLink(
            at: target.appendingPathComponent("1.png"),
            withDestinationURL: target.appendingPathComponent("0.png")
        )
        try manager.createSymbolicLink(
            atPath: target.appendingPathComponent("2.png").path,
            withDestinationPath: "gone.png"
        )
        let dataset = try ImageFolder(folder.url)
        #expect(
            (0..<dataset.count).map(dataset.identifier(at:)) == ["a/0.png", "a/1.png", "a/2.png"]
        )
        #expect(try dataset.image(at: 1).bytes.first == 7)
        let scan = dataset.scan()
        #expect(scan.readableCount == 2)
        #expect(scan.unreadable.map(\.identifier) == ["a/2.png"])
        #expect(scan.unreadable.first?.reason.contains("does not exist") == true)
    }

    @Test("Names that are no UTF-8 and pipes never crash or block")
    func strangeEntries() throws {
        try folder.writeImage(1, to: "a/0.png")
        let path =
            Array("\(folder.url.path)/a/".utf8) + [0xFF, 0xFE] + Array(".png".utf8) + [0]
        let descriptor = path.map { CChar(bitPattern: $0) }
            .withUnsafeBufferPointer { name in
                name.baseAddress.map { open($0, O_CREAT | O_WRONLY, 0o600) } ?? -1
            }
        // Some file systems refuse such names.
        if descriptor >= 0 { close(descriptor) }
        #expect(mkfifo(folder.url.appendingPathComponent("a/pipe.png").path, 0o600) == 0)
        let dataset = try ImageFolder(folder.url)
        let scan = dataset.scan()
        #expect(scan.readableCount == 1)
        #expect(scan.unreadable.contains { $0.identifier == "a/pipe.png" })
        #expect(scan.readableCount + scan.unreadable.count == dataset.count)
    }
}

@Suite("Reading of whole sources")
struct ScanTests {
    let folder: TemporaryFolder
    let dataset: ImageFolder

    /// 14 good and 13 bad images in two classes.
    init() throws {
        folder = try TemporaryFolder()
        for k in 0..<7 {
            try folder.writeImage(UInt8(k), to: "a/good-\(k).png", width: 4 + k)
            try folder.writeImage(UInt8(k), to: "b/good-\(k).png", channels: 1)
        }
        let html = Array("<!DOCTYPE html><html></html>".utf8)
        for k in 0..<12 { try folder.write(html, to: "a/page-\(k).jpg") }
        let whole = try Data(contentsOf: folder.url.appendingPathComponent("a/good-3.png"))
        try folder.write(whole.dropLast(20), to: "b/cut.png")
        dataset = try ImageFolder(folder.url)
    }

    @Test("A scan counts, measures and names what cannot be read")
    func scan() {
        let scan = dataset.scan()
        #expect(scan.readableCount == 14)
        #expect(scan.unreadable.count == 13)
        #expect(scan.unreadable.last?.identifier == "b/cut.png")
        #expect(scan.unreadable.last?.reason.contains("ends too early") == true)
        #expect(scan.unreadable.first?.reason.contains("an HTML page") == true)
        #expect(scan.greyCount == 7)
        #expect(scan.widths == 4...10)
        #expect(scan.heights == 3...3)
    }

    @Test("Refusing names ten files and the number of the others")
    func refuse() {
        let error = #expect(throws: DatasetError.self) { try dataset.checked() }
        #expect(error?.code == .unreadableImages)
        #expect(error?.message.contains("13 of 27 images cannot be read") == true)
        #expect(error?.message.contains("page-0.jpg") == true)
        #expect(error?.message.contains("and 3 more") == true)
        #expect(error?.message.components(separatedBy: "DOCTYPE").count == 11)
    }

    @Test("Skipping leaves them out and keeps a record")
    func skip() throws {
        let (images, skipped) = try dataset.checked(.skip)
        #expect(images.count == 14)
        #expect(skipped.count == 13)
        #expect(images.identifier(at: 7) == "b/good-0.png")
        for k in 0..<7 {
            try FileManager.default.removeItem(
                at: folder.url.appendingPathComponent("b/good-\(k).png")
            )
        }
        let error = #expect(throws: DatasetError.self) {
            try ImageFolder(folder.url).checked(.skip)
        }
        #expect(error?.code == .emptyClass)
    }

    @Test("Values computed on all cores keep their order", arguments: [0, 1, 2, 63, 64, 65, 5000])
    func parallel(count: Int) {
        #expect(Parallel.map(count: count) { $0 * 3 } == (0..<count).map { $0 * 3 })
    }
}
