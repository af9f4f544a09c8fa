import Datasets
import Foundation
import Images
import Testing

@Suite("The written surrogate dataset")
struct SurrogateWriterTests {
    let folder: TemporaryFolder
    let classNames = ["00-t-shirt-top", "01-\"quoted\" né"]

    init() throws { folder = try TemporaryFolder() }

    var surrogate: URL { folder.url.appendingPathComponent("run/surrogate") }

    var entries: [SurrogateEntry] {
        (0..<2).flatMap { label in
            (0..<11).map { SurrogateEntry(label: label, index: $0, seed: 42) }
        }
    }

    func image(_ entry: SurrogateEntry) -> Image {
        Image(
            width: 3,
            height: 2,
            channels: 1,
            filledWith: UInt8(entry.label * 100 + entry.index)
        )
    }

    @Test("Layout and metadata are those that other tools read, in a fixed order")
    func layout() throws {
        let writer = try SurrogateWriter(folder: surrogate, classNames: classNames)
        for entry in entries.reversed() {
            #expect(!writer.isComplete(label: entry.label, index: entry.index))
            try writer.write(image(entry), label: entry.label, index: entry.index)
            #expect(writer.isComplete(label: entry.label, index: entry.index))
        }
        try writer.finish(entries.shuffled(), summary: "Made by a test.")

        #expect(
            try folder.names(in: "run/surrogate") == [
                classNames[0], classNames[1], "README.md", "metadata.jsonl",
            ]
        )
        #expect(
            try folder.names(in: "run/surrogate/\(classNames[0])")
                == (0..<11).map { "\($0).png" }.sorted()
        )
        let metadata = try String(
            contentsOf: surrogate.appendingPathComponent("metadata.jsonl"),
            encoding: .utf8
        )
        let lines = metadata.split(separator: "\n")
        #expect(lines.count == 22)
        #expect(
            lines[10] == """
                {"file_name": "00-t-shirt-top/10.png", "label": 0, "class": "00-t-shirt-top", \
                "seed": 42, "index": 10}
                """
        )
        for (line, entry) in zip(lines, entries) {
            struct Line: Decodable {
                var file_name: String
                var label: Int
                var `class`: String
                var seed: Int
                var index: Int
            }
            let decoded = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
            #expect(decoded.class == classNames[entry.label])
            #expect(decoded.file_name == "\(classNames[entry.label])/\(entry.index).png")
            #expect((decoded.label, decoded.index, decoded.seed) == (entry.label, entry.index, 42))
        }
        let readme = try String(
            contentsOf: surrogate.appendingPathComponent("README.md"),
            encoding: .utf8
        )
        #expect(readme.contains("Made by a test."))
        #expect(readme.contains("| 0 | 00-t-shirt-top | 11 |"))
    }

    @Test("It opens as a folder of images with the same labels")
    func opens() throws {
        let writer = try SurrogateWriter(folder: surrogate, classNames: classNames)
        for entry in entries {
            try writer.write(image(entry), label: entry.label, index: entry.index)
        }
        try writer.finish(entries, summary: "")
        let dataset = try ImageFolder(surrogate)
        #expect(dataset.classNames == classNames)
        #expect(dataset.count == 22)
        for index in 0..<dataset.count {
            let level = Int(try dataset.image(at: index).bytes[0])
            #expect(level / 100 == dataset.label(at: index))
        }
        #expect(dataset.ignored.otherCount == 2)
    }

    @Test("After an interruption only what is missing or damaged counts as incomplete")
    func resume() throws {
        var writer = try SurrogateWriter(folder: surrogate, classNames: classNames)
        for entry in entries.prefix(5) {
            try writer.write(image(entry), label: entry.label, index: entry.index)
        }
        // A kill in the middle of a write leaves a temporary file; a bad disk a short one.
        let left = ".5.png.partial-x"
        try folder.write([1, 2], to: "run/surrogate/\(classNames[0])/\(left)")
        let damaged = writer.url(label: 0, index: 2)
        let before = try Data(contentsOf: damaged)
        try before.dropLast(3).write(to: damaged)

        writer = try SurrogateWriter(folder: surrogate, classNames: classNames)
        let missing = entries.filter { !writer.isComplete(label: $0.label, index: $0.index) }
        #expect(missing.count == 22 - 4)
        let error = #expect(throws: DatasetError.self) {
            try writer.finish(entries, summary: "")
        }
        #expect(error?.code == .incomplete)
        #expect(error?.message.contains("18 of 22 images are missing or damaged") == true)

        for entry in missing {
            try writer.write(image(entry), label: entry.label, index: entry.index)
        }
        try writer.finish(entries, summary: "")
        #expect(try Data(contentsOf: damaged) == before)
        #expect(
            try folder.names(in: "run/surrogate/\(classNames[0])").allSatisfy { !$0.hasPrefix(".") }
        )
    }

    @Test("Images of another run in the folder are refused by name")
    func strangers() throws {
        let writer = try SurrogateWriter(folder: surrogate, classNames: classNames)
        for entry in entries {
            try writer.write(image(entry), label: entry.label, index: entry.index)
        }
        try writer.write(image(entries[0]), label: 1, index: 99)
        let error = #expect(throws: DatasetError.self) {
            try writer.finish(entries, summary: "")
        }
        #expect(error?.message.contains("99.png") == true)
    }

    @Test("A folder that cannot be created or written to is an error that names it")
    func notWritable() throws {
        try folder.write([1], to: "file")
        let error = #expect(throws: DatasetError.self) {
            try SurrogateWriter(
                folder: folder.url.appendingPathComponent("file/surrogate"),
                classNames: ["a"]
            )
        }
        #expect(error?.code == .notWritable)
        #expect(error?.message.contains("file/surrogate") == true)

        let writer = try SurrogateWriter(folder: surrogate, classNames: ["a"])
        try FileManager.default.removeItem(at: surrogate.appendingPathComponent("a"))
        let gone = #expect(throws: DatasetError.self) {
            try writer.write(image(entries[0]), label: 0, index: 0)
        }
        #expect(gone?.code == .notWritable)
        #expect(gone?.message.contains("surrogate/a/0.png") == true)
        #expect(gone?.cause != nil)
        for name in ["a/b", "..", ".a", ""] {
            #expect(throws: DatasetError.self) {
                try SurrogateWriter(folder: surrogate, classNames: [name])
            }
        }
    }
}
