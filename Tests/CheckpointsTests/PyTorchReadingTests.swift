import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Reading PyTorch files")
struct PyTorchReadingTests {
    /// Reads bytes through a file, which is gone when the tensors are used.
    private func read(_ bytes: [UInt8]) throws -> Checkpoint {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.pt")
            try Data(bytes).write(to: url)
            return try Checkpoint(contentsOf: url)
        }
    }

    private func read(pickle parts: String...) throws -> Checkpoint {
        try read(ForeignFiles.checkpoint(pickle: ForeignFiles.pickle(parts)))
    }

    /// The message with which a pickle is refused.
    private func refusal(_ parts: String...) -> String {
        let bytes = ForeignFiles.checkpoint(pickle: ForeignFiles.pickle(parts))
        return #expect(throws: CheckpointError.self) { try read(bytes) }?.message ?? ""
    }

    @Test("a pickle in protocol 0 is read as well")
    func protocolZero() throws {
        let checkpoint = try read(
            pickle: "(dp0\n",
            ForeignFiles.text("w"),
            ForeignFiles.tensor(),
            "s",
            ForeignFiles.text("step"),
            "I7\ns",
            ForeignFiles.text("rate"),
            "F0.5\ns",
            ForeignFiles.text("long"),
            "L12345L\ns",
            ForeignFiles.text("on"),
            "I01\ns."
        )
        #expect(checkpoint.format == .pyTorch)
        expectValues(try #require(checkpoint["w"]), [1, 2, 3, 4])
        #expect(checkpoint.content["step"] == .integer(7))
        #expect(checkpoint.content["rate"] == .number(0.5))
        #expect(checkpoint.content["long"] == .integer(12345))
        #expect(checkpoint.content["on"] == .bool(true))
    }

    @Test("the format is recognised by the content, not the name")
    func contentDecides() throws {
        try withTemporaryFolder { folder in
            let state = StateDictionary([("a", .ones([3]))])
            let url = folder.appendingPathComponent("x.pt")
            try Safetensors.save(state, metadata: ["k": "v"], to: url)
            let checkpoint = try Checkpoint(contentsOf: url)
            #expect(checkpoint.format == .safetensors)
            #expect(checkpoint.content["k"] == .text("v"))
            expectValues(try #require(checkpoint["a"]), [1, 1, 1])
            #expect(checkpoint["b"] == nil)
        }
        // A header of 640 bytes begins like a pickle.
        let header = #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
        let padded = header + String(repeating: " ", count: 640 - header.utf8.count)
        let bytes = safetensors(padded, data: [5])
        #expect(Array(bytes.prefix(2)) == [0x80, 2])
        #expect(try read(bytes)["a"]?.item == 5)
    }

    @Test("views of one storage share the mapped file, and writing leaves the file unchanged")
    func mapping() throws {
        let url = Golden.url("checkpoints/views_zip.pt")
        let before = try Data(contentsOf: url)
        let checkpoint = try Checkpoint(contentsOf: url)
        let base = try #require(checkpoint["base"])
        let transposed = try #require(checkpoint["transposed"])
        #expect(base.dataPointer == transposed.dataPointer)
        #expect(transposed.strides == base.strides.reversed())
        base.fill(with: 7)
        expectClose(transposed, Tensor.full(transposed.shape, 7))
        #expect(try Data(contentsOf: url) == before)
        expectNoLeaks { _ = checkpoint["tail"] }
    }

    @Test("settings of other kinds are plain data")
    func settings() throws {
        let checkpoint = try read(
            pickle: "(d",
            ForeignFiles.text("args"),
            "cargparse\nNamespace\n)\u{81}(d",
            ForeignFiles.text("path"),
            "cpathlib\nPosixPath\n(",
            ForeignFiles.text("/"),
            ForeignFiles.text("data"),
            ForeignFiles.text("x"),
            "tRs",
            ForeignFiles.text("device"),
            "ctorch\ndevice\n(",
            ForeignFiles.text("cuda"),
            "I1\ntRs",
            ForeignFiles.text("dtype"),
            "ctorch\nbfloat16\ns",
            ForeignFiles.text("size"),
            "ctorch\nSize\n((I2\nI3\nttRs",
            ForeignFiles.text("set"),
            "c__builtin__\nset\n((lI1\natRs",
            "bs."
        )
        let settings = try #require(checkpoint.content["args"])
        #expect(settings["path"] == .text("/data/x"))
        #expect(settings["device"] == .text("cuda:1"))
        #expect(settings["dtype"] == .text("torch.bfloat16"))
        #expect(settings["size"] == .list([.integer(2), .integer(3)]))
        #expect(settings["set"] == .list([.integer(1)]))
        #expect(checkpoint.entries.isEmpty)
    }

    @Test("names of Python that are no data are refused by name")
    func foreignNames() {
        #expect(refusal("cnumpy.core.multiarray\n_reconstruct\n.").contains("numpy.core"))
        #expect(refusal("cos\nsystem\n(", ForeignFiles.text("true"), "tR.").contains("os.system"))
        #expect(refusal("(ios\nsystem\n.").contains("os.system"))
        #expect(refusal("ctorch\nComplexFloatStorage\n.").contains("torch.ComplexFloatStorage"))
        #expect(refusal("ctorch\nload\n.").contains("torch.load"))
        // Known names, but used as nothing in a checkpoint uses them.
        #expect(refusal("ctorch\nFloatStorage\n(tR.").contains("is called"))
        #expect(refusal("ccollections\nOrderedDict\n(I3\ntR.").contains("pairs were expected"))
        #expect(refusal("cargparse\nNamespace\n(I3\nt\u{81}.").contains("no arguments"))
        #expect(refusal("I3\n(tR.").contains("a function was expected"))
        #expect(refusal("I3\n(db.").contains("given attributes"))
        #expect(refusal("Pkey\n.").contains("persid"))
        #expect(refusal("I3\nQ.").contains("a reference to a storage"))
    }

    @Test("a tensor beyond its storage is refused")
    func bounds() throws {
        func message(_ tensor: String) -> String { refusal(tensor, ".") }
        let last = try read(pickle: ForeignFiles.tensor(offset: "I3\n", shape: "(I1\nt"), ".")
        expectValues(try #require(last["tensor"]), [4])
        #expect(message(ForeignFiles.tensor(offset: "I4\n", shape: "(I1\nt")).contains("beyond"))
        #expect(message(ForeignFiles.tensor(offset: "I1\n")).contains("beyond its storage of 4"))
        #expect(message(ForeignFiles.tensor(strides: "(I2\nt")).contains("beyond"))
        #expect(message(ForeignFiles.tensor(strides: "(I-1\nt")).contains("negative"))
        #expect(message(ForeignFiles.tensor(strides: "(t")).contains("1 strides"))
        let huge = "(I9223372036854775807\nt"
        #expect(message(ForeignFiles.tensor(shape: huge, strides: "(I0\nt")).contains("2^63"))
        #expect(message(ForeignFiles.tensor(shape: huge)).contains("2^63"))
        let repeated = ForeignFiles.tensor(shape: "(I1000000000\nt", strides: "(I0\nt")
        #expect(message(repeated).contains("more than the whole file"))
        #expect(message(ForeignFiles.tensor(count: 5)).contains("16 bytes"))
        #expect(message(ForeignFiles.tensor(type: "BoolStorage")).contains("0 and 1"))
    }

    @Test("repetitions and nesting without measure are refused, whatever they stand for")
    func bombs() {
        // Every list holds the one before twice: 2^60 values in 300 bytes.
        var program = "(lI1\nap0\n0"
        for level in 1...60 { program += "(g\(level - 1)\ng\(level - 1)\nlp\(level)\n0" }
        #expect(refusal(program, "g60\n.").contains("without measure"))
        // A list inside of itself.
        #expect(refusal("(lp0\ng0\na.").contains("contains itself"))
        let deep = String(repeating: "]", count: 100_000)
        #expect(refusal(deep, String(repeating: "a", count: 99_999), ".").contains("nested"))
    }

    @Test("what is copied again and again is refused before it fills the memory")
    func copies() throws {
        func repeated(_ part: String, _ count: Int) -> String {
            String(repeating: part, count: count)
        }
        // One pair, mentioned often, becomes a dictionary each time.
        let pairs = "(" + ForeignFiles.text("k") + "I1\ntp0\n0(" + repeated("g0\n", 20_000)
        let call = "ccollections\nOrderedDict\np1\n0(g2\ntp3\n0"
        #expect(
            refusal("\(pairs)lp2\n0\(call)", repeated("g1\ng3\nR0", 100), "N.")
                .contains("without measure")
        )
        // The attributes of a namespace.
        let attributes = "}p0\n(" + repeated("I1\nI1\n", 20_000) + "u0"
        #expect(
            refusal(attributes, "cargparse\nNamespace\n)\u{81}", repeated("g0\nb", 100), ".")
                .contains("without measure")
        )
        // The text of a path, and bytes.
        let text = ForeignFiles.text(repeated("x", 100_000)) + "p0\n0"
        #expect(
            refusal(text, "cpathlib\nPosixPath\n(", repeated("g0\n", 500), "tR.")
                .contains("without measure")
        )
        let encoding = "c_codecs\nencode\np1\n0(g0\n" + ForeignFiles.text("latin1") + "tp2\n0"
        #expect(
            refusal(text, encoding, repeated("g1\ng2\nR0", 100), "N.").contains("without measure")
        )
        // As often as Python writes it, a long text is read.
        let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
        #expect(try read(pickle: text, encoding, "g1\ng2\nR.").content == .bytes(bytes))
    }

    @Test("a long name for many tensors is refused before it fills the memory")
    func longNames() throws {
        func program(_ key: String, tensors: Int) -> String {
            "\(ForeignFiles.tensor())p0\n0(d\(ForeignFiles.text(key))(d"
                + (0..<tensors).map { "I\($0)\ng0\ns" }.joined() + "s."
        }
        let long = String(repeating: "k", count: 100_000)
        #expect(refusal(program(long, tensors: 200)).contains("without measure"))
        let few = try read(pickle: program(long, tensors: 3))
        #expect(few.entries.map(\.name) == ["\(long)/0", "\(long)/1", "\(long)/2"])
        // Two bytes each time for a number that takes as many digits as the file has bytes.
        let number = "\u{8B}\u{A0}\u{86}\u{1}\u{0}" + String(repeating: "\u{1}", count: 100_000)
        #expect(
            refusal("(\(number)", String(repeating: "2", count: 200), "l.")
                .contains("without measure")
        )
    }

    @Test("keys that are bytes keep their tensors apart, and keys that look alike are refused")
    func keys() throws {
        let tensor = ForeignFiles.tensor()
        let other = ForeignFiles.tensor(offset: "I3\n", shape: "(I1\nt")
        let bytes = try read(pickle: "(dC\u{1}a\(tensor)sC\u{3}b'\u{0}\(other)s.")
        #expect(bytes.entries.map(\.name) == ["b'a'", "b'b\\x27\\x00'"])
        expectValues(try #require(bytes["b'a'"]), [1, 2, 3, 4])
        expectValues(try #require(bytes["b'b\\x27\\x00'"]), [4])
        let pairs = try read(pickle: "(d(I1\n(I2\ntt\(tensor)s(I1\n(I3\ntt\(other)s.")
        #expect(pairs.entries.map(\.name) == ["(1, (2))", "(1, (3))"])

        let message = refusal("(dI1\n\(tensor)s", ForeignFiles.text("1"), "\(other)s.")
        #expect(message.contains("a whole number and a string, are both written \"1\""))
        // The same key twice is one key, and the last value counts.
        let twice = try read(pickle: "(dI1\n\(tensor)sI1\n\(other)s.")
        expectValues(try #require(twice["1"]), [4])
    }

    @Test("errors of the stack machine are told with their byte")
    func machine() {
        #expect(refusal("0.").contains("byte 2: a value should be on the stack"))
        #expect(refusal("(0.").contains("stack"))
        #expect(refusal("t.").contains("a mark is missing"))
        #expect(refusal("g5\n.").contains("number 5 was never remembered"))
        #expect(refusal("I3x\n.").contains("a whole number was expected"))
        #expect(refusal("}I1\na.").contains("instead of a container"))
        #expect(refusal("(I1\nd.").contains("has no value"))
        #expect(refusal("\u{1}.").contains("there is no opcode 1"))
        #expect(refusal("I3").contains("a line does not end"))
        #expect(refusal("}").contains("without STOP"))
        #expect(refusal("S'a\\n'\n.").contains("escapes"))
    }

    @Test("two tensors of one name are refused")
    func duplicates() {
        let tensor = ForeignFiles.tensor()
        let message = refusal(
            "(d",
            ForeignFiles.text("a/b"),
            tensor,
            "s",
            ForeignFiles.text("a"),
            "(d",
            ForeignFiles.text("b"),
            tensor,
            "ss."
        )
        #expect(message.contains("two tensors named \"a/b\""))
    }

    @Test(
        "every prefix of a file is refused",
        arguments: ["minimal_zip.pt", "views_legacy.pt", "views_zip.pt"]
    )
    func truncations(_ name: String) throws {
        let bytes = try Data(contentsOf: Golden.url("checkpoints/\(name)"))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.pt")
            try bytes.write(to: url)
            for length in (0..<bytes.count).reversed() {
                truncate(url.path, off_t(length))
                #expect(throws: CheckpointError.self) { try Checkpoint(contentsOf: url) }
            }
        }
    }

    @Test(
        "any byte may be wrong: the file is read or refused",
        arguments: ["minimal_zip.pt", "nested_zip.pt", "views_legacy.pt", "views_zip.pt"]
    )
    func wrongBytes(_ name: String) throws {
        let bytes = try Data(contentsOf: Golden.url("checkpoints/\(name)"))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.pt")
            try bytes.write(to: url)
            // In place: a new file each time would wait for the disk thousands of times.
            let descriptor = open(url.path, O_WRONLY)
            defer { close(descriptor) }
            for (place, byte) in bytes.enumerated() {
                for value in [0, 0xFF, byte ^ 1, byte ^ 0x40, byte] {
                    withUnsafeBytes(of: value) { _ = pwrite(descriptor, $0.baseAddress, 1, place) }
                    do {
                        for (_, tensor) in try Checkpoint(contentsOf: url).state() {
                            _ = tensor.contiguous()
                        }
                    } catch is CheckpointError {}
                }
            }
        }
    }

    @Test("other zip archives and texts are recognised")
    func otherKinds() {
        func message(_ bytes: [UInt8]) -> String {
            #expect(throws: CheckpointError.self) { try read(bytes) }?.message ?? ""
        }
        let archive = message(ForeignFiles.zip([("word/document.xml", [1, 2])]))
        #expect(archive.contains("no PyTorch checkpoint") && archive.contains("document.xml"))
        #expect(message([]).contains("empty"))
        #expect(message(Array("<!DOCTYPE html><html>".utf8)).contains("web page"))
    }
}
