import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("The commands inspect and convert with foreign checkpoints", .tags(.golden))
struct ForeignCheckpointGoldenTests {
    private func golden(_ path: String) -> String { Golden.url(path).path }

    @Test("inspect tells what a training checkpoint is")
    func inspectTraining() throws {
        let path = golden("checkpoints/training_zip.pt")
        let process = try DistillProcess(["inspect", path])
        #expect(process.exitCode == 0, "\(process.errors)")
        for part in [
            "PyTorch file", "model: DiT, ", "weights: in ema", "args: {", "names:", "ema/",
        ] {
            #expect(process.output.contains(part), "\(part) is missing in \(process.output)")
        }
        #expect(process.output.contains("more lines with --verbose"))
        let whole = try DistillProcess(["inspect", path, "--verbose"])
        #expect(!whole.output.contains("more lines with --verbose"))
        let json = try DistillProcess(["inspect", path, "--json"]).json()
        #expect(json["kind"] as? String == "PyTorch file")
        #expect((json["keys"] as? [String])?.isEmpty == false)
    }

    @Test("inspect tells what the weights in a folder of diffusers are")
    func inspectFolder() throws {
        let path = golden("autoencoder_kl_diffusers/old_names")
        let process = try DistillProcess(["inspect", path])
        #expect(process.exitCode == 0, "\(process.errors)")
        #expect(process.output.contains("model: AutoencoderKL, "), "\(process.output)")
        #expect(process.output.contains("autoencoder-kl-deprecated"), "\(process.output)")
    }

    @Test("a training checkpoint becomes safetensors and PyTorch files with the same weights")
    func convertTraining() throws {
        try withTemporaryFolder { folder in
            let path = golden("checkpoints/training_zip.pt")
            let source = try Checkpoint(contentsOf: Golden.url("checkpoints/training_zip.pt"))
            let average = source.state { $0.hasPrefix("ema/") }.removingPrefix("ema/")
            func url(_ name: String) -> URL { folder.appendingPathComponent(name) }
            func convert(_ from: String, _ to: URL, _ options: String...) throws -> Checkpoint {
                let process = try DistillProcess(["convert", from, to.path] + options)
                #expect(process.exitCode == 0, "\(process.errors)")
                return try Checkpoint(contentsOf: to)
            }
            let flat = try convert(path, url("a.safetensors"))
            #expect(flat.format == .safetensors)
            #expect(flat.content["format"] == .text("pt"))
            for (name, tensor) in average {
                expectIdentical(try #require(flat[name]), tensor, name)
            }
            let both = try convert(path, url("b.pt"))
            #expect(Set(both.groups) == ["model", "ema"])
            for entry in both.entries {
                expectIdentical(
                    try #require(both[entry.name]),
                    try #require(source[entry.name]),
                    entry.name
                )
            }
            // Back from safetensors: one flat dictionary, as the sampling script loads it.
            let back = try convert(url("a.safetensors").path, url("c.pt"))
            #expect(back.format == .pyTorch)
            #expect(Set(back.entries.map(\.name)) == Set(average.names))
            let plain = try convert(path, url("d.pt"), "--weights", "model")
            #expect(plain.groups == [""])
            let half = try convert(path, url("e.safetensors"), "--dtype", "bfloat16")
            #expect(half.entries.allSatisfy { $0.dtype == .bfloat16 })
        }
    }

    @Test("names of diffusers become those of the reference and back")
    func convertNames() throws {
        try withTemporaryFolder { folder in
            let foreign = try Golden("diffusers_dit").group("model.")
            let start = folder.appendingPathComponent("start.safetensors")
            try Safetensors.save(foreign, to: start)
            let native = folder.appendingPathComponent("native.pt")
            let first = try DistillProcess(["convert", start.path, native.path])
            #expect(first.exitCode == 0)
            #expect(first.errors.contains("Warning: the file does not state the size"))
            let back = folder.appendingPathComponent("back.safetensors")
            let second = try DistillProcess(
                ["convert", native.path, back.path, "--layout", "dit-diffusers", "--json"]
            )
            #expect(second.exitCode == 0, "\(second.errors)")
            #expect(try second.json()["layout"] as? String == "dit-diffusers")
            let checkpoint = try Checkpoint(contentsOf: back)
            for (name, tensor) in foreign {
                expectIdentical(try #require(checkpoint[name]), tensor, name)
            }
            // A file without a known model keeps its names.
            let unknown = golden("checkpoints/dtypes_legacy.pt")
            let copy = folder.appendingPathComponent("copy.pt")
            #expect(try DistillProcess(["convert", unknown, copy.path]).exitCode == 0)
            let before = try Checkpoint(contentsOf: URL(fileURLWithPath: unknown))
            #expect(try Checkpoint(contentsOf: copy).entries == before.entries)
            // A model inside of a larger one is told apart from the rest.
            let whole = folder.appendingPathComponent("whole.safetensors")
            let part = try DistillProcess(
                ["convert", golden("diffusers_dit.safetensors"), whole.path]
            )
            #expect(part.exitCode == 0)
            #expect(part.errors.contains("input.x"), "\(part.errors)")
            #expect(try Checkpoint(contentsOf: whole)["input.x"] == nil)
        }
    }

    @Test("what cannot be converted is refused with its reason")
    func refusals() throws {
        try withTemporaryFolder { folder in
            let target = folder.appendingPathComponent("x.safetensors").path
            let minimal = golden("checkpoints/minimal_zip.pt")
            func run(_ arguments: String...) throws -> DistillProcess {
                try DistillProcess(["convert"] + arguments)
            }
            #expect(try run(minimal, "x.txt").exitCode == 64)
            #expect(try run("nowhere.pt", target).exitCode == 66)
            let dangerous = try run(golden("checkpoints/bad/reduce_os_system_zip.pt"), target)
            #expect(dangerous.exitCode == 65)
            #expect(dangerous.errors.contains(".system"))
            let unknown = try run(minimal, target, "--layout", "dit")
            #expect(unknown.exitCode == 65)
            #expect(unknown.errors.contains("no known model was found"))
            let group = try run(golden("checkpoints/training_zip.pt"), target, "--weights", "emma")
            #expect(group.exitCode == 65)
            #expect(group.errors.contains("emma"))
            let scaled = try run(
                golden("checkpoints/training_zip.pt"),
                target,
                "--layout",
                "dit-diffusers"
            )
            #expect(scaled.exitCode == 65)
            #expect(scaled.errors.contains("gamma"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }
}
