import CTorch
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Random numbers", .tags(.golden))
struct RandomGeneratorGoldenTests {
    /// The generator's definition, evaluated by `philox.py`, which checks itself against the
    /// published vectors.
    @Test("words are those of Philox 4×32-10")
    func philox() throws {
        let data = try Data(contentsOf: Golden.url("philox.json"))
        let cases = try JSONValue(text: String(decoding: data, as: UTF8.self)).array
        #expect(cases.count > 5)
        for value in cases {
            let seed = try #require(UInt64(try value["seed"].string))
            let stream = try #require(UInt64(try value["stream"].string))
            let position = try #require(UInt64(try value["position"].string))
            let expected = try value["words"].array.map { UInt32(try $0.int) }
            var words = [UInt32](repeating: 0, count: expected.count)
            let status = ct_philox_words(seed, stream, position, &words, words.count)
            #expect(status == 0)
            #expect(words == expected, "seed \(seed), stream \(stream), position \(position)")
        }
    }
}

@Suite("The random generator")
struct RandomGeneratorTests {
    @Test("the first published vector")
    func zeroVector() {
        var generator = RandomGenerator(seed: 0)
        #expect(generator.words(4) == [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8])
    }

    @Test("the stream is made of purpose and index")
    func streams() {
        var generator = RandomGenerator(seed: 99, purpose: .noise, index: 77)
        var words = [UInt32](repeating: 0, count: 8)
        #expect(ct_philox_words(99, 5 << 48 | 77, 0, &words, 8) == 0)
        #expect(generator.words(8) == words)
        #expect(
            RandomGenerator(seed: 1, purpose: .sampling, label: 3, image: 5)
                == RandomGenerator(seed: 1, purpose: .sampling, index: 3 << 24 | 5)
        )
    }

    @Test("the numbers of purposes never change")
    func purposes() {
        let expected: [RandomGenerator.Purpose: UInt16] = [
            .general: 0, .initialization: 1, .dataOrder: 2, .augmentation: 3, .timesteps: 4,
            .noise: 5, .labelDropout: 6, .posterior: 7, .sampling: 8, .selection: 9, .cutMix: 10,
            .dropout: 16, .displayedImages: 24,
        ]
        for (purpose, value) in expected { #expect(purpose.rawValue == value) }
    }

    @Test("seeds, purposes, indices and images have streams of their own")
    func differentStreams() {
        var seen = Set<[UInt32]>()
        var count = 0
        func draw(_ generator: RandomGenerator) {
            var generator = generator
            seen.insert(generator.words(4))
            count += 1
        }
        for bit in 0..<64 { draw(RandomGenerator(seed: 1 << UInt64(bit))) }
        for purpose in UInt16(1)...10 {
            draw(RandomGenerator(seed: 1, purpose: .init(rawValue: purpose) ?? .general))
        }
        for index in UInt64(1)..<50 { draw(RandomGenerator(seed: 1, index: index)) }
        for image in 0..<50 {
            draw(RandomGenerator(seed: 1, purpose: .noise, label: 2, image: image))
        }
        #expect(seen.count == count)
    }

    @Test("uniform numbers are the upper 24 bits of the words")
    func uniform() {
        var words = RandomGenerator(seed: 8)
        var numbers = RandomGenerator(seed: 8)
        let expected = words.words(1000).map { Float($0 >> 8) / Float(1 << 24) }
        #expect(numbers.uniformValues(1000) == expected)
        #expect(expected.allSatisfy { (0..<1).contains($0) })
        var tensor = RandomGenerator(seed: 8)
        #expect(tensor.uniform([10, 100]).values() == expected)
        #expect(tensor == numbers)
        for _ in 0..<100 { #expect((2..<5).contains(numbers.uniform(in: 2..<5))) }
    }

    @Test("normal numbers follow the formula of Box and Muller")
    func boxMuller() {
        var uniform = RandomGenerator(seed: 9)
        var normal = RandomGenerator(seed: 9)
        let u: [Double] = uniform.uniform([1000]).converted(to: .float64).values()
        let z: [Double] = normal.normal([1000]).converted(to: .float64).values()
        for pair in 0..<500 {
            let radius = sqrt(-2 * log(1 - u[2 * pair]))
            let angle = 2 * Double.pi * u[2 * pair + 1]
            #expect(abs(z[2 * pair] - radius * cos(angle)) < 1e-5)
            #expect(abs(z[2 * pair + 1] - radius * sin(angle)) < 1e-5)
        }
    }

    @Test("draws do not depend on how many are made at once")
    func chunks() {
        var whole = RandomGenerator(seed: 10)
        var parts = RandomGenerator(seed: 10)
        let all = whole.normal([96])
        let pieces = [4, 40, 52].map { parts.normal([$0]) }
        expectIdentical(.concatenated(pieces), all)
        #expect(whole == parts)
        // An odd number takes a whole block of four words.
        var odd = RandomGenerator(seed: 10)
        expectIdentical(odd.normal([3]), all[0..<3])
        expectIdentical(odd.normal([4]), all[4..<8])
        #expect(odd.position == 8)
        #expect(odd.normal([0]).count == 0)
        #expect(odd.position == 8)
    }

    @Test("draws do not depend on the number of threads")
    func threads() {
        let before = Engine.threadCount
        defer { Engine.threadCount = before }
        let draws = [1, 2, 3, 4].map { count -> [Tensor] in
            Engine.threadCount = count
            var generator = RandomGenerator(seed: 11)
            return [generator.normal([50_001]), generator.uniform([70_003])]
        }
        for other in draws.dropFirst() {
            expectIdentical(other[0], draws[0][0])
            expectIdentical(other[1], draws[0][1])
        }
    }

    @Test("the noise of an image does not depend on its batch")
    func images() {
        func noise(_ image: Int) -> Tensor {
            var generator = RandomGenerator(seed: 3, purpose: .noise, label: 7, image: image)
            return generator.normal([4, 8, 8])
        }
        let batch = Tensor.stacked((0..<5).map(noise))
        expectIdentical(batch[3], noise(3))
    }

    @Test("normal numbers have the moments of the normal distribution")
    func moments() {
        let count = 1_000_000
        var generator = RandomGenerator(seed: 12)
        let z = generator.normal([count]).converted(to: .float64)
        // Five standard errors each.
        let error = 5 / Double(count).squareRoot()
        #expect(abs(z.mean().item) < error)
        #expect(abs(z.squared().mean().item - 1) < sqrt(2) * error)
        #expect(abs(z.power(3).mean().item) < sqrt(15) * error)
        #expect(abs(z.power(4).mean().item - 3) < sqrt(96) * error)
        let pairs = z.reshaped(-1, 2)
        let product = pairs.selected(0, along: 1) * pairs.selected(1, along: 1)
        #expect(abs(product.mean().item) < sqrt(2) * error)
        #expect(z.isFinite().values(as: Bool.self).allSatisfy { $0 })
        let beyond = z.magnitude().compared(.greater, to: 1.959964).converted(to: .float64)
        #expect(abs(beyond.mean().item - 0.05) < 0.22 * error)
    }

    /// χ² of counts that should be equal; its mean is the number of cells less one.
    private func chiSquared(_ counts: [Int]) -> Double {
        let expected = Double(counts.reduce(0, +)) / Double(counts.count)
        return counts.reduce(0) {
            $0 + (Double($1) - expected) * (Double($1) - expected) / expected
        }
    }

    @Test("all orders are equally likely")
    func permutations() {
        var generator = RandomGenerator(seed: 13)
        var counts = [[Int]: Int]()
        for _ in 0..<24_000 { counts[generator.permutation(4), default: 0] += 1 }
        #expect(counts.count == 24)
        // 23 degrees of freedom: above 58.6 with a probability of 10⁻⁴ … 5·10⁻⁵.
        #expect(chiSquared(Array(counts.values)) < 60)
        #expect(generator.permutation(1000).sorted() == Array(0..<1000))
        #expect(generator.permutation(1) == [0])
        #expect(generator.permutation(0) == [])
    }

    @Test("whole numbers below a bound are equally likely", arguments: [1, 2, 3, 7, 10, 1000])
    func integers(_ bound: Int) {
        var generator = RandomGenerator(seed: 14)
        var counts = [Int](repeating: 0, count: bound)
        for value in generator.integers(100 * bound, below: bound) { counts[value] += 1 }
        let freedom = Double(bound - 1)
        #expect(chiSquared(counts) <= freedom + 5 * (2 * freedom).squareRoot() + 5)
    }

    @Test("bounds of many bits are drawn without bias")
    func largeBounds() {
        var generator = RandomGenerator(seed: 15)
        // Three quarters of 2^32: one word in four is drawn again.
        let bound = 3 << 30
        let values = generator.integers(40_000, below: bound)
        #expect(values.allSatisfy { (0..<bound).contains($0) })
        var thirds = [0, 0, 0]
        for value in values { thirds[value >> 30] += 1 }
        #expect(chiSquared(thirds) < 20)
        #expect(generator.integers(3, below: 1 << 32).allSatisfy { (0..<1 << 32).contains($0) })
    }

    @Test("a saved state goes on where it was")
    func codable() throws {
        var generator = RandomGenerator(seed: .max, purpose: .cutMix, index: (1 << 48) - 1)
        _ = generator.normal([7])
        let data = try JSONEncoder().encode(generator)
        var restored = try JSONDecoder().decode(RandomGenerator.self, from: data)
        #expect(restored == generator)
        expectIdentical(restored.normal([5]), generator.normal([5]))
        #expect(restored.permutation(10) == generator.permutation(10))
    }

    @Test("Swift's own algorithms can use it")
    func swiftAlgorithms() {
        var a = RandomGenerator(seed: 16)
        var b = RandomGenerator(seed: 16)
        #expect((0..<10).shuffled(using: &a) == (0..<10).shuffled(using: &b))
        #expect(Int.random(in: 0..<1000, using: &a) == Int.random(in: 0..<1000, using: &b))
    }
}
