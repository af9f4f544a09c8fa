import Foundation
import TestSupport
import Testing

@Suite("The command encode, and inspect of what it read and wrote", .timeLimit(.minutes(5)))
struct EncodeTests {
    private func facts(_ path: String, kind: String, in folder: URL) throws -> [String: String] {
        let process = try DistillProcess(["inspect", path, "--json"], in: folder)
        #expect(process.exitCode == 0, "\(process.errors)")
        let description = try process.json()
        #expect(description["kind"] as? String == kind)
        return try #require(description["facts"] as? [String: String])
    }

    @Test("latents are made once, with or without mirrored images")
    func once() throws {
        try withTemporaryFolder { folder in
            _ = try SmallRun(in: folder, hasModel: false)
            let autoencoder = Golden.url("autoencoder_kl_diffusers/new_names").path
            func encode(_ run: String, flips: Bool) throws -> DistillProcess {
                try DistillProcess(
                    [
                        "encode", "recipe.yaml", "-o", run, "--device", "cpu", "--deterministic",
                        "--set", "data.size=32", "--set", "data.channels=3",
                        "--set", "data.flips=\(flips)", "--set", "model.autoencoder=\(autoencoder)",
                    ],
                    in: folder
                )
            }
            let images = try facts("train", kind: "image dataset", in: folder)
            #expect(images["images"] == "24")
            #expect(images["classes"] == "2: left (12), right (12)")
            #expect(images["unreadable"] == "0")
            for flips in [false, true] {
                let process = try encode("run-\(flips)", flips: flips)
                #expect(process.exitCode == 0, "\(process.errors)")
                #expect(process.errors.contains("Latents: "), "\(process.errors)")
                let latents = try facts("run-\(flips)/latents", kind: "latent cache", in: folder)
                #expect(latents["images"] == "24")
                #expect(latents["mirrored images"] == (flips ? "yes" : "no"))
                #expect(latents["crop"] == "32 pixels")
                #expect(latents["checksums"] == "good")
                #expect(latents["dataset"] == images["fingerprint"])
            }

            let file = folder.appendingPathComponent("run-true/latents/latents-00000.safetensors")
            func identity() throws -> NSObject {
                let facts = try FileManager.default.attributesOfItem(atPath: file.path)
                return try #require(facts[.systemFileNumber] as? NSObject)
            }
            let first = try identity()
            let again = try encode("run-true", flips: true)
            #expect(again.exitCode == 0, "\(again.errors)")
            #expect(try identity() == first)

            // A damaged file is told, not read.
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count - 1] ^= 1
            try bytes.write(to: file)
            let damaged = try DistillProcess(["inspect", "run-true/latents"], in: folder)
            #expect(damaged.exitCode == 65, "\(damaged.output)")
        }
    }
}
