import Foundation

/// The noise levels of a diffusion process, and those of a respaced one with fewer steps
/// (Nichol & Dhariwal, ICML 2021); all in Float64.
///
/// Matches `create_diffusion` of facebookresearch/DiT: linear β from 1e-4 to 0.02.
public struct NoiseSchedule: Sendable, Equatable {
    /// Which timestep of the original process each step is: what the network is told.
    public let timestepMap: [Int]
    /// β of each step.
    public let betas: [Double]
    /// ᾱ of each step: the share of signal variance that is left.
    public let alphaBars: [Double]
    /// ᾱ of the step before; 1 for the first.
    public let previousAlphaBars: [Double]
    /// ᾱ of the step after; 0 for the last.
    public let nextAlphaBars: [Double]

    /// Number of steps.
    public var stepCount: Int { betas.count }

    /// The whole process.
    ///
    /// - Parameter stepCount: T; the published models are trained with 1000.
    public init(stepCount: Int = 1000) {
        precondition(stepCount > 0, "NoiseSchedule: at least one step is needed")
        let scale = 1000 / Double(stepCount)
        let (first, last) = (scale * 1e-4, scale * 0.02)
        let step = stepCount > 1 ? (last - first) / Double(stepCount - 1) : 0
        self.init(
            betas: (0..<stepCount).map { first + step * Double($0) },
            timestepMap: Array(0..<stepCount)
        )
    }

    private init(betas: [Double], timestepMap: [Int]) {
        self.betas = betas
        self.timestepMap = timestepMap
        var product = 1.0
        alphaBars = betas.map {
            product *= 1 - $0
            return product
        }
        previousAlphaBars = [1] + alphaBars.dropLast()
        nextAlphaBars = alphaBars.dropFirst() + [0]
    }

    /// The process that visits only some timesteps of this one.
    ///
    /// - Parameter timesteps: Rising timesteps of this schedule.
    /// - Returns: A schedule whose ᾱ are those of this one at these timesteps.
    public func respaced(to timesteps: [Int]) -> NoiseSchedule {
        var previous = 1.0
        let betas = timesteps.map { timestep -> Double in
            defer { previous = alphaBars[timestep] }
            return 1 - alphaBars[timestep] / previous
        }
        return NoiseSchedule(betas: betas, timestepMap: timesteps.map { timestepMap[$0] })
    }

    /// The process with the steps that a respacing names.
    ///
    /// - Parameter respacing: For example `50`, `10,15,20` or `ddim25`.
    /// - Returns: The respaced schedule.
    /// - Throws: `RespacingError` for a respacing that this process does not have.
    public func respaced(_ respacing: Respacing) throws(RespacingError) -> NoiseSchedule {
        respaced(to: try respacing.timesteps(of: stepCount))
    }

    // MARK: Derived tables

    /// √ᾱ.
    public var signalScales: [Double] { alphaBars.map { $0.squareRoot() } }
    /// √(1−ᾱ).
    public var noiseScales: [Double] { alphaBars.map { (1 - $0).squareRoot() } }
    /// √(1/ᾱ).
    public var reciprocalSignalScales: [Double] { alphaBars.map { (1 / $0).squareRoot() } }
    /// √(1/ᾱ − 1).
    public var noiseToSignalRatios: [Double] { alphaBars.map { (1 / $0 - 1).squareRoot() } }
    /// ln(1−ᾱ).
    public var logNoiseVariances: [Double] { alphaBars.map { log(1 - $0) } }

    /// β̃, the variance of q(x_{t−1} | x_t, x₀).
    public var posteriorVariances: [Double] {
        betas.indices.map {
            betas[$0] * (1 - previousAlphaBars[$0]) / (1 - alphaBars[$0])
        }
    }

    /// ln β̃, where the first, which is ln 0, is replaced by the second; empty for one step.
    public var clippedLogPosteriorVariances: [Double] {
        guard stepCount > 1 else { return [] }
        let variances = posteriorVariances
        return ([variances[1]] + variances.dropFirst()).map { log($0) }
    }

