import Foundation

extension EvaluationResult {
    /// The same measurement over several seeds; fractions between 0 and 1.
    public struct Accuracy: Codable, Sendable, Equatable {
        /// One value a seed, in the order of the seeds.
        public let values: [Double]
        /// Their mean.
        public let mean: Double
        /// Their deviation, divided by n − 1; nil (null) for one seed.
        public let sampleDeviation: Double?
        /// Their deviation, divided by n, as published.
        public let populationDeviation: Double
        /// Half of the 95 % interval of the mean over seeds, by Student's t; nil (null) for one
        /// seed.
        ///
        /// It tells what other seeds would give on the same surrogate and test images.
        public let confidence95: Double?

        /// Summarises one or more values.
        public init(_ values: [Double]) {
            self.values = values
            let count = Double(values.count)
            let mean = values.reduce(0, +) / count
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            self.mean = mean
            let deviation = values.count > 1 ? (squares / (count - 1)).squareRoot() : nil
            sampleDeviation = deviation
            populationDeviation = (squares / count).squareRoot()
            confidence95 = deviation.map {
                Accuracy.quantile975(degrees: values.count - 1) * $0 / count.squareRoot()
            }
        }

        /// The 97.5 % quantile of Student's t.
        static func quantile975(degrees: Int) -> Double {
            let table = [
                12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201,
                2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
            ]
            if degrees <= table.count { return table[max(degrees, 1) - 1] }
            // Cornish–Fisher from the normal quantile; 3e-4 off at most from here on.
            let (z, n) = (1.959964, Double(degrees))
            return z + (pow(z, 3) + z) / (4 * n)
                + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * n * n)
        }

        /// Writes null, not nothing, for what one seed leaves unknown.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(values, forKey: .values)
            try container.encode(mean, forKey: .mean)
            try container.encode(sampleDeviation, forKey: .sampleDeviation)
            try container.encode(populationDeviation, forKey: .populationDeviation)
            try container.encode(confidence95, forKey: .confidence95)
        }
    }
}
