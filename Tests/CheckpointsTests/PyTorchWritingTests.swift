import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Writing PyTorch files")
struct PyTorchWritingTests {
    /// One tensor of every type, and shapes of every kind.
    private static func everything() -> StateDictionary {
        var generator = RandomGenerator(seed: 3)
        var state = StateDictionary()
        for dtype in DType.allCases {
            let bytes = generator.words(6 * dtype.byteCount).map { word in
                // No infinities and NaN, so that sums can be compared.
                dtype == .bool ? UInt8(word & 1) : UInt8(word & 0x3F)
            }
            state["\(dtype)"] = Tensor(bytes: bytes, shape: [2, 3], dtype: dtype)
        }
        let x = generator.normal([2, 3, 4, 5])
        state["scalar"] = Tensor([2.5 as Float], shape: [])
        state["empty"] = .zeros([0, 5])
        state["transposed"] = x.transposed(1, 3)
        state["channels-last ü"] = x.contiguous(channelsLast: true)
        return state
    }

    @Test("every type and shape comes back bit by bit", arguments: [0xFFFF_FFFF, 1])
    func roundTrip(zip64Limit: Int) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.pt")
            let state = Self.everything()
            try PyTorchCheckpoint.save([("", state)], to: url, zip64Limit: zip64Limit)
            let checkpoint = try Checkpoint(contentsOf: url)
            #expect(checkpoint.format == .pyTorch)
            #expect(checkpoint.entries.map(\.name) == state.names)
            for (name, tensor) in state {
                expectIdentical(try #require(checkpoint[name]), tensor, name)
            }
            let first = try #require(checkpoint["float32"]?.dataPointer)
            #expect(first == checkpoint["float32"]?.dataPointer, "the file is mapped")
        }
    }

    @Test("groups are dictionaries, and the average is preferred")
    func groups() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.pt")
            let (model, average) = (Tensor.ones([2]), Tensor.zeros([2]))
            try PyTorchCheckpoint.save(
                groups: [
                    "model": StateDictionary([("w", model)]),
                    "ema": StateDictionary([("w", average)]),
                ],
                to: url
            )
            let checkpoint = try Checkpoint(contentsOf: url)
            #expect(checkpoint.groups == ["model", "ema"])
            #expect(checkpoint.content["ema"]?["w"] == .tensor("ema/w"))
            expectIdentical(try #require(checkpoint["model/w"]), model)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(names == ["x.pt"])
        }
    }

    @Test(
        "torch.load(weights_only=True) reads what is written",
        .enabled(if: Python.has("torch"), "needs Python with torch: make setup, or DISTILL_PYTHON")
    )
    func python() throws {
        try withTemporaryFolder { folder in
            let state = Self.everything()
            func url(_ name: String) -> URL { folder.appendingPathComponent(name) }
            try PyTorchCheckpoint.save(state, to: url("flat.pt"))
            try PyTorchCheckpoint.save([("", state)], to: url("large.pt"), zip64Limit: 1)
            try PyTorchCheckpoint.save(
                groups: ["model": state, "ema": state],
                to: url("groups.pt")
            )
            // What Python reads, it writes again as it does itself; the old container too.
            let script = """
                import sys, torch, zipfile
                folder = sys.argv[1] + "/"
                for name in ["flat", "large", "groups"]:
                    assert zipfile.ZipFile(folder + name + ".pt").testzip() is None
                    state = torch.load(folder + name + ".pt", weights_only=True)
                    torch.load(folder + name + ".pt", weights_only=True, mmap=True)
                    torch.save(state, folder + name + "-again.pt")
                    torch.save(
                        state,
                        folder + name + "-legacy.pt",
                        _use_new_zipfile_serialization=False,
                    )
                    print(" ".join(state))
                """
            let output = try #require(Python.output(script, [folder.path]))
            let lines = output.split(separator: "\n").map(String.init)
            #expect(lines.first == state.names.joined(separator: " "))
            #expect(lines.last == "model ema")
            for name in ["flat", "large", "groups"] {
                for kind in ["again", "legacy"] {
                    let checkpoint = try Checkpoint(contentsOf: url("\(name)-\(kind).pt"))
                    let prefix = name == "groups" ? "ema/" : ""
                    for (key, tensor) in state {
                        expectIdentical(try #require(checkpoint[prefix + key]), tensor, key)
                    }
                }
            }
        }
    }
}
