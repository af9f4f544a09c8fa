import Datasets
import Evaluation
import Foundation
import Torch
import Training

/// The metrics of a surrogate folder beside a real one.
public struct StandaloneMetrics {
    private let surrogate: String
    private let real: String
    private let features: String
    private let neighbours: Int
    private let precision: Precision

    /// Describes a measurement; see `distill metrics --help`.
    public init(
        surrogate: String,
        real: String,
        features: String,
        neighbours: Int,
        precision: Precision
    ) {
        self.surrogate = surrogate
        self.real = real
        self.features = features
        self.neighbours = neighbours
        self.precision = precision
    }

    /// Measures.
    ///
    /// - Parameters:
    ///   - environment: Where and how.
    ///   - observer: Hears of the progress.
    /// - Returns: The numbers.
    /// - Throws: The errors of datasets, of `FeatureExtractor.named` and of
    ///   `SurrogateMetrics.measure`.
    public func run(
        environment: Pipeline.Environment,
        observer: any RunObserver
    ) throws -> SurrogateMetrics {
        let (surrogateFiles, realFiles) = try sets()
        let extractor = try extractor(for: [surrogateFiles, realFiles], environment)
        let total = surrogateFiles.count + realFiles.count
        return try SurrogateMetrics.measure(
            surrogate: .init(
                surrogateFiles,
                path: surrogate,
                fingerprint: try surrogateFiles.fingerprint()
            ),
            real: .init(realFiles, path: real, fingerprint: try realFiles.fingerprint()),
            extractor: extractor,
            neighbours: neighbours
        ) { done in
            observer.progress(
                stage: "features",
                done: done,
                total: total,
                unit: "images",
                detail: extractor.name
            )
            if environment.isInterrupted() { throw MetricsInterruption() }
        }
    }

    /// Computes the features of a few images; nothing of them is kept.
    ///
    /// - Parameter environment: Where and how.
    /// - Returns: What `run` will need.
    /// - Throws: The errors of datasets and of `FeatureExtractor.named`.
    public func estimate(environment: Pipeline.Environment) throws -> RunEstimate {
        let (surrogateFiles, realFiles) = try sets()
        let extractor = try extractor(for: [surrogateFiles, realFiles], environment)
        let few = SubsetDataset(of: realFiles, indices: Array(0..<min(64, realFiles.count)))
        // Once before, for what is slow only at first.
        let width = try extractor.features(of: few).size(along: 1)
        let clock = ContinuousClock()
        let fewTime = try clock.measure { _ = try extractor.features(of: few) }
        let images = surrogateFiles.count + realFiles.count
        let featureSeconds = fewTime / .seconds(1) / Double(few.count) * Double(images)

        // The distances are matrix products: within both sets, and between them.
        let block = Tensor.ones([256, width], dtype: .float64)
        let blockTime = clock.measure { _ = block.matmul(block.transposed(0, 1)) }
        let pairs =
            Double(realFiles.count) * Double(realFiles.count)
            + Double(surrogateFiles.count) * Double(images)
        return RunEstimate(
            stages: [
                .init(
                    stage: "features",
                    work: "\(images) images by \(extractor.name)",
                    seconds: featureSeconds
                ),
                .init(
                    stage: "distances",
                    work: "\(realFiles.count) real and \(surrogateFiles.count) surrogate images",
                    seconds: blockTime / .seconds(1) * pairs / (256 * 256)
                ),
            ],
            // float32 and float64 copies of the features.
            memoryBytes: Memory.peakBytes(on: environment.device) + images * width * 12,
            diskBytes: 0
        )
    }

    private func sets() throws -> (any LabelledImages, any LabelledImages) {
        (try StandaloneEvaluation.open(surrogate), try StandaloneEvaluation.open(real))
    }

    /// Colour if an image of either set has colour; pixels as they are if they are few.
    private func extractor(
        for sets: [any LabelledImages],
        _ environment: Pipeline.Environment
    ) throws -> FeatureExtractor {
        let images = try sets.filter { $0.count > 0 }.map { try $0.image(at: 0) }
        return try FeatureExtractor.named(
            features,
            channels: images.map(\.channels).max() ?? 3,
            pixelSize: images.reduce(32) { min($0, $1.width, $1.height) },
            precision: precision,
            on: environment.device
        )
    }
}

/// Metrics were interrupted; nothing of them is kept.
public struct MetricsInterruption: Error, CustomStringConvertible, Sendable {
    /// What to do next.
    public var description: String {
        "The metrics were interrupted, and nothing was kept. Run the same command again."
    }
}
