/// What `distribution.json` holds: images as points in a plane, and how alike they are.
package struct DistributionFile: Decodable, Sendable {
    /// The images of one method, or the real ones.
    package struct Images: Decodable, Sendable {
        /// The method; `real` for the real images.
        package var method: String
        package var pca: [[Double]]
        package var tsne: [[Double]]
        /// Cosine to the most similar real image of the class.
        package var nearestReal: [Double]?
        /// Cosine to the most similar other image of the method in the class.
        package var nearestSibling: [Double]?
        /// Share of the real images that have an image of the method near them.
        package var coverage: Double?
        /// Real images around an image of the method, by the usual number.
        package var density: Double?
    }

    /// What it was made of, by name.
    package var identity: [String: String]?
    /// What images were compared by.
    package var features: String
    package var imagesPerClass: Int
    package var sets: [Images]
}

/// The figures of the distribution.
enum DistributionFigures {
    /// The projections, then the histograms of similarities.
    static func charts(_ file: DistributionFile) -> [Chart] {
        let made = file.sets.filter { $0.method != "real" }
        return [
            scatter(
                file,
                name: "distribution-pca",
                title: "Real and distilled images, PCA",
                caption: "The two directions in which the features of all images vary most.",
                axes: ("first component", "second component"),
                points: \.pca
            ),
            scatter(
                file,
                name: "distribution-tsne",
                title: "Real and distilled images, t-SNE",
                caption: """
                    Images with similar features lie near each other; distances between groups, and \
                    the axes, have no meaning.
                    """,
                axes: ("", ""),
                points: \.tsne
            ),
            histogram(
                made,
                name: "similarity-real",
                title: "Similarity to the nearest real image",
                caption: """
                    Cosine similarity between the features of each distilled image and those of the \
                    most similar real image of its class\(searched(file)). 1 is a copy.
                    """,
                values: \.nearestReal
            ),
            histogram(
                made,
                name: "similarity-sibling",
                title: "Similarity to the nearest sibling",
                caption: """
                    Cosine similarity between the features of each distilled image and those of the \
                    most similar other one of its class. Further left is more diverse.
                    """,
                values: \.nearestSibling
            ),
        ].compactMap { $0 }
    }

    /// ", among up to 20,000 of all classes": a copy of an image that was not searched looks like none.
    private static func searched(_ file: DistributionFile) -> String {
        let count = file.identity?["neighbourCandidates"].flatMap(Int.init)
        return count.map { ", among up to \(Words.count($0)) of all classes" } ?? ""
    }

    /// The paper shows these; other methods only where none of them is there.
    private static func shown(_ file: DistributionFile) -> [DistributionFile.Images] {
        let made = file.sets.filter { $0.method != "real" }
        let published = made.filter { ["random", "dit", "minimax"].contains($0.method) }
        return (published.isEmpty ? Array(made.prefix(3)) : published)
            .sorted { Method($0.method) < Method($1.method) }
    }

    private static func scatter(
        _ file: DistributionFile,
        name: String,
        title: String,
        caption: String,
        axes: (String, String),
        points: (DistributionFile.Images) -> [[Double]]
    ) -> Chart? {
        func series(_ set: DistributionFile.Images, _ name: String, _ color: Palette.Color)
            -> Chart.Series
        {
            .init(
                name,
                color: color,
                mark: .points,
                points: points(set).filter { $0.count == 2 }.map { .init($0[0], $0[1]) }
            )
        }
        let real = file.sets.filter { $0.method == "real" }
            .map { series($0, "Real images", .grey) }
        let made = shown(file).map { set in
            let method = Method(set.method)
            let name = method.isReal ? "\(method.shortName) (real)" : method.shortName
            return series(set, name, method.color)
        }
        guard (real + made).contains(where: { !$0.points.isEmpty }) else { return nil }
        let measures = shown(file).compactMap { set -> String? in
            guard let coverage = set.coverage, let density = set.density else { return nil }
            return "\(Method(set.method).shortName): coverage \(Words.percent(coverage)), density "
                + Words.significant(density, digits: 3)
        }
        let numbers = measures.isEmpty ? "" : measures.joined(separator: "; ") + "."
        return Chart(
            name: name,
            title: title,
            caption: """
                \(caption) Features: \(file.features); \
                \(Words.count(file.imagesPerClass, "image")) per class of each method. \
                \(numbers)
                """,
            summary: numbers,
            x: .init(axes.0),
            y: .init(axes.1),
            series: real + made
        )
    }

    private static func histogram(
        _ sets: [DistributionFile.Images],
        name: String,
        title: String,
        caption: String,
        values: (DistributionFile.Images) -> [Double]?
    ) -> Chart? {
        let all = sets.compactMap(values).joined()
        guard let least = all.min(), let most = all.max(), most > least else { return nil }
        let count = 20
        let width = (most - least) / Double(count)
        let series = sets.sorted { Method($0.method) < Method($1.method) }
            .compactMap { set -> Chart.Series? in
                guard let values = values(set), !values.isEmpty else { return nil }
                var bins = [Int](repeating: 0, count: count)
                for value in values { bins[min(Int((value - least) / width), count - 1)] += 1 }
                let method = Method(set.method)
                return .init(
                    method.shortName,
                    color: method.color,
                    mark: .line,
                    points: bins.enumerated().map {
                        .init(
                            least + (Double($0) + 0.5) * width,
                            Double($1) / Double(values.count) * 100
                        )
                    }
                )
            }
        let medians = sets.compactMap { set -> String? in
            guard let sorted = values(set)?.sorted(), !sorted.isEmpty else { return nil }
            let median = Words.significant(sorted[sorted.count / 2], digits: 3)
            return "\(Method(set.method).shortName) \(median)"
        }
        let numbers = "Medians: \(Words.list(medians))."
        return Chart(
            name: name,
            title: title,
            caption: "\(caption) \(numbers)",
            summary: numbers,
            x: .init("cosine"),
            y: .init("share of the images", unit: "%", minimum: 0),
            series: series
        )
    }
}
