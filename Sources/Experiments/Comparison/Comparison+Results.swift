import Checkpoints
import Evaluation
import Foundation

/// What making the images of a cell cost, with its share of the work that cells share.
public struct DistillationCost: Codable, Sendable, Equatable {
    /// Wall time of everything but the pre-training: fine-tuning, and drawing or optimising the
    /// images of this number.
    public let seconds: Double
    /// Largest memory meanwhile.
    public let peakMemoryBytes: Int
    /// Where it ran.
    public let device: String
}

/// What is told of a unit beside its results.
private struct UnitCosts: Codable {
    let unit: String
    let cells: Int
    let costs: [StageCost]
}

/// What measured a cell.
struct CellProvenance: Codable, Sendable {
    let version: String
    let commit: String
    let libtorch: String
    let cpuCapability: String
    let threads: Int
}

/// A result, with the cell that it belongs to.
private struct CellResult: Encodable {
    let result: EvaluationResult
    let cell: GridCell
    let distillation: DistillationCost?
    let provenance: CellProvenance?

    private enum Keys: CodingKey {
        case cell, variation, unit, headline, distillation, provenance
    }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(cell.key, forKey: .cell)
        try container.encode(cell.variation, forKey: .variation)
        try container.encode(cell.unit, forKey: .unit)
        try container.encode(result.headline, forKey: .headline)
        try container.encodeIfPresent(distillation, forKey: .distillation)
        try container.encodeIfPresent(provenance, forKey: .provenance)
    }
}

/// What an earlier `comparison.json` tells that the folder may not hold any more.
private struct KeptResults: Decodable {
    struct Cell: Decodable {
        let key: String
        let result: EvaluationResult
        let distillation: DistillationCost?
        let provenance: CellProvenance?

        private enum Keys: String, CodingKey { case cell, distillation, provenance }

        init(from decoder: any Decoder) throws {
            result = try EvaluationResult(from: decoder)
            let container = try decoder.container(keyedBy: Keys.self)
            key = try container.decode(String.self, forKey: .cell)
            distillation = try container.decodeIfPresent(
                DistillationCost.self,
                forKey: .distillation
            )
            provenance = try container.decodeIfPresent(CellProvenance.self, forKey: .provenance)
        }
    }

    let results: [Cell]
    let shared: [UnitCosts]
}

/// `comparison.json`.
private struct ComparisonFile: Encodable {
    let name: String
    /// By what the images of the methods are compared; `none` for no figure of it.
    let distribution: String
    /// The varied settings as they are in the recipe of the grid.
    let base: [String: String]
    let results: [CellResult]
    let failed: [FailedCell]
    /// Keys of cells that nobody has computed yet.
    let missing: [String]
    let shared: [UnitCosts]
}

extension Comparison {
    /// Writes `comparison.json` from what is finished.
    ///
    /// A result that an earlier one holds stays in it until the cell is measured again: where only
    /// results were kept, nothing of them is lost.
    public func gather() throws {
        try exclusively {
            let kept = read("comparison.json", in: url, as: KeptResults.self)
            let keptCells = Dictionary(
                (kept?.results ?? []).map { ($0.key, $0) },
                uniquingKeysWith: { $1 }
            )
            let keptCosts = Dictionary(
                (kept?.shared ?? []).map { ($0.unit, $0.costs) },
                uniquingKeysWith: { $1 }
            )
            let costs = plan.units.reduce(into: [String: [StageCost]]()) { costs, unit in
                let own = self.costs(of: unit)
                costs[unit.key] = own.isEmpty ? keptCosts[unit.key] ?? [] : own
            }
            let results = plan.cells.compactMap { cell -> CellResult? in
                let cost = distillationCost(of: cell, costs)
                if let result = result(of: cell) {
                    return CellResult(
                        result: result,
                        cell: cell,
                        distillation: cost,
                        provenance: provenance(of: cell)
                    )
                }
                guard let old = keptCells[cell.key], fits(old.result, cell) else { return nil }
                return CellResult(
                    result: old.result,
                    cell: cell,
                    distillation: cost ?? old.distillation,
                    provenance: old.provenance
                )
            }
            let failed = plan.cells.compactMap(failure)
            let known = Set(results.map(\.cell.key) + failed.map(\.cell))
            let file = ComparisonFile(
                name: plan.grid.name,
                distribution: plan.grid.distribution.features,
                base: plan.base,
                results: results,
                failed: failed,
                missing: plan.cells.map(\.key).filter { !known.contains($0) },
                shared: plan.units.map { unit in
                    UnitCosts(
                        unit: unit.key,
                        cells: plan.cells.count { uses(unit.key, from: $0.unit) },
                        costs: costs[unit.key] ?? []
                    )
                }
            )
            try AtomicFile.write(
                ReadableJSON.data(file),
                to: url.appendingPathComponent("comparison.json")
            )
        }
    }

    /// Does something with the files that all processes write, one process at a time.
    public func exclusively<Value>(_ body: () throws -> Value) throws -> Value {
        var hasToldOf = false
        while true {
            do {
                let lock = try FolderLock(url)
                return try withExtendedLifetime(lock, body)
            } catch let error as RunError where error.code == .locked {
                if environment.isInterrupted() { throw InterruptedError() }
                if !hasToldOf { observer.note("Waiting: \(error)") }
                hasToldOf = true
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
    }

    /// Whether a unit reads, directly or not, what another makes.
    func uses(_ needed: String, from key: String) -> Bool {
        key == needed || (plan.unit(key)?.needs ?? []).contains { uses(needed, from: $0) }
    }

    private func costs(of unit: SharedUnit) -> [StageCost] {
        read("results.json", in: folder(of: unit), as: RunResults.self)?.costs ?? []
    }

    private func provenance(of cell: GridCell) -> CellProvenance? {
        read("provenance.json", in: folder(of: cell), as: CellProvenance.self)
    }

    /// A surrogate that smaller ones are chosen from was drawn image by image, so that each image
    /// has its share of the time; a fine-tuning belongs to all of them.
    private func distillationCost(
        of cell: GridCell,
        _ costs: [String: [StageCost]]
    ) -> DistillationCost? {
        guard let unit = plan.unit(cell.unit) else { return nil }
        let made = unit.recipe.sample.imagesPerClass
        let share = Double(cell.imagesPerClass) / Double(max(made, 1))
        let own = costs[unit.key] ?? []
        let before = plan.units
            .filter { $0.key != unit.key && $0.work != .pretrain && uses($0.key, from: unit.key) }
            .flatMap { costs[$0.key] ?? [] }
        let all = own + before
        // Without its own a part would be told as the whole.
        guard let first = own.first else { return nil }
        return DistillationCost(
            seconds: own.reduce(0) {
                $0 + $1.seconds * ($1.stage.hasPrefix("finetune") ? 1 : share)
            } + before.reduce(0) { $0 + $1.seconds },
            peakMemoryBytes: all.map(\.peakMemoryBytes).max() ?? 0,
            device: first.device
        )
    }
}
