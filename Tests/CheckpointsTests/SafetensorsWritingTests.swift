import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Writing safetensors")
struct SafetensorsWritingTests {
    private static let canMount: Bool = {
        #if os(Linux)
            guard getuid() == 0 else { return false }
            return (try? withSmallDisk { _ in true }) ?? false
        #else
            return false
        #endif
    }()

    private struct MountError: Error {}

    /// Runs `body` with a folder on a disk of 64 KiB.
    private static func withSmallDisk<Result>(_ body: (URL) throws -> Result) throws -> Result {
        func run(_ arguments: String...) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = arguments
            process.standardError = nil
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw MountError() }
        }
        return try withTemporaryFolder { folder in
            try run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path)
            defer { try? run("umount", folder.path) }
            return try body(folder)
        }
    }

    private func names(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test("every type of element comes back bit by bit", arguments: DType.allCases)
    func roundTrip(_ dtype: DType) throws {
        try withTemporaryFolder { folder in
            var generator = RandomGenerator(seed: 1)
            let bytes = generator.words(21 * 8).map { word in
                dtype == .bool ? UInt8(word & 1) : UInt8(word & 0xFF)
            }
            let size = dtype.byteCount
            let state = StateDictionary([
                (
                    "matrix",
                    Tensor(bytes: Array(bytes.prefix(21 * size)), shape: [3, 7], dtype: dtype)
                ),
                ("scalar", Tensor(bytes: Array(bytes.prefix(size)), shape: [], dtype: dtype)),
                ("empty", .zeros([0, 5], dtype: dtype)),
            ])
            let url = folder.appendingPathComponent("x.safetensors")
            try Safetensors.save(state, to: url)
            let loaded = try Safetensors.load(contentsOf: url)
            #expect(loaded.names == state.names)
            for (name, tensor) in state {
                let found = try #require(loaded[name])
                #expect(found.dtype == dtype && found.shape == tensor.shape)
                #expect(found.bytes() == tensor.bytes())
            }
        }
    }

    @Test("views, channels-last tensors and trained ones are written in row-major order")
    func layouts() throws {
        try withTemporaryFolder { folder in
            var generator = RandomGenerator(seed: 2)
            let x = generator.normal([2, 3, 4, 5])
            let trained = x.copied()
            trained.requiresGradient = true
            let state = StateDictionary([
                ("transposed", x.transposed(1, 3)),
                ("slice", x.sliced(1..<3, along: 2)),
                ("expanded", x[0..<1].expanded([4, 3, 4, 5])),
                ("channels-last", x.contiguous(channelsLast: true)),
                ("trained", trained),
            ])
            let url = folder.appendingPathComponent("x.safetensors")
            try Safetensors.save(state, to: url)
            for (name, tensor) in try Safetensors.load(contentsOf: url) {
                expectIdentical(tensor, try #require(state[name]), name)
                #expect(tensor.isContiguous())
                #expect(!tensor.requiresGradient)
            }
        }
    }

    @Test("order and metadata are kept, and every tensor is aligned")
    func orderAndMetadata() throws {
        try withTemporaryFolder { folder in
            let state = StateDictionary([
                ("z", .ones([3], dtype: .uint8)), ("a \"b\" \\ \n\u{1}ü😀", .ones([5])),
                ("m", .ones([1], dtype: .float64)), ("b", .ones([3], dtype: .bfloat16)),
            ])
            let metadata = ["format": "pt", "ключ": "значение \"\\\n\u{7F}"]
            let url = folder.appendingPathComponent("x.safetensors")
            try Safetensors.save(state, metadata: metadata, to: url)
            let file = try SafetensorsFile(contentsOf: url)
            #expect(file.metadata == metadata)
            #expect(file.entries.map(\.name) == state.names)
            for entry in file.entries {
                #expect(entry.range.lowerBound.isMultiple(of: entry.dtype.byteCount))
                // Both reads use the mapping: no copy was made.
                #expect(file[entry.name]?.dataPointer == file[entry.name]?.dataPointer)
            }
        }
    }

    @Test("the bytes follow the layout of the reference library")
    func layoutOfTheReference() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            let state = StateDictionary([
                ("b", Tensor([1, 2] as [UInt8])), ("a", Tensor([1.5] as [Float])),
            ])
            try Safetensors.save(state, metadata: ["k": "v"], to: url)
            let bytes = [UInt8](try Data(contentsOf: url))
            let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            #expect((8 + length).isMultiple(of: 8))
            let header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
            let text =
                #"{"__metadata__":{"k":"v"},"#
                + #""b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"#
                + #""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
            #expect(header.hasPrefix(text))
            #expect(header.dropFirst(text.count).allSatisfy { $0 == " " })
            #expect(Array(bytes[(8 + length)...]) == [0, 0, 0xC0, 0x3F, 1, 2])
        }
    }

    @Test("no temporary file is left, and leftovers of killed programs can be removed")
    func leftovers() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            for _ in 0..<3 { try Safetensors.save(StateDictionary([("a", .ones([2]))]), to: url) }
            #expect(try names(in: folder) == ["x.safetensors"])
            let leftover = folder.appendingPathComponent(".x.safetensors.partial-abc")
            try Data([1]).write(to: leftover)
            AtomicFile.removeLeftovers(of: folder.appendingPathComponent("y.safetensors"))
            #expect(try names(in: folder).count == 2)
            AtomicFile.removeLeftovers(of: url)
            #expect(try names(in: folder) == ["x.safetensors"])
            try Data([1]).write(to: leftover)
            AtomicFile.removeLeftovers(in: folder)
            #expect(try names(in: folder) == ["x.safetensors"])
        }
    }

    @Test("a failure while writing leaves the old file and nothing else")
    func failureLeavesTheOldFile() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.json")
            try AtomicFile.write(Array("old".utf8), to: url)
            #expect(throws: CheckpointError.self) {
                try AtomicFile.write(to: url) { (file) throws(CheckpointError) in
                    try file.append(Array("new".utf8))
                    throw .writing(url.path, errno: EIO)
                }
            }
            #expect(try String(contentsOf: url, encoding: .utf8) == "old")
            #expect(try names(in: folder) == ["x.json"])
        }
    }

    @Test(
        "a full disk is a clear error and the old file stays valid",
        .enabled(if: canMount, "needs root and mount")
    )
    func fullDisk() throws {
        try Self.withSmallDisk { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            let old = StateDictionary([("a", .ones([1000]))])
            try Safetensors.save(old, to: url)
            let error = #expect(throws: CheckpointError.self) {
                try Safetensors.save(
                    StateDictionary([("a", .zeros([8000])), ("b", .zeros([8000]))]),
                    to: url
                )
            }
            #expect(error?.code == .diskFull)
            #expect(error?.message.contains(folder.path) == true)
            #expect(error?.message.contains("Free some space") == true)
            #expect(try names(in: folder) == ["x.safetensors"])
            expectIdentical(try #require(try Safetensors.load(contentsOf: url)["a"]), .ones([1000]))
        }
    }

    @Test("a missing folder and a forbidden one are clear errors")
    func unwritable() throws {
        try withTemporaryFolder { folder in
            let state = StateDictionary([("a", .ones([2]))])
            let missing = folder.appendingPathComponent("none/x.safetensors")
            let error = #expect(throws: CheckpointError.self) {
                try Safetensors.save(state, to: missing)
            }
            #expect(error?.code == .unwritable)
            #expect(error?.message.contains("there is no folder") == true)
            // A file stands where the folder should be: this is forbidden to root, too.
            let file = folder.appendingPathComponent("file")
            try Data().write(to: file)
            let second = #expect(throws: CheckpointError.self) {
                try Safetensors.save(state, to: file.appendingPathComponent("x.safetensors"))
            }
            #expect(second?.code == .unwritable)
            // So is replacing a folder by a file.
            let taken = folder.appendingPathComponent("taken", isDirectory: true)
            try FileManager.default.createDirectory(at: taken, withIntermediateDirectories: true)
            #expect(throws: CheckpointError.self) { try Safetensors.save(state, to: taken) }
            #expect(try names(in: folder) == ["file", "taken"])
        }
    }

    @Test("a tensor cannot have the name of the metadata")
    func reservedName() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            let error = #expect(throws: CheckpointError.self) {
                try Safetensors.save(StateDictionary([("__metadata__", .ones([2]))]), to: url)
            }
            #expect(error?.code == .unsupported)
        }
    }

    @Test("many views of one small tensor are written in full")
    func manyViews() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            // One megabyte of memory, a hundred of file.
            let row = Tensor.ones([1, 1 << 18])
            let state = StateDictionary(
                (0..<100).map { ("w.\($0)", row.expanded([1, 1 << 18])) }
            )
            expectNoLeaks { try? Safetensors.save(state, to: url) }
            let size = try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int
            #expect((size ?? 0) > 100 << 20)
            #expect(try Safetensors.load(contentsOf: url)["w.99"]?.sum().item == Double(1 << 18))
        }
    }
}
