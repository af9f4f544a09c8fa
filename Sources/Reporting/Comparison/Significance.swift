import Foundation

/// Whether two means over seeds differ by more than the seeds explain.
package enum Significance {
    /// Differences with a larger probability than this are called noise.
    package static let level = 0.05

    /// The deviation of values, divided by n − 1; nothing for fewer than two.
    package static func deviation(_ values: [Double]) -> Double? {
        variance(values).map { $0.squareRoot() }
    }

    /// Welch's test (1947) for two samples whose variances may differ.
    ///
    /// - Parameters:
    ///   - a: Values of the first sample.
    ///   - b: Values of the second.
    /// - Returns: The two-sided probability of so large a difference of means by chance; nothing if a
    ///   sample has fewer than two values, or none of the two has any spread.
    package static func welch(_ a: [Double], _ b: [Double]) -> Double? {
        guard let va = variance(a), let vb = variance(b) else { return nil }
        let (na, nb) = (Double(a.count), Double(b.count))
        let (ea, eb) = (va / na, vb / nb)
        guard ea + eb > 0 else { return mean(a) == mean(b) ? 1 : nil }
        let t = (mean(a) - mean(b)) / (ea + eb).squareRoot()
        let freedom = (ea + eb) * (ea + eb) / (ea * ea / (na - 1) + eb * eb / (nb - 1))
        return twoSided(t: t, freedom: freedom)
    }

    /// Student's test for pairs: the same seeds trained on both.
    ///
    /// - Parameters:
    ///   - a: Values of the first, one a seed.
    ///   - b: Values of the second, in the same order.
    /// - Returns: The two-sided probability; nothing for fewer than two pairs, or if all differences
    ///   are equal.
    package static func paired(_ a: [Double], _ b: [Double]) -> Double? {
        guard a.count == b.count else { return nil }
        let differences = zip(a, b).map { $0 - $1 }
        guard let spread = variance(differences) else { return nil }
        let count = Double(differences.count)
        guard spread > 0 else { return mean(differences) == 0 ? 1 : nil }
        let t = mean(differences) / (spread / count).squareRoot()
        return twoSided(t: t, freedom: count - 1)
    }

    private static func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(values.count)
    }

    private static func variance(_ values: [Double]) -> Double? {
        guard values.count > 1 else { return nil }
        let mean = mean(values)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return squares / Double(values.count - 1)
    }

    /// P(|T| ≥ |t|) of Student's distribution.
    static func twoSided(t: Double, freedom: Double) -> Double {
        incompleteBeta(freedom / 2, 0.5, at: freedom / (freedom + t * t))
    }

    /// The regularized incomplete beta function I_x(a, b), by its continued fraction (Lentz).
    private static func incompleteBeta(_ a: Double, _ b: Double, at x: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        // The fraction converges fast on one side of the mean only.
        if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(b, a, at: 1 - x) }
        let logBeta: Double = lgamma(a) + lgamma(b) - lgamma(a + b)
        let logFront: Double = a * log(x) + b * log(1 - x) - logBeta
        let tiny = 1e-300
        var c = 1.0
        var d = 1 / max(1 - (a + b) * x / (a + 1), tiny)
        var fraction = d
        for step in 1...300 {
            let m = Double(step)
            let place: Double = a + 2 * m
            let evenTop: Double = m * (b - m) * x
            let even: Double = evenTop / ((place - 1) * place)
            let oddTop: Double = (a + m) * (a + b + m) * x
            let odd: Double = -oddTop / (place * (place + 1))
            for term in [even, odd] {
                d = 1 + term * d
                d = 1 / (abs(d) < tiny ? tiny : d)
                c = 1 + term / c
                c = abs(c) < tiny ? tiny : c
                fraction *= c * d
            }
            if abs(c * d - 1) < 1e-14 { break }
        }
        return exp(logFront) * fraction / a
    }
}
