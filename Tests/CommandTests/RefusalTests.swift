import Foundation
import Images
import TestSupport
import Testing

@Suite("Commands that are refused")
struct RefusalTests {
    private func expect(
        _ code: Int32,
        _ words: [String],
        _ arguments: [String],
        in folder: URL? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let process = try DistillProcess(arguments, in: folder)
        let errors = process.errors
        #expect(process.exitCode == code, "\(errors)", sourceLocation: sourceLocation)
        for word in words {
            #expect(errors.contains(word), "\(errors)", sourceLocation: sourceLocation)
        }
        #expect(!errors.contains("Error Domain"), "\(errors)", sourceLocation: sourceLocation)
        #expect(!errors.contains("Fatal error"), "\(errors)", sourceLocation: sourceLocation)
    }

    @Test("more threads than libtorch bears", arguments: ["1025", "100000", "3000000000"])
    func threads(count: String) throws {
        try expect(64, ["--threads is \(count)", "1024"], ["doctor", "--threads", count])
    }

    @Test("a report of what is no run")
    func report() throws {
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("file")
            try Data("{".utf8).write(to: file)
            try expect(66, ["is a file"], ["report", file.path])
            let run = folder.appendingPathComponent("run")
            try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
            try expect(66, ["not a run folder"], ["report", run.path])
            let results = run.appendingPathComponent("results.json")
            try FileManager.default.moveItem(at: file, to: results)
            try expect(65, ["results.json", "not valid JSON"], ["report", run.path])
        }
    }

    @Test("an export to where nothing can be written")
    func export() throws {
        try withTemporaryFolder { folder in
            let image = Image(width: 2, height: 2, channels: 1, bytes: [1, 2, 3, 4])
            for name in ["a", "b"] {
                let place = folder.appendingPathComponent("images/\(name)")
                try FileManager.default.createDirectory(
                    at: place,
                    withIntermediateDirectories: true
                )
                try image.pngData().write(to: place.appendingPathComponent("0.png"))
            }
            let file = folder.appendingPathComponent("file")
            try Data().write(to: file)
            let command = ["export", "images", "--format", "pt", "-o"]
            try expect(1, ["file is a file"], command + ["file/x.pt"], in: folder)
            if FileManager.default.fileExists(atPath: "/proc/self") {
                let place = "/proc/nowhere"
                try expect(1, ["\(place) cannot be made"], command + ["\(place)/x.pt"], in: folder)
            }
            let damaged = folder.appendingPathComponent("images/b/0.png")
            try Data("no image".utf8).write(to: damaged)
            try expect(65, ["b/0.png"], command + ["x.pt"], in: folder)
        }
    }

    @Test("files of an evaluation that could not be written at its end, before it begins")
    func evaluation() throws {
        try withTemporaryFolder { folder in
            let command = ["evaluate", "--train", "nowhere", "--test", "nowhere"]
            for option in ["--save", "--checkpoint", "--results"] {
                try expect(
                    64,
                    ["is a folder", option],
                    command + [option, folder.path],
                    in: folder
                )
                try expect(
                    66,
                    ["There is no folder", "nosuch", option],
                    command + [option, "nosuch/c"],
                    in: folder
                )
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }
}
