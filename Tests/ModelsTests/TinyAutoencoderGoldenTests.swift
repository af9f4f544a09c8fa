import Foundation
import Models
import TestSupport
import Testing
import Torch

@Suite("TAESD and TAESD3 against the reference", .tags(.golden))
struct TinyAutoencoderGoldenTests {
    /// The weights, which are too large to be kept with the tests: the folder in
    /// `DISTILL_TAESD_DIR`, or `data/taesd` beside the folder of the golden files.
    static let folder: URL = {
        let path = ProcessInfo.processInfo.environment["DISTILL_TAESD_DIR"] ?? ""
        return path.isEmpty
            ? Golden.folder.deletingLastPathComponent().appendingPathComponent("data/taesd")
            : URL(fileURLWithPath: path, isDirectory: true)
    }()

    static func isThere(_ name: String) -> Bool {
        ["encoder", "decoder"].allSatisfy {
            let file = folder.appendingPathComponent("\(name)_\($0).safetensors")
            return FileManager.default.fileExists(atPath: file.path)
        }
    }

    static let weightsAreThere = isThere("taesd") && isThere("taesd3")

    @Test(
        "latents and images agree",
        .enabled(if: weightsAreThere, "needs the weights of TAESD in DISTILL_TAESD_DIR"),
        arguments: ["taesd", "taesd3"]
    )
    func matches(_ name: String) throws {
        let golden = try Golden("taesd")
        let model = try TinyAutoencoder.load(folder: Self.folder, name: name)
        func expect(_ part: String, _ found: Tensor) throws {
            expectClose(found, try golden["expected.\(name).\(part)"], relative: 1e-3, part)
        }
        let crops = try golden["input.crops_u8"]
        let posterior = model.encoded(crops)
        #expect(posterior.deviation == nil)
        try expect("latents", posterior.mean)
        #expect(model.description.latentChannels == posterior.mean.size(along: 1))
        try expect("decoded", model.reconstruction(of: posterior.mean))
        try expect("decoded_z", model.decode(try golden["input.\(name).z"]))

        // The pictures are recognisable: they differ little from the crops.
        let decoded = model.decoded(posterior.mean).converted(to: .float32)
        let error = (decoded - crops.converted(to: .float32)).magnitude().mean().item
        #expect(error < 20)
    }
}
