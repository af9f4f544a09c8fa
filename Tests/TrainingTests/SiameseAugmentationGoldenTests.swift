import TestSupport
import Testing
import Torch
import Training

@Suite("Differentiable Siamese augmentation matches the reference", .tags(.golden))
struct SiameseAugmentationGoldenTests {
    /// The changes that the file's parameters name; `prefix` is `input.OPERATION.` or
    /// `input.OPERATION.siamese.`.
    private func changes(_ golden: Golden, siamese: Bool) throws -> [(String, ImageChange)] {
        func numbers(_ operation: String, _ name: String) throws -> [Double] {
            let values: [Float] =
                try golden["input.\(operation)\(siamese ? ".siamese" : "").\(name)"].values()
            return (siamese ? Array(values.prefix(1)) : values).map { Double($0) }
        }
        func integers(_ operation: String, _ name: String) throws -> [Int] {
            let values: [Int] =
                try golden["input.\(operation)\(siamese ? ".siamese" : "").\(name)"].values()
            return siamese ? Array(values.prefix(1)) : values
        }
        let side = try golden["input.x"].size(along: 2)
        let size = Int(Double(side) * (try golden.config["cutout"].double) + 0.5)
        return [
            ("brightness", .brightness(shifts: try numbers("brightness", "shift"))),
            ("saturation", .saturation(factors: try numbers("saturation", "factor"))),
            ("contrast", .contrast(factors: try numbers("contrast", "factor"))),
            (
                "crop",
                .crop(
                    rows: try integers("crop", "shift_rows"),
                    columns: try integers("crop", "shift_cols")
                )
            ),
            (
                "cutout",
                .cutout(
                    rows: try integers("cutout", "offset_rows"),
                    columns: try integers("cutout", "offset_cols"),
                    size: size
                )
            ),
            ("flip", .flip(try integers("flip", "flag").map { $0 == 1 })),
            ("scale", .scale(x: try numbers("scale", "sx"), y: try numbers("scale", "sy"))),
            ("rotate", .rotation(radians: try numbers("rotate", "radians"))),
        ]
    }

    @Test("each operation and its gradient match", arguments: [false, true])
    func operations(siamese: Bool) throws {
        let golden = try Golden("dsa")
        let weights = try golden["input.r"]
        for (name, change) in try changes(golden, siamese: siamese) {
            let key = siamese ? "\(name).siamese" : name
            // Interpolation weights are rounded differently.
            let tolerance = ["scale", "rotate"].contains(name) ? 2e-4 : 2e-5
            let x = try golden["input.x"].copied()
            x.requiresGradient = true
            let result = change(x)
            expectClose(result, try golden["expected.\(key)"], absolute: tolerance, key)
            (result * weights).sum().backward()
            let gradient = try #require(x.gradient)
            expectClose(gradient, try golden["expected.grad.\(key)"], absolute: tolerance, key)
        }
    }

    @Test("the default strengths are those of the reference")
    func strengths() throws {
        let config = try Golden("dsa").config
        let own = SiameseAugmentation.published
        #expect(own.brightness == (try config["brightness"].double))
        #expect(own.saturation == (try config["saturation"].double))
        #expect(own.contrast == (try config["contrast"].double))
        #expect(own.cropShare == (try config["crop_pad"].double))
        #expect(own.cutoutShare == (try config["cutout"].double))
        #expect(own.scale == (try config["scale"].double))
        #expect(own.rotationDegrees == (try config["rotate_deg"].double))
    }
}
