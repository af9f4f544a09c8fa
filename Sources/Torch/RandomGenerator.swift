import CTorch

/// A counter-based generator of random numbers: Philox 4×32-10 (Salmon et al., SC 2011).
///
/// Every number is a function of (seed, purpose, index, position) alone: the key of the cipher is
/// the seed, its counter the rest. So the draws for one purpose or one image never depend on what
/// else was drawn, in which order, or by how many processes; and the state is four numbers.
///
/// Numbers are drawn on the CPU and copied to other devices, so a seed means the same everywhere.
public struct RandomGenerator: Sendable, Hashable, Codable {
    /// What random numbers are for.
    ///
    /// Draws for one purpose never share bits with another.
    ///
    /// The raw values are part of every result: never renumber them.
    public enum Purpose: UInt16, Sendable, Codable {
        case general = 0
        case initialization = 1
        case dataOrder = 2
        case augmentation = 3
        case timesteps = 4
        case noise = 5
        case labelDropout = 6
        case posterior = 7
        case sampling = 8
        case selection = 9
        case cutMix = 10
        case matching = 11
        case siamese = 12
        case matchingNetwork = 13
        case dropout = 16
        case networkTraining = 20
        case displayedImages = 24
    }

    /// The key.
    public let seed: UInt64
    /// What the numbers are for.
    public let purpose: Purpose
    /// Which stream of this purpose: an image, an epoch, a step; below 2^48.
    public let index: UInt64
    /// Number of 32-bit words used up so far, a multiple of four: every draw takes whole blocks.
    public private(set) var position: UInt64

    /// The stream of one purpose and index, from its start.
    ///
    /// - Parameters:
    ///   - seed: Any number; different seeds give unrelated streams.
    ///   - purpose: What the numbers are for.
    ///   - index: Which stream of this purpose, below 2^48.
    public init(seed: UInt64, purpose: Purpose = .general, index: UInt64 = 0) {
        guard index < 1 << 48 else { trap("RandomGenerator: the index \(index) is above 2^48") }
        self.seed = seed
        self.purpose = purpose
        self.index = index
        position = 0
    }

    /// The stream of image `image` of class `label`, whatever else is drawn.
    public init(seed: UInt64, purpose: Purpose, label: Int, image: Int) {
        guard (0..<1 << 24).contains(label), (0..<1 << 24).contains(image) else {
            trap("RandomGenerator: label \(label) and image \(image) must be below 2^24")
        }
        self.init(seed: seed, purpose: purpose, index: UInt64(label) << 24 | UInt64(image))
    }

    private var stream: UInt64 { UInt64(purpose.rawValue) << 48 | index }

    /// Words are used up in whole blocks of four, so that pairs of normal numbers stay aligned.
    private mutating func advance(by count: Int) -> UInt64 {
        let start = position
        position += UInt64((count + 3) / 4 * 4)
        return start
    }

    /// The next raw 32-bit words.
    public mutating func words(_ count: Int) -> [UInt32] {
        let start = advance(by: count)
        return filled(count, with: 0) { ct_philox_words(seed, stream, start, $0, count) }
    }

    /// Uniform numbers in [0, 1), multiples of 2^-24.
    public mutating func uniformValues(_ count: Int) -> [Float] {
        let start = advance(by: count)
        return filled(count, with: 0) { ct_philox_uniform(seed, stream, start, $0, count) }
    }

    /// One uniform number in a range.
    public mutating func uniform(in range: Range<Double> = 0..<1) -> Double {
        let value = Double(uniformValues(1)[0])
        return range.lowerBound + value * (range.upperBound - range.lowerBound)
    }

    private func filled<Element: BitwiseCopyable>(
        _ count: Int,
        with zero: Element,
        _ body: (UnsafeMutablePointer<Element>) -> Int32
    ) -> [Element] {
        [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let base = buffer.baseAddress, count > 0 { check("random", body(base)) }
            initialized = count
        }
    }

    /// Standard normal numbers, float32 on the CPU.
    public mutating func normal(_ shape: [Int]) -> Tensor {
        fill(shape) { ct_philox_normal($0, $1, $2, $3, $4) }
    }

    /// Uniform numbers in [0, 1), float32 on the CPU.
    public mutating func uniform(_ shape: [Int]) -> Tensor {
        fill(shape) { ct_philox_uniform($0, $1, $2, $3, $4) }
    }

    private mutating func fill(
        _ shape: [Int],
        _ body: (UInt64, UInt64, UInt64, UnsafeMutablePointer<Float>, Int) -> Int32
    ) -> Tensor {
        let result = Tensor.empty(shape)
        let count = result.count
        let start = advance(by: count)
        guard let base = result.dataPointer, count > 0 else { return result }
        Tensor.run("random", result) {
            body(seed, stream, start, base.assumingMemoryBound(to: Float.self), count)
        }
        return result
    }

    /// Whole numbers from 0 up to `bound`, each equally likely (Lemire, 2019).
    ///
    /// Uses up `count` words in whole blocks of four, and a block more for every word that has to
    /// be thrown away: with a bound that is no power of two, a share below `bound`/2³² of them.
    ///
    /// - Parameters:
    ///   - count: How many numbers.
    ///   - bound: Above the largest one; from 1 to 2³², anything else traps.
    /// - Returns: The numbers.
    public mutating func integers(_ count: Int, below bound: Int) -> [Int] {
        guard bound > 0, bound <= 1 << 32 else {
            trap("integers(_:below:): the bound \(bound) must be from 1 to 2^32")
        }
        let bound = UInt64(bound)
        var rejected = [Int]()
        var results = words(count).enumerated().map { place, word -> Int in
            let product = UInt64(word) * bound
            if product & 0xFFFF_FFFF < (1 << 32) % bound { rejected.append(place) }
            return Int(product >> 32)
        }
        for place in rejected { results[place] = integers(1, below: Int(bound))[0] }
        return results
    }

    /// The numbers 0 ..< count in random order (Fisher–Yates).
    ///
    /// Uses up two words for each number in whole blocks of four, and none for a single one. A
    /// negative count traps.
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        guard count > 1 else { return order }
        let draws = words(2 * count)
        for place in stride(from: count - 1, to: 0, by: -1) {
            // 64 random bits for at most 2^32 places: the bias is below 2^-32.
            let word = UInt64(draws[2 * place]) << 32 | UInt64(draws[2 * place + 1])
            order.swapAt(place, Int(word.multipliedFullWidth(by: UInt64(place + 1)).high))
        }
        return order
    }
}

extension RandomGenerator: RandomNumberGenerator {
    /// The next 64 random bits, for Swift's own algorithms.
    public mutating func next() -> UInt64 {
        let pair = words(2)
        return UInt64(pair[0]) << 32 | UInt64(pair[1])
    }
}