    /// ln β, where the first is that of the clipped β̃: the variance of a network that does not
    /// learn it ("fixed large").
    public var fixedLogVariances: [Double] {
        let first = clippedLogPosteriorVariances.prefix(1)
        return first + betas.dropFirst(first.count).map { log($0) }
    }

    /// The factor of x₀ in the mean of q(x_{t−1} | x_t, x₀).
    public var posteriorMeanX0Factors: [Double] {
        betas.indices.map {
            betas[$0] * previousAlphaBars[$0].squareRoot() / (1 - alphaBars[$0])
        }
    }

    /// The factor of x_t in the mean of q(x_{t−1} | x_t, x₀).
    public var posteriorMeanXtFactors: [Double] {
        betas.indices.map {
            (1 - previousAlphaBars[$0]) * (1 - betas[$0]).squareRoot() / (1 - alphaBars[$0])
        }
    }
}

/// A respacing that a process does not have.
public struct RespacingError: Error, CustomStringConvertible, Sendable {
    /// What is wrong with it.
    public let description: String
}

/// Which timesteps a shorter process visits.
public enum Respacing: Sendable, Equatable {
    /// One section a number, each with so many evenly spread timesteps.
    case sections([Int])
    /// Every s-th timestep from 0, with the first whole s that gives exactly so many.
    case ddim(Int)
    /// The last n of n + 1 timesteps spread evenly from 0 to T−1, as diffusers gives them to
    /// DPM-Solver, whose last step leads to x₀ itself.
    case solver(Int)

    /// Reads `50`, `10,15,20`, `ddim25` or `solver20`.
    public init(_ text: String) throws(RespacingError) {
        let word = text.prefix { $0.isLetter }
        let counts = text.dropFirst(word.count)
            .split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        switch (word, counts.count) {
        case _ where counts.contains { $0 < 1 }: break
        case ("", _): self = .sections(counts); return
        case ("ddim", 1): self = .ddim(counts[0]); return
        case ("solver", 1): self = .solver(counts[0]); return
        default: break
        }
        throw RespacingError(
            description: "\"\(text)\" is no respacing: expected a number of steps such as 50, "
                + "numbers for equal sections such as 10,15,20, or ddim25, or solver20."
        )
    }

    /// The rising timesteps that are visited.
    func timesteps(of stepCount: Int) throws(RespacingError) -> [Int] {
        switch self {
        case .ddim(let count):
            for step in stride(from: 1, to: stepCount, by: 1)
            where (stepCount + step - 1) / step == count {
                return Array(stride(from: 0, to: stepCount, by: step))
            }
            throw RespacingError(
                description: "No whole stride visits exactly \(count) of \(stepCount) timesteps."
            )
        case .solver(let count):
            guard count < stepCount else {
                throw RespacingError(
                    description: "A solver takes fewer steps than the \(stepCount) timesteps, "
                        + "not \(count)."
                )
            }
            let stride = Double(stepCount - 1) / Double(count)
            return (1...count).map {
                Int((Double($0) * stride).rounded(.toNearestOrEven))
            }
        case .sections(let counts):
            return try sectioned(counts, of: stepCount)
        }
    }

    private func sectioned(
        _ counts: [Int],
        of stepCount: Int
    ) throws(RespacingError) -> [Int] {
        let (size, extra) = stepCount.quotientAndRemainder(dividingBy: counts.count)
        var start = 0
        var result = [Int]()
        for (section, count) in counts.enumerated() {
            let length = size + (section < extra ? 1 : 0)
            guard count <= length else {
                throw RespacingError(
                    description: "A section of \(length) timesteps cannot be visited in \(count) "
                        + "steps."
                )
            }
            let stride = count > 1 ? Double(length - 1) / Double(count - 1) : 1
            // NB: accumulated, not multiplied, and halves go to even: as in the reference.
            var position = 0.0
            for _ in 0..<count {
                result.append(start + Int(position.rounded(.toNearestOrEven)))
                position += stride
            }
            start += length
        }
        return result
    }
}
