import TestSupport
import Testing
import Torch
import Training

@Suite("Random augmentation")
struct AugmentationTests {
    private func images(_ count: Int, channels: Int = 1) -> Tensor {
        var generator = RandomGenerator(seed: 7)
        return generator.uniform([count, channels, 12, 12])
    }

    private func changed(
        _ augmentation: Augmentation,
        _ x: Tensor,
        seed: UInt64 = 0,
        statistics: ChannelStatistics? = nil
    ) -> Tensor {
        var generator = RandomGenerator(seed: seed, purpose: .augmentation)
        let channels = x.size(along: 1)
        let unit = ChannelStatistics(
            mean: [Double](repeating: 0, count: channels),
            deviation: [Double](repeating: 1, count: channels)
        )
        return augmentation(x, normalizedBy: statistics ?? unit, using: &generator)
    }

    @Test("without augmentation images are only normalised", arguments: [1, 3])
    func none(_ channels: Int) {
        let x = images(4, channels: channels)
        expectClose(changed(.none, x), x, absolute: 1e-6)
        let statistics = ChannelStatistics(
            mean: [0.2, 0.3, 0.4].suffix(channels),
            deviation: [0.5, 0.6, 0.7].suffix(channels)
        )
        expectClose(
            changed(.none, x, statistics: statistics),
            statistics.normalized(x),
            absolute: 1e-5
        )
    }

    @Test("the same seed gives the same images, another one others")
    func seeds() {
        let x = images(8, channels: 3)
        let first = changed(.published, x, seed: 1)
        expectIdentical(first, changed(.published, x, seed: 1))
        #expect(!first.isEqual(to: changed(.published, x, seed: 2)))
    }

    @Test("the numbers of an image do not depend on the size of the batch")
    func batchSize() {
        let x = images(6)
        expectClose(
            changed(.publishedGrey, x)[0..<3],
            changed(.publishedGrey, x[0..<3]),
            absolute: 1e-6
        )
    }

    @Test("half of the images are mirrored, within four deviations")
    func flips() {
        let x = images(1).expanded([400, 1, 12, 12])
        let result = changed(Augmentation(flipProbability: 0.5), x)
        let isSame = (result - x).magnitude().max(axes: [1, 2, 3]).compared(.less, to: 1e-6)
        let same = isSame.converted(to: .float32).sum().item
        #expect(abs(same - 200) < 40)
    }

    @Test("a crop of an even image is even, and brightness stays within its limits")
    func evenImage() {
        let x = Tensor.full([200, 1, 12, 12], 0.5)
        expectClose(changed(Augmentation(cropScale: 0.5...1), x), x, absolute: 1e-6)
        let bright = changed(Augmentation(brightness: 0.4), x)
        #expect(bright.min().item >= 0.3 - 1e-6)
        #expect(bright.max().item <= 0.7 + 1e-6)
        #expect(bright.max().item - bright.min().item > 0.35)
        // All is at the mean already.
        expectClose(changed(Augmentation(contrast: 0.4), x), x, absolute: 1e-6)
    }

    @Test("saturation changes no grey image")
    func greySaturation() {
        let x = images(5)
        expectClose(changed(Augmentation(saturation: 0.4), x), x, absolute: 1e-6)
        let grey = x.expanded([5, 3, 12, 12])
        expectClose(changed(Augmentation(saturation: 0.4), grey), grey, absolute: 1e-6)
    }
}
