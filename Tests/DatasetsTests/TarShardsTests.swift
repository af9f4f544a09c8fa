import Datasets
import Foundation
import Images
import TestSupport
import Testing

@Suite("Tar shards")
struct TarShardsTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Packs everything of a folder with the system's `tar`.
    private func pack(_ content: String, into shard: String, format: String = "ustar") throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "tar", "--format=\(format)", "-cf", folder.url.appendingPathComponent(shard).path,
            "-C", folder.url.appendingPathComponent(content).path, ".",
        ]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    @Test(
        "samples are images and labels of one name, in all shards",
        arguments: [
            (nil, ["00", "01", "02"]),
            (["Afghan hound", "Beagle", "Collie"], ["Afghan hound", "Beagle", "Collie"]),
            (["Collie", "Beagle", "T/b"], ["00-collie", "01-beagle", "02-t-b"]),
        ] as [([String]?, [String])]
    )
    func labelled(titles: [String]?, classNames: [String]) throws {
        for shard in 0..<2 {
            for index in 0..<3 {
                let name = "in/\(shard)/\(shard)\(index)"
                try folder.writeImage(UInt8(shard * 100 + index), to: "\(name).png")
                try folder.write("\((index + shard) % 3)\n".utf8, to: "\(name).cls")
                try folder.write("ignored".utf8, to: "\(name).json")
            }
            try pack("in/\(shard)", into: "set-\(shard).tar")
        }
        if let titles {
            try folder.write((titles.joined(separator: "\n") + "\n").utf8, to: "classnames.txt")
        }
        let data = try TarShards(folder: folder.url)
        #expect(data.count == 6)
        #expect(data.classNames == classNames)
        for index in 0..<6 {
            let level = Int(try data.image(at: index).bytes[0])
            #expect(data.label(at: index) == (level % 100 + level / 100) % 3)
        }
        #expect(try data.fingerprint() == TarShards(folder: folder.url).fingerprint())
    }

    @Test(
        "without labels the folders are the classes, long names included",
        arguments: ["ustar", "gnu", "pax"]
    )
    func folders(format: String) throws {
        let long = String(repeating: "x", count: format == "ustar" ? 90 : 140)
        for (level, name) in ["n02", "n01"].enumerated() {
            try folder.writeImage(UInt8(level), to: "in/\(name)/a.png")
            try folder.writeImage(UInt8(level), to: "in/\(name)/\(long).png")
            try folder.writeImage(9, to: "in/\(name)/.hidden.png")
        }
        try pack("in", into: "set.tar", format: format)
        let data = try TarShards(folder: folder.url)
        #expect(data.classNames == ["n01", "n02"])
        #expect(data.count == 4)
        for index in 0..<4 {
            #expect(try data.image(at: index).bytes[0] == (data.label(at: index) == 0 ? 1 : 0))
        }
        #expect((0..<4).contains { data.identifier(at: $0).hasSuffix("\(long).png") })
    }

    @Test("archives that are none, cut short, compressed or unlabelled are refused by name")
    func faults() throws {
        func error() -> DatasetError? {
            #expect(throws: DatasetError.self) { try TarShards(folder: folder.url) }
        }
        #expect(error()?.code == .missingFile)
        try folder.write([1, 2, 3], to: "set.tar.gz")
        #expect(error()?.message.contains("decompress") == true)
        try folder.write([UInt8](repeating: 65, count: 1024), to: "set.tar")
        #expect(error()?.message.contains("set.tar") == true)
        try folder.writeImage(1, to: "in/a/0.png", width: 40, height: 40)
        try folder.writeImage(1, to: "in/a/1.png", width: 40, height: 40)
        try pack("in", into: "set.tar")
        #expect(try TarShards(folder: folder.url).count == 2)
        let whole = try Data(contentsOf: folder.url.appendingPathComponent("set.tar"))
        let image = try Data(contentsOf: folder.url.appendingPathComponent("in/a/1.png"))
        // Inside of the last image.
        let end = try #require(whole.range(of: image, options: .backwards)).lowerBound + 10
        try folder.write(whole.prefix(end), to: "set.tar")
        #expect(error()?.code == .truncated)
        // Before the header of the last image, inside of it, and where only the end mark is missing.
        let header = (end - 10) / 512 * 512 - 512
        for cut in [header, header + 100, (end + image.count + 511) / 512 * 512] {
            try folder.write(whole.prefix(cut), to: "set.tar")
            #expect(error()?.code == .truncated, "\(cut) of \(whole.count) bytes")
        }
        try folder.write("0".utf8, to: "in/a/0.cls")
        try pack("in", into: "set.tar")
        #expect(error()?.message.contains("a/1.png") == true)
        try folder.write("dog".utf8, to: "in/a/1.cls")
        try pack("in", into: "set.tar")
        #expect(error()?.message.contains("dog") == true)
    }

    @Test(
        "a pax header with impossible numbers is refused or ignored",
        arguments: [
            ("28 size=9223372036854775807\n", DatasetError.Code.truncated),
            ("11 size=-1\n", .malformed), ("1 path=x\n", .noClasses),
        ]
    )
    func paxNumbers(record: String, code: DatasetError.Code) throws {
        func header(_ type: String, _ name: String, size: Int) -> [UInt8] {
            var block = [UInt8](repeating: 0, count: 512)
            func put(_ text: String, at place: Int) {
                block.replaceSubrange(place..<place + text.utf8.count, with: text.utf8)
            }
            put(name, at: 0)
            put(String(format: "%011lo", size), at: 124)
            put("        ", at: 148)
            put(type, at: 156)
            put("ustar\u{0}00", at: 257)
            put(String(format: "%06lo", block.reduce(0) { $0 + Int($1) }), at: 148)
            return block
        }
        let text = Array(record.utf8)
        let padding = [UInt8](repeating: 0, count: 512 - text.count)
        let end = [UInt8](repeating: 0, count: 1024)
        let archive =
            header("x", "pax", size: text.count) + text + padding
            + header("0", "a.txt", size: 0) + end
        try folder.write(archive, to: "set.tar")
        let error = #expect(throws: DatasetError.self) { try TarShards(folder: folder.url) }
        #expect(error?.code == code)
    }
}

