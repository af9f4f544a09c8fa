import TestSupport
import Testing
import Torch
import Training

@Suite("Differentiable Siamese augmentation")
struct SiameseAugmentationTests {
    private func images(_ count: Int, channels: Int = 3) -> Tensor {
        var generator = RandomGenerator(seed: 7)
        return generator.uniform([count, channels, 10, 12])
    }

    private func draw(
        _ augmentation: SiameseAugmentation,
        imageCount: Int? = nil,
        seed: UInt64
    ) -> SiameseAugmentation.Draw {
        var generator = RandomGenerator(seed: seed, purpose: .siamese)
        return augmentation.draw(
            imageCount: imageCount,
            height: 10,
            width: 12,
            using: &generator
        )
    }

    @Test("parameters that change nothing change nothing")
    func identity() {
        let x = images(3)
        let changes: [ImageChange] = [
            .brightness(shifts: [0]), .saturation(factors: [1, 1, 1]), .contrast(factors: [1]),
            .crop(rows: [0], columns: [0]), .flip([false]), .scale(x: [1], y: [1]),
            .rotation(radians: [0, 0, 0]),
        ]
        for change in changes { expectClose(change(x), x, absolute: 1e-5, "\(change)") }
        expectIdentical(draw(.none, seed: 1)(x), x)
    }

    @Test("one draw changes every image of every batch alike", arguments: [0, 1, 2, 3, 4, 5])
    func siamese(operation: Int) {
        let x = images(1)
        let all = SiameseAugmentation.Operation.allCases
        let draw = draw(SiameseAugmentation([all[operation]]), seed: 3)
        let alone = draw(x)
        let many = draw(x.expanded([4, 3, 10, 12]))
        for place in 0..<4 { expectClose(many[place..<place + 1], alone, absolute: 1e-6) }
    }

    @Test("a draw for each image differs between images, and shares the operation")
    func perImage() {
        let x = images(1).expanded([16, 3, 10, 12])
        for seed in 0..<8 {
            let draw = draw(.published, imageCount: 16, seed: UInt64(seed))
            let result = draw(x)
            let isSame = (1..<16).map { result[$0].isEqual(to: result[0]) }
            #expect(isSame.contains(false), "\(draw.changes)")
            #expect(draw.changes.count == 1 || draw.changes.count == 3)
        }
    }

    @Test("a list of equal numbers is the same as one number")
    func lists() {
        let x = images(3)
        let pairs: [(ImageChange, ImageChange)] = [
            (.crop(rows: [2], columns: [-1]), .crop(rows: [2, 2, 2], columns: [-1, -1, -1])),
            (.flip([true]), .flip([true, true, true])),
            (
                .cutout(rows: [0], columns: [11], size: 5),
                .cutout(rows: [0, 0, 0], columns: [11, 11, 11], size: 5)
            ),
            (.rotation(radians: [0.2]), .rotation(radians: [0.2, 0.2, 0.2])),
        ]
        for (one, many) in pairs { expectClose(one(x), many(x), absolute: 1e-6, "\(one)") }
    }

    @Test("a seed gives one draw, and each operation is drawn about as often as the others")
    func draws() {
        #expect(draw(.published, seed: 5) == draw(.published, seed: 5))
        var counts = [String: Int]()
        for seed in 0..<600 {
            let change = draw(.published, seed: UInt64(seed)).changes[0]
            counts[String("\(change)".prefix { $0 != "(" }), default: 0] += 1
        }
        #expect(counts.count == 6)
        #expect(counts.values.allSatisfy { 60...140 ~= $0 }, "\(counts)")
        let all = SiameseAugmentation(SiameseAugmentation.Operation.allCases, mode: .all)
        #expect(draw(all, seed: 1).changes.count == 8)
    }

    @Test("parameters stay within their limits")
    func limits() {
        for seed in 0..<300 {
            for change in draw(.published, imageCount: 4, seed: UInt64(seed)).changes {
                switch change {
                case .brightness(let shifts): #expect(shifts.allSatisfy { abs($0) <= 0.5 })
                case .saturation(let factors): #expect(factors.allSatisfy { 0...2 ~= $0 })
                case .contrast(let factors): #expect(factors.allSatisfy { 0.5...1.5 ~= $0 })
                case .crop(let rows, let columns):
                    // ⌊10/8 + ½⌋ and ⌊12/8 + ½⌋.
                    #expect(rows.allSatisfy { abs($0) <= 1 })
                    #expect(columns.allSatisfy { abs($0) <= 2 })
                case .cutout(let rows, let columns, let size):
                    #expect(size == 5)
                    #expect(rows.allSatisfy { 0..<10 ~= $0 })
                    #expect(columns.allSatisfy { 0..<12 ~= $0 })
                case .flip: break
                case .scale(let x, let y):
                    #expect((x + y).allSatisfy { 1 / 1.2 - 1e-9...1.2 ~= $0 })
                case .rotation(let radians):
                    #expect(radians.allSatisfy { abs($0) <= 15 * Double.pi / 180 })
                }
            }
        }
    }

    @Test("gradients are those of finite differences")
    func gradients() throws {
        let x = images(2, channels: 1)
        var generator = RandomGenerator(seed: 1)
        let weights = generator.normal(x.shape)
        let all = SiameseAugmentation(SiameseAugmentation.Operation.allCases, mode: .all)
        let draw = draw(all, imageCount: 2, seed: 2)
        func value(_ x: Tensor) -> Double { (draw(x) * weights).sum().item }
        let leaf = x.copied()
        leaf.requiresGradient = true
        (draw(leaf) * weights).sum().backward()
        let gradient = try #require(leaf.gradient)
        let direction = generator.normal(x.shape)
        // Every operation is affine, so the difference is exact up to rounding.
        let difference = (value(x + direction) - value(x - direction)) / 2
        #expect(abs(difference - (gradient * direction).sum().item) < 1e-2)
    }

    @Test("strategies are read and written, and unknown operations are named")
    func strategies() throws {
        let text = "color_crop_cutout_flip_scale_rotate"
        #expect(try SiameseAugmentation(text) == .published)
        #expect(SiameseAugmentation.published.strategy == text)
        #expect(try SiameseAugmentation("none") == .none)
        let error = #expect(throws: TrainingError.self) {
            try SiameseAugmentation("color_colour")
        }
        #expect(error?.message.contains("\"colour\"") == true)
    }
}
