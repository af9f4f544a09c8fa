import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

/// A file with a given header and data, padded as the format wants it.
func safetensors(_ header: String, data: [UInt8] = []) -> [UInt8] {
    let text = Array(header.utf8)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + data
}

@Suite("Reading safetensors")
struct SafetensorsReadingTests {
    /// Reads bytes through a file, which is gone when the tensors are used.
    private func read(_ bytes: [UInt8]) throws -> SafetensorsFile {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            try Data(bytes).write(to: url)
            return try SafetensorsFile(contentsOf: url)
        }
    }

    private let four: [UInt8] = [
        0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40,
    ]

    @Test("writing into a loaded tensor leaves the file unchanged")
    func copyOnWrite() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            let header = #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"# + " "
            try Data(safetensors(header, data: four)).write(to: url)
            let before = try Data(contentsOf: url)
            let tensor = try #require(try SafetensorsFile(contentsOf: url)["a"])
            tensor.fill(with: 7)
            expectValues(tensor, [7, 7, 7, 7])
            #expect(try Data(contentsOf: url) == before)
            let again = try #require(try SafetensorsFile(contentsOf: url)["a"])
            expectValues(again, [1, 2, 3, 4])
        }
    }

    @Test("aligned tensors use the mapping, the others are copies")
    func alignment() throws {
        // The header has a length that is no multiple of 4.
        for padding in 0..<8 {
            let space = String(repeating: " ", count: padding)
            let header = #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"# + space
            let file = try read(safetensors(header, data: four))
            let tensor = try #require(file["a"])
            expectValues(tensor, [1, 2, 3, 4], shape: [2, 2])
            let address = Int(bitPattern: tensor.dataPointer)
            #expect(address.isMultiple(of: 4))
            let isAligned = (8 + header.utf8.count).isMultiple(of: 4)
            let other = try #require(file["a"])
            #expect((tensor.dataPointer == other.dataPointer) == isAligned)
        }
    }

    @Test("the mapping lives as long as its last tensor")
    func lifetime() throws {
        let count = 1 << 20
        let header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[\(count)],\"data_offsets\":[0,\(count)]}}"
        var file: SafetensorsFile? = try read(
            safetensors(header, data: [UInt8](repeating: 3, count: count))
        )
        weak let mapping = file?.mapping
        var tensor = file?["a"]
        file = nil
        #expect(mapping != nil)
        var view = tensor?[10..<20]
        tensor = nil
        #expect(mapping != nil)
        #expect(view?.values(as: UInt8.self) == [UInt8](repeating: 3, count: 10))
        view = nil
        #expect(mapping == nil)
    }

    @Test("the file may be replaced while its tensors are used")
    func replacedFile() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            try Safetensors.save(StateDictionary([("a", .ones([1000]))]), to: url)
            let old = try Safetensors.load(contentsOf: url)
            try Safetensors.save(old.mapValues { $0 * 2 }, to: url)
            expectClose(try #require(old["a"]), .ones([1000]))
            expectClose(try #require(try SafetensorsFile(contentsOf: url)["a"]), .ones([1000]) * 2)
        }
    }

    @Test("names and metadata with any characters are read, in the order of the header")
    func names() throws {
        let header =
            #"{"z":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"#
            + #""__metadata__":{"a\"b":"c\\d\n\u0041\ud83d\ude00"},"#
            + #""ü/é\t":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}"#
        let file = try read(safetensors(header, data: [5, 6]))
        #expect(file.metadata == ["a\"b": "c\\d\nA😀"])
        #expect(file.entries.map(\.name) == ["z", "ü/é\t"])
        #expect(file.state().names == ["z", "ü/é\t"])
        #expect(file["z"]?.item == 6)
        #expect(file["ü/é\t"]?.item == 5)
        #expect(file["ü/é\t"]?.shape == [])
        #expect(file["nothing"] == nil)
    }

    @Test("a file without tensors is valid")
    func noTensors() throws {
        #expect(try read(safetensors("{}")).entries.isEmpty)
        #expect(try read(safetensors(#"{"__metadata__":{}}"#)).metadata.isEmpty)
    }

    @Test("tensors without elements may lie anywhere between others")
    func emptyTensors() throws {
        let header =
            #"{"a":{"dtype":"F32","shape":[0,3],"data_offsets":[16,16]},"#
            + #""b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"#
            + #""c":{"dtype":"I64","shape":[5,0],"data_offsets":[0,0]}}"#
        let state = try read(safetensors(header, data: four)).state()
        #expect(state["a"]?.shape == [0, 3])
        #expect(state["c"]?.shape == [5, 0])
        #expect(state["c"]?.dtype == .int64)
    }

    @Test(
        "types without a tensor here are named",
        arguments: ["U16", "U32", "U64", "F8_E4M3", "F8_E5M2"]
    )
    func unsupported(_ type: String) throws {
        let header = "{\"w\":{\"dtype\":\"\(type)\",\"shape\":[0],\"data_offsets\":[0,0]}}"
        let error = #expect(throws: CheckpointError.self) { try read(safetensors(header)) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("\"w\" has the dtype \(type)") == true)
        #expect(error?.message.contains("BF16") == true)
    }

    static let faults: [(header: String, data: [UInt8], part: String)] = [
        (#"{"a":{"dtype":"F32","shape":[4],"shape":[4],"data_offsets":[0,16]}}"#, [], "twice"),
        (#"{"__metadata__":{"k":"1","k":"2"}}"#, [], "twice"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{}}"#, [0], "twice"),
        (#"{"__metadata__":{"k":1}}"#, [], "must be a string"),
        (#"{"__metadata__":[]}"#, [], "object of strings"),
        (#"{"a":3}"#, [], "object"),
        (#"{"a":{"dtype":"U8","data_offsets":[0,1]}}"#, [0], "shape"),
        (#"{"a":{"dtype":"U8","shape":[1]}}"#, [0], "data_offsets"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}"#, [0], "data_offsets"),
        (#"{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}"#, [0], "but [1e0] was found"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[3,2]}}"#, [0], "but [3,2] was found"),
        (#"{"a":{"dtype":"U8","shape":{"x":[null,true,"y"]}}}"#, [], #"{"x":[null,true,"y"]}"#),
        (#"{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}"#, [0], "whole numbers"),
        (#"{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}"#, [], "whole numbers"),
        (#"{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}"#, [0], "JSON"),
        (
            #"{"a":{"dtype":"F32","shape":[0,4611686018427387904,8],"data_offsets":[0,0]}}"#, [],
            "2^63"
        ),
        (#"{"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#, [1, 2], "0 and 1"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, [], "has"),
        (#" {}"#, [], "begin with"),
        (#"{} x"#, [], "something follows"),
        (#"{"a":}"#, [], "value was expected"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},}"#, [0], "JSON"),
        ("{\"a\u{1}\":{}}", [], "control character"),
        (#"{"\ud800":{}}"#, [], "half a character"),
        (#"{"a\q":{}}"#, [], "escape"),
        ("{\"a\":" + String(repeating: "[", count: 100_000), [], "too deeply"),
    ]

    @Test("a faulty header is refused with the reason", arguments: faults.indices)
    func refuses(_ number: Int) throws {
        let fault = Self.faults[number]
        let error = #expect(throws: CheckpointError.self) {
            try read(safetensors(fault.header, data: fault.data))
        }
        #expect(error?.code == .malformed)
        #expect(error?.reason.contains(fault.part) == true, "\(error?.message ?? "")")
    }

    @Test("a file of another kind is recognised")
    func otherKinds() throws {
        func message(_ bytes: [UInt8]) -> String {
            #expect(throws: CheckpointError.self) { try read(bytes) }?.message ?? ""
        }
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n"
        #expect(message(Array(pointer.utf8)).contains("Git-LFS"))
        let zip: [UInt8] = [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 60)
        #expect(message(zip).contains("zip archive"))
    }

    private func code(_ url: URL) -> CheckpointError.Code? {
        #expect(throws: CheckpointError.self) { try SafetensorsFile(contentsOf: url) }?.code
    }

    @Test("a missing file, a folder and a file of nothing are told apart")
    func unreadable() throws {
        try withTemporaryFolder { folder in
            #expect(code(folder.appendingPathComponent("none")) == .notFound)
            #expect(code(folder) == .unreadable)
            let url = folder.appendingPathComponent("x")
            try Data([1]).write(to: url)
            #expect(code(url) == .malformed)
        }
    }

    @Test(
        "a forbidden file is told apart, too",
        .enabled(if: getuid() != 0, "nothing is forbidden to root")
    )
    func forbidden() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x")
            try Data([1]).write(to: url)
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: url.path)
            #expect(code(url) == .unreadable)
        }
    }

    @Test("every prefix of a valid file is refused")
    func truncations() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.safetensors")
            let state = StateDictionary([("a", .ones([3])), ("b", .zeros([2], dtype: .int16))])
            try Safetensors.save(state, metadata: ["k": "v"], to: url)
            let bytes = try Data(contentsOf: url)
            for length in 0..<bytes.count {
                try bytes.prefix(length).write(to: url)
                #expect(throws: CheckpointError.self) { try SafetensorsFile(contentsOf: url) }
            }
        }
    }
}
