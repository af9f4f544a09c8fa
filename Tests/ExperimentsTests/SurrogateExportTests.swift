import Datasets
import Experiments
import Foundation
import Images
import TestSupport
import Testing

@Suite("An exported folder of images")
struct SurrogateExportTests {
    @Test("holds every file under its own name, and what tells of them")
    func folder() throws {
        try withTemporaryFolder { folder in
            let run = folder.appendingPathComponent("run")
            let writer = try SurrogateWriter(
                folder: run.appendingPathComponent("surrogate"),
                classNames: ["a", "b"]
            )
            var entries = [SurrogateEntry]()
            for label in 0..<2 {
                // More than ten: in string order 10.png stands before 2.png.
                for index in 0..<12 {
                    let bytes = [UInt8](repeating: UInt8(label * 100 + index), count: 16)
                    let image = Image(width: 4, height: 4, channels: 1, bytes: bytes)
                    try writer.write(image, label: label, index: index)
                    let source = "train #\(index)"
                    entries.append(.init(label: label, index: index, seed: 7, source: source))
                }
            }
            try writer.finish(entries, summary: "Test.")
            // A run may hold more beside the images.
            let more = run.appendingPathComponent("surrogate/images.safetensors")
            try Data([1]).write(to: more)
            let output = folder.appendingPathComponent("out")
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
}
