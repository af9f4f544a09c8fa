import Datasets
import Foundation
import Images
import Testing

@Suite("IDX files")
struct IDXDatasetTests {
    let folder: TemporaryFolder
    /// Six images of 2×3 pixels: pixel p of image i is 10 i + p.
    let pixels: [UInt8] = (0..<36).map { (p: Int) -> UInt8 in UInt8(p / 6 * 10 + p % 6) }
    let labels: [UInt8] = [2, 0, 1, 1, 0, 2]

    init() throws {
        folder = try TemporaryFolder()
        try write()
    }

    func write(split: String = "train", ending: String = "", gzip: Bool = false) throws {
        func packed(_ bytes: [UInt8]) -> [UInt8] { gzip ? IDX.gzip(bytes) : bytes }
        try folder.write(
            packed(IDX.file(shape: [6, 3, 2], values: pixels)),
            to: "\(split)-images-idx3-ubyte\(ending)"
        )
        try folder.write(
            packed(IDX.file(shape: [6], values: labels)),
            to: "\(split)-labels-idx1-ubyte\(ending)"
        )
    }

    func error(split: IDXDataset.Split = .train, classNames: [String]? = nil) -> DatasetError? {
        #expect(throws: DatasetError.self) {
            try IDXDataset(folder: folder.url, split: split, classNames: classNames)
        }
    }

    @Test("Images, labels and names are those of the files")
    func reading() throws {
        let dataset = try IDXDataset(folder: folder.url, split: .train)
        #expect(dataset.count == 6)
        #expect((dataset.width, dataset.height) == (2, 3))
        #expect((0..<6).map(dataset.label(at:)) == labels.map(Int.init))
        #expect(dataset.classNames == ["00", "01", "02"])
        #expect(dataset.identifier(at: 4) == "train-images #4")
        let image = dataset.image(at: 4)
        #expect((image.width, image.height, image.channels) == (2, 3, 1))
        #expect(image.bytes == [40, 41, 42, 43, 44, 45])
    }

    @Test("Compressed files and the test split are found")
    func compressed() throws {
        try write(split: "t10k", ending: ".gz", gzip: true)
        let test = try IDXDataset(folder: folder.url, split: .test)
        #expect(test.image(at: 5).bytes == [50, 51, 52, 53, 54, 55])
        #expect(test.identifier(at: 0) == "t10k-images #0")
    }

    @Test("A folder of a file's name is passed over, and a dot may stand for a hyphen")
    func folderOfThatName() throws {
        for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
            let file = folder.url.appendingPathComponent(name)
            let dotted = name.replacingOccurrences(of: "-idx", with: ".idx")
            try FileManager.default.moveItem(
                at: file,
                to: folder.url.appendingPathComponent(dotted)
            )
            try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        }
        #expect(try IDXDataset(folder: folder.url, split: .train).count == 6)
    }

    @Test("Own class names are used, and a label without a class is refused")
    func classNames() throws {
        let dataset = try IDXDataset(
            folder: folder.url,
            split: .train,
            classNames: ["cat", "dog", "eel"]
        )
        #expect(dataset.classNames == ["cat", "dog", "eel"])
        let error = error(classNames: ["cat", "dog"])
        #expect(error?.code == .malformed)
        #expect(error?.message.contains("the label 2") == true)
    }

    @Test("A class without images is named")
    func emptyClass() throws {
        let error = error(classNames: ["cat", "dog", "eel", "fox"])
        #expect(error?.code == .emptyClass)
        #expect(error?.message.contains("this class has no images: fox") == true)
        try folder.write(
            IDX.file(shape: [6], values: [0, 0, 0, 2, 2, 2]),
            to: "train-labels-idx1-ubyte"
        )
        #expect(self.error()?.message.contains("01") == true)
    }

    @Test("A missing file names the folder and the file looked for")
    func missing() {
        let error = error(split: .test)
        #expect(error?.code == .missingFile)
        #expect(error?.message.contains("t10k-images-idx3-ubyte") == true)
        #expect(error?.message.contains(folder.url.path) == true)
    }

    @Test("Exchanged files, other counts and other sizes are refused")
    func contradictions() throws {
        try folder.write(
            IDX.file(shape: [5], values: [0, 1, 2, 0, 1]),
            to: "train-labels-idx1-ubyte"
        )
        #expect(error()?.message.contains("holds 6 images") == true)
        try folder.write(IDX.file(shape: [6], values: labels), to: "train-images-idx3-ubyte")
        #expect(error()?.code == .truncated)
        try folder.write(
            IDX.file(shape: [6, 3, 2], values: pixels, magic: 0x0D03),
            to: "train-images-idx3-ubyte"
        )
        #expect(error()?.message.contains("begins with the number 2051") == true)
        try folder.write(
            IDX.file(shape: [6, 3, 2], values: pixels + [0]),
            to: "train-images-idx3-ubyte"
        )
        #expect(error()?.message.contains("promises 6 × 3 × 2 values, but it holds 37") == true)
        try folder.write(
            IDX.file(shape: [0, 3, 2], values: []),
            to: "train-images-idx3-ubyte"
        )
        #expect(error()?.message.contains("empty") == true)
        let huge = 0xFFFF_FFFF
        try folder.write(
            IDX.file(shape: [huge, huge, huge], values: pixels),
            to: "train-images-idx3-ubyte"
        )
        #expect(error()?.code == .truncated)
    }

    @Test("Every truncation, plain or compressed, is refused", arguments: [false, true])
    func truncated(gzip: Bool) throws {
        try write(gzip: gzip)
        let url = folder.url.appendingPathComponent("train-images-idx3-ubyte")
        let bytes = try Data(contentsOf: url)
        for count in 0..<bytes.count {
            try bytes.prefix(count).write(to: url)
            #expect(error()?.code == .truncated, "cut after \(count) of \(bytes.count) bytes")
        }
    }

    @Test("Titles become slugs whose string order is label order")
    func slugs() {
        let slugs = ClassNames.slugs(for: IDXDataset.fashionMNISTTitles)
        #expect(slugs.first == "00-t-shirt-top")
        #expect(slugs.last == "09-ankle-boot")
        #expect(slugs == slugs.sorted())
        #expect(ClassNames.numbered(count: 101).last == "100")
        #expect(ClassNames.numbered(count: 101).first == "000")
    }

    static let fashionMNISTFolder = URL(fileURLWithPath: "/usr/share/datasets/fashion-mnist")

    @Test(
        "Fashion-MNIST is recognised and has its published mean and deviation",
        .enabled(if: FileManager.default.fileExists(atPath: fashionMNISTFolder.path))
    )
    func fashionMNIST() throws {
        let train = try PackedImages(
            loading: IDXDataset(folder: Self.fashionMNISTFolder, split: .train)
        )
        let test = try IDXDataset(folder: Self.fashionMNISTFolder, split: .test)
        #expect(train.count == 60_000)
        #expect(test.count == 10_000)
        #expect(train.classNames == ClassNames.slugs(for: IDXDataset.fashionMNISTTitles))
        #expect(test.classNames == train.classNames)
        #expect(test.indicesByClass().allSatisfy { $0.count == 1000 })
        let sum = train.bytes.reduce(into: (0, 0)) {
            $0.0 += Int($1)
            $0.1 += Int($1) * Int($1)
        }
        let count = Double(train.bytes.count)
        let mean = Double(sum.0) / count / 255
        let deviation = (Double(sum.1) / count / 255 / 255 - mean * mean).squareRoot()
        #expect(abs(mean - 0.2860) < 0.0001)
        #expect(abs(deviation - 0.3530) < 0.0001)
    }
}
