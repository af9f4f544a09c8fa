import Foundation

/// What `comparison.json` holds.
package struct ComparisonFile: Decodable, Sendable {
    /// The result of one cell of the grid.
    package struct Cell: Decodable, Sendable {
        package var key: String
        package var result: AccuracyResult
        /// The varied settings that differ from the grid's own recipe.
        package var variation: [String: String]
        /// The shared work that made its images.
        package var unit: String?
        /// What making its images took.
        package var distillation: Distillation?
        /// What measured it.
        package var provenance: Provenance?

        private enum CodingKeys: String, CodingKey {
            case key = "cell"
            case variation, unit, distillation, provenance
        }

        package init(from decoder: any Decoder) throws {
            result = try AccuracyResult(from: decoder)
            let container = try decoder.container(keyedBy: CodingKeys.self)
            key = try container.decode(String.self, forKey: .key)
            variation =
                try container.decodeIfPresent([String: String].self, forKey: .variation) ?? [:]
            unit = try container.decodeIfPresent(String.self, forKey: .unit)
            distillation = try container.decodeIfPresent(Distillation.self, forKey: .distillation)
            provenance = try container.decodeIfPresent(Provenance.self, forKey: .provenance)
        }
    }

    /// The program and the machine that measured a cell.
    package struct Provenance: Decodable, Hashable, Sendable {
        package var version: String
        package var commit: String
        package var libtorch: String
        package var cpuCapability: String
        package var threads: Int
    }

    /// Time and memory of making the images of a cell, its share of shared work included.
    package struct Distillation: Decodable, Sendable {
        package var seconds: Double
        package var peakMemoryBytes: Double?
        package var device: String?
    }

    /// A cell without a result.
    package struct Failure: Decodable, Sendable {
        package var cell: String
        package var error: String
    }

    /// Work that cells share.
    package struct Unit: Decodable, Sendable {
        package var unit: String
        package var cells: Int
        package var costs: [Cost]
    }

    /// What a stage of shared work took, and for methods that optimise pixels how far they moved
    /// from the images that the method began with, from 0 to 1.
    package struct Cost: Decodable, Sendable {
        package var stage: String
        package var seconds: Double
        package var peakMemoryBytes: Double?
        package var meanChange: Double?
    }

    package var name: String
    /// By what images are compared in the figure of the distribution; `none` for no figure.
    package var distribution: String?
    /// The varied settings as they are in the grid's own recipe.
    package var base: [String: String]
    package var results: [Cell]
    package var failed: [Failure]
    package var missing: [String]
    package var shared: [Unit]

    /// The seed of the recipe, by which images are drawn.
    static let drawPath = "seed"

    /// Whether the grid makes images several times, with other seeds.
    var hasDraws: Bool { base[Self.drawPath] != nil }

    /// Decodes the file and checks its numbers.
    static func read(_ file: RunFile) throws -> ComparisonFile {
        let comparison = try file.decoded(ComparisonFile.self)
        for cell in comparison.results {
            guard let fault = cell.result.counting.fault else { continue }
            throw ReportError.malformed(
                file.path,
                "the cell \(cell.key) \(fault)",
                remedy: "Remove its folder in cells/ and start `distill compare` again."
            )
        }
        return comparison
    }
}

