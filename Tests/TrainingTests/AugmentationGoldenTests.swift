import TestSupport
import Testing
import Torch
import Training

@Suite("Augmentation changes images as the reference does", .tags(.golden))
struct AugmentationGoldenTests {
    let golden: Golden

    init() throws { golden = try Golden("augment_eval") }

    /// The picture as a batch of `count`.
    private func image(_ count: Int = 1) throws -> Tensor {
        let x = try golden["input.image"]
        return x.unsqueezed(0).expanded([count] + x.shape)
    }

    private func doubles(_ name: String) throws -> [Double] { try golden[name].values() }

    private func integers(_ name: String) throws -> [Int] { try golden[name].values() }

    private func meanColor() throws -> [Double] {
        try golden["input.image"].mean(axes: [1, 2]).values()
    }

    @Test("a crop is resized bilinearly, with its border repeated", arguments: [0, 1, 2])
    func crop(_ index: Int) throws {
        let box = try integers("input.rrc.\(index)")
        // Another box beside it, so that a mistake in the batch shows.
        let boxes = [
            CropBox(top: 0, left: 0, height: 5, width: 7),
            CropBox(top: box[0], left: box[1], height: box[2], width: box[3]),
        ]
        let result = CropBox.resized(try image(2), boxes: boxes, height: box[4], width: box[5])
        expectClose(result[1], try golden["expected.rrc.\(index).antialias_0"], absolute: 5e-5)
        let smooth = CropBox.antialiased(try image(2), boxes: boxes, height: box[4], width: box[5])
        expectClose(smooth[1], try golden["expected.rrc.\(index).antialias_1"], absolute: 5e-5)
    }

    @Test("boxes are chosen as torchvision chooses them")
    func boxes() throws {
        let rows: [Double] = try doubles("input.rrc_params")
        let expected = try integers("expected.rrc_box")
        let width = try golden["input.rrc_params"].size(along: 1)
        let ratio = try golden.config["rrc_ratio"].array.map { try $0.double }
        for index in 0..<expected.count / 4 {
            let row = Array(rows[index * width..<(index + 1) * width])
            let box = CropBox(
                inHeight: Int(row[0]),
                width: Int(row[1]),
                attempts: (0..<(width - 4) / 2).map {
                    (area: row[4 + 2 * $0], logRatio: row[5 + 2 * $0])
                },
                ratio: ratio[0]...ratio[1],
                rowFraction: row[2],
                columnFraction: row[3]
            )
            let found = [box.top, box.left, box.height, box.width]
            #expect(found == Array(expected[index * 4..<index * 4 + 4]), "row \(index)")
        }
    }

    @Test("mirror images are exact")
    func flip() throws {
        let result = Augmentation.flipped(try image(2), where: [false, true])
        expectIdentical(result[0], try golden["input.image"])
        expectIdentical(result[1], try golden["expected.hflip"])
    }

    @Test(
        "each change of colour matches",
        arguments: ["brightness", "contrast", "saturation"]
    )
    func jitter(_ name: String) throws {
        let alphas = try doubles("input.\(name).alpha")
        let mean = try meanColor()
        let maps = alphas.map { alpha in
            var map = ColorMap.identity(channels: mean.count)
            map.apply(Self.jitters[name, default: .brightness], alpha: alpha, mean: mean)
            return map
        }
        let result = ColorMap.apply(maps, to: try image(alphas.count))
        expectClose(result, try golden["expected.\(name)"], absolute: 5e-5)
    }

    private static let jitters: [String: Augmentation.Jitter] = [
        "brightness": .brightness, "contrast": .contrast, "saturation": .saturation,
    ]

    /// Appends the stored changes in the stored order.
    private func applyStoredJitter(to map: inout ColorMap, mean: [Double]) throws {
        let order = try integers("input.color_jitter.order")
        let alphas = try doubles("input.color_jitter.alpha_in_order")
        for (index, alpha) in zip(order, alphas) {
            let jitter = try #require(Augmentation.Jitter(rawValue: index))
            map.apply(jitter, alpha: alpha, mean: mean)
        }
    }

    @Test("changes of colour follow each other in any order")
    func colorJitter() throws {
        let mean = try meanColor()
        var map = ColorMap.identity(channels: mean.count)
        try applyStoredJitter(to: &map, mean: mean)
        let result = ColorMap.apply([map], to: try image())
        expectClose(result[0], try golden["expected.color_jitter"], absolute: 5e-5)
    }

    @Test("lighting and normalisation match")
    func lighting() throws {
        var map = ColorMap.identity(channels: 3)
        map.shift(by: Augmentation.light(try doubles("input.lighting.alpha")))
        let lit = ColorMap.apply([map], to: try image())
        expectClose(lit[0], try golden["expected.lighting"], absolute: 5e-5)

        map = .identity(channels: 3)
        map.normalize(by: .imageNet)
        let expected = try golden["expected.normalized"]
        expectClose(ColorMap.apply([map], to: try image())[0], expected, absolute: 5e-5)
        expectClose(
            ChannelStatistics.imageNet.normalized(try image())[0],
            expected,
            absolute: 5e-5
        )
    }

    @Test("the whole pipeline matches")
    func pipeline() throws {
        let box = try integers("input.rrc.0")
        var x = CropBox.resized(
            try image(),
            boxes: [CropBox(top: box[0], left: box[1], height: box[2], width: box[3])],
            height: box[4],
            width: box[5]
        )
        x = Augmentation.flipped(x, where: [true])
        let mean: [Double] = x.mean(axes: [0, 2, 3]).values()
        var map = ColorMap.identity(channels: 3)
        try applyStoredJitter(to: &map, mean: mean)
        map.shift(by: Augmentation.light(try doubles("input.lighting.alpha")))
        map.normalize(by: .imageNet)
        let result = ColorMap.apply([map], to: x)
        expectClose(result[0], try golden["expected.pipeline"], absolute: 5e-5)
    }
}
