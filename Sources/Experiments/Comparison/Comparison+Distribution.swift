import Checkpoints
import Datasets
import Evaluation
import Foundation
import Torch
import Training

/// `distribution.json`: images as points in a plane, and how alike they are.
struct DistributionRecord: Codable {
    /// One set of images.
    struct Images: Codable {
        /// The method; `real` for the real images.
        let method: String
        /// One place an image.
        let pca: [[Double]]
        let tsne: [[Double]]
        /// Cosine of the features to the most similar real image of the class.
        var nearestReal: [Double]?
        /// Cosine to the most similar other image of the set in the class.
        var nearestSibling: [Double]?
        /// Share of the real images shown that have an image of the method nearby.
        var coverage: Double?
        /// How crowded with real images the places of the method's images are.
        var density: Double?
    }

    /// What it was made of: it is made again when that changes.
    let identity: [String: String]
    let features: String
    let imagesPerClass: Int
    let sets: [Images]
}

extension Comparison {
    /// Embeds the images of the methods and real ones in a plane, and compares them.
    ///
    /// That is an addition to the results: where it fails, it is warned of.
    ///
    /// - Returns: Whether something was measured, or failed, that a page does not show yet.
    /// - Throws: `InterruptedError` after a signal.
    public func measureDistribution() throws -> Bool {
        let settings = plan.grid.distribution
        guard settings.features != "none" else {
            // One of an earlier state of the grid would be shown.
            let places = [url.appendingPathComponent("distribution.json"), failureOfDistribution]
            return places.count { (try? FileManager.default.removeItem(at: $0)) != nil } > 0
        }
        return try exclusively {
            let units = distributionUnits()
            guard !units.isEmpty else { return false }
            let count = try distributionCount(methods: units.count)
            let identity = [
                "features": settings.features, "perplexity": "\(settings.perplexity)",
                "realImages": "\(settings.realImages)", "imagesPerClass": "\(count)",
                "neighbourCandidates": "\(settings.neighbourCandidates)",
                "units": units.map(\.unit.key).joined(separator: " "),
                "shown": "chosen by no method",
            ]
            let old = read("distribution.json", in: url, as: DistributionRecord.self)
            guard old?.identity != identity else { return false }
            do {
                try requirePlaces(methods: units.count, count: count)
                let record = try distribution(of: units, count: count, identity: identity)
                try AtomicFile.write(
                    ReadableJSON.data(record),
                    to: url.appendingPathComponent("distribution.json")
                )
                try? FileManager.default.removeItem(at: failureOfDistribution)
            } catch let error as InterruptedError {
                throw error
            } catch {
                observer.warn("distribution: \(error)")
                // The page says it, too, and shows no figure of other images.
                try? FileManager.default.removeItem(
                    at: url.appendingPathComponent("distribution.json")
                )
                try AtomicFile.write(
                    ReadableJSON.data(["error": "\(error)"]),
                    to: failureOfDistribution
                )
            }
            return true
        }
    }

    private var failureOfDistribution: URL {
        url.appendingPathComponent("distribution-failed.json")
    }

    /// Images of each class that are shown of every method: as many as the grid asks for, or, where
    /// it says nothing, as many as the embedding takes in minutes.
    private func distributionCount(methods: Int) throws -> Int {
        let largest = plan.grid.imagesPerClass.max() ?? 1
        let settings = plan.grid.distribution
        guard settings.imagesPerClass == 0 else { return min(settings.imagesPerClass, largest) }
        let places = max(8_000 - settings.realImages, 0)
        // A result tells it without the images.
        let known = plan.cells.lazy.compactMap(result).first?.classes
        let classes = try known ?? data(plan.grid.recipe.data).classNames.count
        return min(largest, max(1, places / max(methods * classes, 1)))
    }

    /// The memory of the exact embedding grows with the square of the number of images: about eight
    /// matrices of float64 at once, which may take half of what the machine has.
    private func requirePlaces(methods: Int, count: Int) throws {
        let classes = try data(plan.grid.recipe.data).classNames.count
        let settings = plan.grid.distribution
        let made = methods * classes * count
        let fitting = (Double(ProcessInfo.processInfo.physicalMemory) / 2 / 64).squareRoot()
        let most = min(20_000, Int(fitting))
        guard made + settings.realImages <= most else {
            throw RunError(
                .invalidSettings,
                "\(made) images of \(methods) methods and \(settings.realImages) real ones are too "
                    + "many for exact t-SNE on this machine: at most \(most). Lower "
                    + "distribution.imagesPerClass or distribution.realImages."
            )
        }
    }

