import Foundation

/// What `results.json` holds: accuracies of networks trained on each method's images, and costs.
package struct Results: Decodable, Sendable {
    /// Seconds and memory of one stage of the run.
    package struct Cost: Decodable, Sendable {
        package var stage: String
        package var seconds: Double
        package var peakMemoryBytes: Double?
        package var device: String?
    }

    package var results: [AccuracyResult] = []
    package var costs: [Cost] = []

    private enum CodingKeys: CodingKey {
        case results, costs
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        results = try container.decodeIfPresent([AccuracyResult].self, forKey: .results) ?? []
        costs = try container.decodeIfPresent([Cost].self, forKey: .costs) ?? []
    }

    init() {}

    /// Decodes the file and checks that its means are those of its values.
    static func read(_ file: RunFile) throws -> Results {
        let results = try file.decoded(Results.self)
        for (index, result) in results.results.enumerated() {
            let accuracies = [
                ("last", result.last), ("best", result.best), ("selected", result.selected),
            ]
            for (key, accuracy) in accuracies {
                guard let accuracy else { continue }
                if let fault = accuracy.fault {
                    throw ReportError.malformed(
                        file.path,
                        "results[\(index)].\(key) (\(result.method)) \(fault)",
                        remedy: "Evaluate this method again, or correct the file."
                    )
                }
            }
        }
        return results
    }
}

/// The accuracy of one network trained on the images of one method, over several seeds.
package struct AccuracyResult: Decodable, Sendable {
    /// Fractions between 0 and 1, one a seed.
    package struct Accuracy: Decodable, Sendable {
        package var values: [Double]
        package var mean: Double
        package var sampleDeviation: Double?

        package init(values: [Double], mean: Double, sampleDeviation: Double?) {
            self.values = values
            self.mean = mean
            self.sampleDeviation = sampleDeviation
        }

        /// The spread over seeds; nothing when a single seed leaves it unknown.
        package var deviation: Double? { values.count > 1 ? sampleDeviation : nil }

        var fault: String? {
            guard let least = values.min(), let most = values.max() else {
                return "has no values"
            }
            guard least >= 0, most <= 1 else {
                return
                    "has the value \(least < 0 ? least : most), but accuracies lie between 0 and 1"
            }
            let average = values.reduce(0, +) / Double(values.count)
            guard abs(average - mean) < 1e-4 else {
                return "says mean \(mean), but its values average \(average)"
            }
            return nil
        }
    }

    /// A folder of images that was trained or tested on.
    package struct Images: Decodable, Sendable {
        package var path: String?
        package var fingerprint: String?
        package var images: Int?

        /// "1,000 test images of PATH", as far as it is known.
        func testDescription(withPath: Bool) -> String? {
            let images = images.map { Words.count($0, "test image") }
            guard withPath, let path else { return images }
            return images.map { "\($0) of \(path)" } ?? "tested on \(path)"
        }
    }

    package var method: String
    package var imagesPerClass: Int
    package var network: String
    package var protocolName: String?
    package var classes: Int?
    package var train: Images?
    package var test: Images?
    package var seeds: [Int]?
    package var epochs: Int?
    package var last: Accuracy
    package var best: Accuracy?
    /// At the epochs that training images held back have chosen.
    package var selected: Accuracy?
    /// The epoch that counts in a comparison: `last`, `best` or `holdout`; the last where it is not
    /// said.
    package var selection: String?
    /// The accuracy that counts, where the file says it.
    package var headline: Accuracy?
    package var seconds: Double?
    package var peakMemoryBytes: Double?
    /// Where the network was trained, and in which precision.
    package var device: String?
    package var precision: String?

    private enum CodingKeys: String, CodingKey {
        case method, imagesPerClass, network, classes, train, test, seeds, epochs, last, best
        case selected, selection, headline, seconds, peakMemoryBytes, device, precision
        case protocolName = "protocol"
    }

    /// The order of every table and figure: by images per class, then by method.
    static func precedes(_ left: AccuracyResult, _ right: AccuracyResult) -> Bool {
        (left.imagesPerClass, Method(left.method)) < (right.imagesPerClass, Method(right.method))
    }

    /// The accuracy that counts, by the selection; that of the last epoch where it is not said.
    package var counting: Accuracy {
        if let headline { return headline }
        switch selection {
        case "best": return best ?? last
        case "holdout": return selected ?? last
        default: return last
        }
    }

    /// Number of images the network was trained on.
    package var trainImages: Int? {
        train?.images ?? classes.map { $0 * imagesPerClass }
    }
}