/// Results of one method in one setting: over the seeds of the networks, or over draws of images.
package struct ComparisonGroup: Sendable {
    /// What a group has several values of.
    package enum Spread: Sendable {
        /// Networks of several seeds, trained on the same images.
        case seeds
        /// Images drawn several times; a value is the mean over the networks of one draw.
        case draws

        /// "seeds" or "draws of the images".
        package var plural: String { self == .seeds ? "seeds" : "draws of the images" }
        package var singular: String { self == .seeds ? "seed" : "draw of the images" }
    }

    package var spread = Spread.seeds
    /// Draws whose mean is over fewer networks than that of others in the grid.
    package var incompleteDraws = 0
    package var method: Method
    package var imagesPerClass: Int
    package var network: String
    package var protocolName: String?
    package var epochs: Int?
    package var classes: Int?
    package var variation: [String: String]
    /// Seeds of the networks, or of the draws.
    package var seeds: [Int]
    /// The epoch that counts: `last`, `best` or `holdout`.
    package var selection: String
    /// Accuracies at that epoch, in the order of the seeds or draws.
    package var values: [Double]
    package var bestValues: [Double]
    package var distillation: ComparisonFile.Distillation?
    /// How far the method moved pixels from where it began, from 0 to 1.
    package var meanPixelChange: Double?
    /// Time of all trainings.
    package var seconds: Double

    package var mean: Double { values.reduce(0, +) / Double(max(values.count, 1)) }

    /// Deviation of the values, divided by n − 1; nothing for one value.
    package var deviation: Double? { Significance.deviation(values) }

    /// Cells that differ in nothing but the seed, in the order of the file.
    static func all(_ file: ComparisonFile) -> [ComparisonGroup] {
        let changes = Dictionary(
            file.shared.map { ($0.unit, $0.costs.compactMap(\.meanChange).last) },
            uniquingKeysWith: { first, _ in first }
        )
        var groups: [ComparisonGroup] = []
        for cell in file.results {
            let result = cell.result
            let index = groups.firstIndex {
                $0.method.id == result.method && $0.imagesPerClass == result.imagesPerClass
                    && $0.network == result.network && $0.variation == cell.variation
            }
            let pairs = Array(
                zip(
                    result.seeds ?? [groups.count],
                    result.counting.values
                )
            )
            if let index {
                groups[index].seeds += pairs.map(\.0)
                groups[index].values += pairs.map(\.1)
                groups[index].bestValues += result.best?.values ?? []
                groups[index].seconds += result.seconds ?? 0
            } else {
                groups.append(
                    ComparisonGroup(
                        method: Method(result.method),
                        imagesPerClass: result.imagesPerClass,
                        network: result.network,
                        protocolName: result.protocolName,
                        epochs: result.epochs,
                        classes: result.classes,
                        variation: cell.variation,
                        seeds: pairs.map(\.0),
                        selection: result.selection ?? "last",
                        values: pairs.map(\.1),
                        bestValues: result.best?.values ?? [],
                        distillation: cell.distillation,
                        meanPixelChange: cell.unit.flatMap { changes[$0] ?? nil },
                        seconds: result.seconds ?? 0
                    )
                )
            }
        }
        return groups
    }

    /// Groups over draws instead of seeds, in the order of the file; nothing changes where the grid
    /// has a single draw.
    static func overDraws(_ groups: [ComparisonGroup], of file: ComparisonFile) -> [ComparisonGroup]
    {
        guard let usual = file.base[ComparisonFile.drawPath] else { return groups }
        var merged: [(group: ComparisonGroup, draws: [ComparisonGroup])] = []
        for group in groups {
            var own = group
            own.spread = .draws
            own.variation[ComparisonFile.drawPath] = nil
            let index = merged.firstIndex {
                $0.group.method == own.method && $0.group.imagesPerClass == own.imagesPerClass
                    && $0.group.network == own.network && $0.group.variation == own.variation
            }
            if let index {
                merged[index].draws.append(group)
            } else {
                merged.append((own, [group]))
            }
        }
        let most = groups.map(\.values.count).max() ?? 0
        return merged.map { group, draws in
            var group = group
            group.incompleteDraws = draws.count { $0.values.count < most }
            group.seeds = draws.map { draw in
                Int(draw.variation[ComparisonFile.drawPath] ?? usual) ?? 0
            }
            group.values = draws.map(\.mean)
            group.bestValues = draws.compactMap { draw in
                draw.bestValues.isEmpty
                    ? nil : draw.bestValues.reduce(0, +) / Double(draw.bestValues.count)
            }
            let costs = draws.compactMap(\.distillation)
            group.distillation = costs.first.map { first in
                .init(
                    seconds: costs.reduce(0) { $0 + $1.seconds } / Double(costs.count),
                    peakMemoryBytes: costs.compactMap(\.peakMemoryBytes).max(),
                    device: first.device
                )
            }
            let changes = draws.compactMap(\.meanPixelChange)
            group.meanPixelChange =
                changes.isEmpty ? nil : changes.reduce(0, +) / Double(changes.count)
            group.seconds = draws.reduce(0) { $0 + $1.seconds }
            return group
        }
    }
}