    /// The finished sets of the grid's own recipe, the largest of each method; where the grid varies
    /// that recipe without measuring it, those of the first variation.
    private func distributionUnits() -> [(method: String, unit: SharedUnit)] {
        plan.grid.methods.compactMap { method in
            let all = plan.cells.filter { $0.method == method }
            let shown = all.contains(where: \.variation.isEmpty) ? [:] : all.first?.variation
            let cells = all.filter { $0.variation == shown }
            guard let cell = cells.max(by: { $0.imagesPerClass < $1.imagesPerClass }),
                let unit = plan.unit(cell.unit)
            else { return nil }
            guard isMade(unit) else {
                observer.note("distribution: without \(method), whose largest set is not made")
                return nil
            }
            return (method, unit)
        }
    }

    private func distribution(
        of units: [(method: String, unit: SharedUnit)],
        count: Int,
        identity: [String: String]
    ) throws -> DistributionRecord {
        let settings = plan.grid.distribution
        let data = try data(plan.grid.recipe.data)
        let extractor = try FeatureExtractor.named(
            settings.features,
            channels: data.channels,
            pixelSize: min(32, data.height),
            on: environment.device
        )
        observer.note("distribution: features by \(extractor.name)")
        let sets = try units.map { method, unit in
            let place = unit.images.first.map(folder(of: unit).appendingPathComponent)
            let all = try ImageFolder(place ?? folder(of: unit))
            let chosen = all.chosenPerClass(count, seed: UInt64(plan.grid.recipe.seed))
            let set = try features(all.subset(chosen.flatMap(\.self)), extractor)
            return (method, set, try Comparison.chosenImages(of: method, in: place))
        }
        let real = try features(
            some(of: data.source, settings.neighbourCandidates),
            extractor
        )
        // An image that a method has chosen would be near itself.
        let shown = Comparison.spread(
            real,
            settings.realImages,
            besides: Set(sets.flatMap(\.2.values))
        )
        let points = Tensor.concatenated([shown.features] + sets.map(\.1.features))
        let planes = try planes(of: points, perplexity: settings.perplexity)
        let mean = real.features.mean(along: 0, keepingAxis: true)
        var start = shown.count
        var records = [
            DistributionRecord.Images(
                method: "real",
                pca: Array(planes.pca[..<start]),
                tsne: Array(planes.tsne[..<start])
            )
        ]
        for (method, set, sources) in sets {
            let range = start..<start + set.count
            start += set.count
            let measures = try? PrecisionRecall(generated: set.features, real: shown.features)
            records.append(
                DistributionRecord.Images(
                    method: method,
                    pca: Array(planes.pca[range]),
                    tsne: Array(planes.tsne[range]),
                    nearestReal: try Comparison.nearest(
                        set,
                        in: real.relabelled(
                            toMatch: set.classNames,
                            subject: "the real images",
                            other: method
                        ),
                        besides: sources,
                        around: mean
                    ),
                    nearestSibling: Comparison.nearest(set, in: nil, around: mean),
                    coverage: measures?.coverage,
                    density: measures?.density
                )
            )
        }
        return DistributionRecord(
            identity: identity,
            features: extractor.name,
            imagesPerClass: count,
            sets: records
        )
    }

    private func features(
        _ images: any LabelledImages,
        _ extractor: FeatureExtractor
    ) throws -> LabelledFeatures {
        try extractor.labelledFeatures(of: images) { _ in
            if self.environment.isInterrupted() { throw InterruptedError() }
        }
    }

    /// Images spread evenly over the classes, chosen by the seed.
    private func some(of images: any LabelledImages, _ count: Int) -> any LabelledImages {
        let perClass = max(1, count / max(images.classNames.count, 1))
        let chosen = images.indicesByClass().enumerated().flatMap { label, members in
            var generator = RandomGenerator(
                seed: UInt64(plan.grid.recipe.seed),
                purpose: .displayedImages,
                index: UInt64(label)
            )
            return generator.permutation(members.count).prefix(perClass).map { members[$0] }
        }
        return images.subset(chosen)
    }