@Suite("Lists of classes")
struct ClassListTests {
    private static let folder = Checkout.url("Resources/classes")

    private static func list(_ name: String) throws -> ClassList {
        try ClassList(contentsOf: folder.appendingPathComponent("\(name).tsv"))
    }

    @Test("every list is part of ImageNet-1K, with its labels")
    func lists() throws {
        let all = try ClassListTests.list("imagenet-1k")
        #expect(all.entries.map(\.label) == Array(0..<1000))
        #expect(all.folders == all.folders.sorted())
        let sizes = ["imagewoof": 10, "imagenette": 10, "imageidc": 10, "imagenet-100": 100]
        for (name, size) in sizes {
            let list = try ClassListTests.list(name)
            #expect(list.entries.count == size)
            for entry in list.entries { #expect(all.entries[entry.label] == entry) }
        }
        #expect(
            try ClassListTests.list("imageidc").entries
                == Array(ClassListTests.list("imagenet-100").entries.prefix(10))
        )
    }

    @Test("a folder with only a subset's classes gets the labels of the whole")
    func labels() throws {
        // Published: DiT labels of ImageWoof in its order.
        let woof = try ClassListTests.list("imagewoof")
        let labels = [193, 182, 258, 162, 155, 167, 159, 273, 207, 229]
        #expect(woof.entries.map(\.label) == labels)
        // Folders are read in string order, which is another.
        let sorted = woof.folders.sorted()
        let expected = [155, 159, 162, 167, 182, 193, 207, 229, 258, 273]
        #expect(try woof.labels(of: sorted) == expected)
        let error = #expect(throws: DatasetError.self) {
            try woof.labels(of: ["n02096294", "cats"])
        }
        #expect(error?.message.contains("cats") == true)
    }
}
