import Datasets
import Experiments
import Foundation
import Images
import TestSupport
import Testing

@Suite("An exported folder of images")
struct SurrogateExportTests {
    /// A run with twelve images of each of two classes, no two of which are alike.
    ///
    /// More than ten: in string order 10.png stands before 2.png.
    private func withRun(classNames: [String], _ body: (URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let run = folder.appendingPathComponent("run")
            let writer = try SurrogateWriter(
                folder: run.appendingPathComponent("surrogate"),
                classNames: classNames
            )
            var entries = [SurrogateEntry]()
            for label in 0..<2 {
                for index in 0..<12 {
                    let bytes = (0..<16).map { UInt8(label * 100 + index + 3 * $0) }
                    let image = Image(width: 4, height: 4, channels: 1, bytes: bytes)
                    try writer.write(image, label: label, index: index)
                    let source = "train #\(index)"
                    entries.append(.init(label: label, index: index, seed: 7, source: source))
                }
            }
            try writer.finish(entries, summary: "Test.")
            try body(run)
        }
    }

    @Test("holds every file under its own name, and what tells of them")
    func folder() throws {
        try withRun(classNames: ["a", "b"]) { run in
            // A run may hold more beside the images.
            let more = run.appendingPathComponent("surrogate/images.safetensors")
            try Data([1]).write(to: more)
            let output = run.appendingPathComponent("out")
            let count = try SurrogateExport(run).write(.imagefolder, to: output)
            #expect(count == 24)
            let names = ["metadata.jsonl", "README.md", "a/2.png", "a/10.png", "b/11.png"]
            for name in names {
                let original = run.appendingPathComponent("surrogate/\(name)")
                #expect(
                    try Data(contentsOf: output.appendingPathComponent(name))
                        == Data(contentsOf: original),
                    "\(name)"
                )
            }
            let copied = try FileManager.default.subpathsOfDirectory(atPath: output.path)
            #expect(copied.filter { $0.hasSuffix(".png") }.count == 24)
            #expect(!copied.contains("images.safetensors"))
        }
    }

    @Test("a folder of links becomes one of images")
    func links() throws {
        try withRun(classNames: ["a", "b"]) { run in
            let links = run.appendingPathComponent("links")
            for name in ["a", "b"] {
                let place = links.appendingPathComponent(name)
                try FileManager.default.createDirectory(
                    at: place,
                    withIntermediateDirectories: true
                )
                try FileManager.default.createSymbolicLink(
                    atPath: place.appendingPathComponent("0.png").path,
                    withDestinationPath: "../../surrogate/\(name)/0.png"
                )
            }
            let output = run.appendingPathComponent("elsewhere/out")
            try FileManager.default.createDirectory(
                at: output.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            #expect(try SurrogateExport(links).write(.imagefolder, to: output) == 2)
            for name in ["a/0.png", "b/0.png"] {
                let copy = output.appendingPathComponent(name)
                #expect(try copy.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true)
                let original = run.appendingPathComponent("surrogate/\(name)")
                #expect(try Data(contentsOf: copy) == Data(contentsOf: original))
            }
        }
    }

    /// One image in each of two class folders.
    private func writeImages(_ folder: URL) throws {
        for (label, name) in ["a", "b"].enumerated() {
            let place = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            let bytes = [UInt8](repeating: UInt8(label), count: 16)
            let image = Image(width: 4, height: 4, channels: 1, bytes: bytes)
            try image.pngData().write(to: place.appendingPathComponent("0.png"))
        }
    }

    @Test(
        "that fails leaves nothing behind, and succeeds when the cause is gone",
        arguments: [SurrogateExport.Format.tarShards, .safetensors, .pt]
    )
    func failure(format: SurrogateExport.Format) throws {
        try withTemporaryFolder { folder in
            let source = folder.appendingPathComponent("images")
            try writeImages(source)
            let output = folder.appendingPathComponent("out/data")
            let image = source.appendingPathComponent("b/0.png")
            let whole = try Data(contentsOf: image)
            try Data(whole.prefix(40)).write(to: image)
            #expect(throws: (any Error).self) {
                try SurrogateExport(source).write(format, to: output)
            }
            let place = output.deletingLastPathComponent().path
            #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
            try whole.write(to: image)
            #expect(try SurrogateExport(source).write(format, to: output) == 2)
        }
    }

    @Test("to a file removes what a killed one has left of it", arguments: ["pt", "safetensors"])
    func leftoverFile(name: String) throws {
        try withTemporaryFolder { folder in
            let source = folder.appendingPathComponent("images")
            try writeImages(source)
            let place = folder.appendingPathComponent("out")
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            let left = [".data.\(name).partial-1a", ".other.\(name).partial-1a"]
            for name in left { try Data([1]).write(to: place.appendingPathComponent(name)) }
            let format = try #require(SurrogateExport.Format(rawValue: name))
            let export = try SurrogateExport(source)
            #expect(try export.write(format, to: place.appendingPathComponent("data.\(name)")) == 2)
            let names = try FileManager.default.contentsOfDirectory(atPath: place.path).sorted()
            #expect(names == [left[1], "data.\(name)"])
        }
    }

    @Test(
        "takes the place of what a killed one has left",
        arguments: [SurrogateExport.Format.imagefolder, .tarShards]
    )
    func leftovers(format: SurrogateExport.Format) throws {
        try withTemporaryFolder { folder in
            let source = folder.appendingPathComponent("images")
            try writeImages(source)
            let place = folder.appendingPathComponent("out")
            try FileManager.default.createDirectory(
                at: place.appendingPathComponent(".data.partial-1a/a"),
                withIntermediateDirectories: true
            )
            let output = place.appendingPathComponent("data")
            #expect(try SurrogateExport(source).write(format, to: output) == 2)
            #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["data"])
            let files = try FileManager.default.contentsOfDirectory(atPath: output.path).sorted()
            #expect(
                files == (format == .imagefolder ? ["a", "b"] : ["000000.tar", "classnames.txt"])
            )
        }
    }

    @Test("of a comparison is one of the sets that are there")
    func comparison() throws {
        try withTemporaryFolder { folder in
            let files = FileManager.default
            try Data().write(to: folder.appendingPathComponent("grid.resolved.yaml"))
            func advice() throws -> String {
                let error = #expect(throws: RunError.self) { try SurrogateExport(folder) }
                return try #require(error?.description)
            }
            #expect(try advice().contains("only results"))
            func make(_ name: String) throws {
                let place = folder.appendingPathComponent("shared/\(name)")
                try files.createDirectory(at: place, withIntermediateDirectories: true)
            }
            try make("features")
            try make("random-20/baselines/random")
            #expect(try advice().contains("shared/random-20 --method random."))
            try make("minimax-20/surrogate")
            #expect(try advice().contains("shared/minimax-20."))
        }
    }

    @Test("below a file is refused, and the file is named")
    func belowFile() throws {
        try withTemporaryFolder { folder in
            try writeImages(folder.appendingPathComponent("images"))
            let file = folder.appendingPathComponent("file")
            try Data().write(to: file)
            let export = try SurrogateExport(folder.appendingPathComponent("images"))
            let error = #expect(throws: RunError.self) {
                try export.write(.pt, to: file.appendingPathComponent("new/x.pt"))
            }
            #expect(error?.description.contains("\(file.path) is a file") == true)
        }
    }

    @Test(
        "comes back from shards with the pixels, the labels and the names of the classes",
        arguments: [["a", "b"], ["00-t-shirt-top", "01-trouser"], ["n02086240", "n02087394"]]
    )
    func shards(classNames: [String]) throws {
        try withRun(classNames: classNames) { run in
            let output = run.appendingPathComponent("out")
            #expect(try SurrogateExport(run).write(.tarShards, to: output) == 24)
            let original = try ImageFolder(run.appendingPathComponent("surrogate"))
            let found = try TarShards(folder: output)
            #expect(found.classNames == classNames)
            #expect(found.count == 24)
            for index in 0..<24 {
                #expect(found.label(at: index) == original.label(at: index))
                #expect(try found.image(at: index) == original.image(at: index))
            }
        }
    }
}