    /// The first images of each class, which are in random order, but for those with some names, as
    /// long as others are left.
    private static func spread(
        _ set: LabelledFeatures,
        _ count: Int,
        besides excluded: Set<String>
    ) -> (features: Tensor, count: Int) {
        let places = set.indicesByClass
        let perClass = max(1, count / max(places.count, 1))
        let chosen = places.flatMap { members in
            let others = members.filter { !excluded.contains(set.identifiers[$0]) }
            return (others.isEmpty ? members : others).prefix(perClass)
        }
        return (set.features.gathered(chosen), chosen.count)
    }

    private func planes(
        of points: Tensor,
        perplexity: Double
    ) throws -> (pca: [[Double]], tsne: [[Double]]) {
        func pairs(_ places: Tensor) -> [[Double]] {
            let values = places.values(as: Double.self)
            // Six digits are more than a figure shows.
            return stride(from: 0, to: values.count, by: 2).map {
                [values[$0], values[$0 + 1]].map { Double(String(format: "%.5g", $0)) ?? 0 }
            }
        }
        guard points.size(along: 0) > 3, points.size(along: 1) > 1 else {
            throw RunError(
                .invalidSettings,
                "\(points.size(along: 0)) images with \(points.size(along: 1)) features are too few "
                    + "for a figure."
            )
        }
        var parameters = NeighbourEmbedding.Parameters()
        parameters.perplexity = perplexity
        let embedding = try NeighbourEmbedding(of: points, parameters: parameters) { step in
            observer.progress(
                stage: "t-SNE",
                done: step,
                total: parameters.steps,
                unit: "steps",
                detail: ""
            )
            if environment.isInterrupted() { throw InterruptedError() }
        }
        return (pairs(PrincipalComponents(of: points).projected(points)), pairs(embedding.places))
    }

    /// The real image that each image is, by their names, for methods that choose real images.
    private static func chosenImages(of method: String, in place: URL?) throws -> [String: String] {
        let choosing: [BaselineMethod?] = [.random, .kCenter, .herding]
        guard let place, choosing.contains(BaselineMethod(rawValue: method)) else { return [:] }
        let text = try String(
            contentsOf: place.appendingPathComponent("metadata.jsonl"),
            encoding: .utf8
        )
        struct Line: Decodable {
            let file_name: String
            let source: String?
        }
        let lines = try text.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        return Dictionary(
            lines.compactMap { line in line.source.map { (line.file_name, $0) } },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// For every image the cosine to the most similar one of its class.
    ///
    /// Looks in another set or among its siblings, around the middle of the real images; nothing
    /// for an image that has none. An image that is a real one does not count as similar to itself.
    private static func nearest(
        _ set: LabelledFeatures,
        in other: LabelledFeatures?,
        besides sources: [String: String] = [:],
        around mean: Tensor
    ) -> [Double] {
        func unit(_ features: Tensor) -> Tensor {
            let x = features - mean
            return x / x.norm(axes: [1], keepingAxes: true).clamped(to: 1e-12...Double.infinity)
        }
        let (own, candidates) = (set.indicesByClass, (other ?? set).indicesByClass)
        return own.indices.flatMap { label -> [Double] in
            guard !own[label].isEmpty, candidates[label].count > (other == nil ? 1 : 0) else {
                return []
            }
            let a = unit(set.features.gathered(own[label]))
            let b = unit((other ?? set).features.gathered(candidates[label]))
            var cosines = a.matmul(b.transposed(0, 1))
            if let other, !sources.isEmpty {
                let itself = own[label].flatMap { place -> [Float] in
                    let source = sources[set.identifiers[place]]
                    return candidates[label].map { other.identifiers[$0] == source ? 4 : 0 }
                }
                cosines = cosines - Tensor(itself, shape: cosines.shape)
            }
            if other == nil {
                let count = own[label].count
                cosines =
                    cosines
                    - Tensor.range(to: Double(count), dtype: .int64).oneHot(classCount: count)
                    .converted(to: .float32) * 4
            }
            return cosines.max(along: 1).values(as: Float.self)
                .map { (Double($0) * 1e5).rounded() / 1e5 }
        }
    }
}
