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
private struct CellResult: Codable {
    let result: EvaluationResult
    let key: String
    let variation: [String: String]
    let unit: String?
    let distillation: DistillationCost?
    let provenance: CellProvenance?

    private enum Keys: CodingKey {
        case cell, variation, unit, headline, distillation, provenance
    }

    init(
        _ result: EvaluationResult,
        of cell: GridCell,
        distillation: DistillationCost?,
        provenance: CellProvenance?
    ) {
        self.result = result
        (key, variation, unit) = (cell.key, cell.variation, cell.unit)
        self.distillation = distillation
        self.provenance = provenance
    }

    init(from decoder: any Decoder) throws {
        result = try EvaluationResult(from: decoder)
        let container = try decoder.container(keyedBy: Keys.self)
        key = try container.decode(String.self, forKey: .cell)
        variation = try container.decode([String: String].self, forKey: .variation)
        unit = try container.decodeIfPresent(String.self, forKey: .unit)
        distillation = try container.decodeIfPresent(DistillationCost.self, forKey: .distillation)
        provenance = try container.decodeIfPresent(CellProvenance.self, forKey: .provenance)
    }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(key, forKey: .cell)
        try container.encode(variation, forKey: .variation)
        try container.encodeIfPresent(unit, forKey: .unit)
        try container.encode(result.headline, forKey: .headline)
        try container.encodeIfPresent(distillation, forKey: .distillation)
        try container.encodeIfPresent(provenance, forKey: .provenance)
    }
}

/// Results of cells that the grid did once have, or did train so, and may again.
private struct OtherResults: Codable {
    let results: [CellResult]
    let shared: [UnitCosts]
}

/// What an earlier `comparison.json` tells that the folder may not hold any more.
private struct KeptResults: Decodable {
    let results: [CellResult]
    let shared: [UnitCosts]
    let others: OtherResults?

    /// All results, those of other cells included.
    var cells: [String: CellResult] {
        Dictionary(
            ((others?.results ?? []) + results).map { ($0.key, $0) },
            uniquingKeysWith: { $1 }
        )
    }

    /// All costs, those of other units included.
    var units: [String: UnitCosts] {
        Dictionary(
            ((others?.shared ?? []) + shared).map { ($0.unit, $0) },
            uniquingKeysWith: { $1 }
        )
    }
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
    /// Nothing of this is in the tables.
    let others: OtherResults?
}

extension Comparison {
    /// Writes `comparison.json` from what is finished.
    ///
    /// A result that an earlier one holds stays in it until the cell is measured again, also while the
    /// grid does without the cell: where only results were kept, nothing of them is lost.
    public func gather() throws {
        try exclusively {
            let kept = try keptResults()
            let keptCells = kept?.cells ?? [:]
            let keptUnits = kept?.units ?? [:]
            let costs = plan.units.reduce(into: [String: [StageCost]]()) { costs, unit in
                let own = self.costs(of: unit)
                let kept = keptUnits[unit.key]?.costs ?? []
                // Those of half the work do not count while there are some of all of it.
                costs[unit.key] = own.isEmpty || !isMade(unit) && !kept.isEmpty ? kept : own
            }
            let results = plan.cells.compactMap { cell -> CellResult? in
                let cost = distillationCost(of: cell, costs)
                if let result = result(of: cell) {
                    return CellResult(
                        result,
                        of: cell,
                        distillation: cost,
                        provenance: provenance(of: cell)
                    )
                }
                guard let old = keptCells[cell.key], fits(old.result, cell) else { return nil }
                return CellResult(
                    old.result,
                    of: cell,
                    distillation: cost ?? old.distillation,
                    provenance: old.provenance
                )
            }
            let failed = plan.cells.compactMap(failure)
            let known = Set(results.map(\.key) + failed.map(\.cell))
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
                },
                others: others(keptCells, keptUnits, shown: Set(results.map(\.key)))
            )
            try AtomicFile.write(
                ReadableJSON.data(file),
                to: url.appendingPathComponent("comparison.json")
            )
        }
    }

    /// What was kept of cells and units that the grid does without, or trains otherwise now.
    private func others(
        _ cells: [String: CellResult],
        _ units: [String: UnitCosts],
        shown: Set<String>
    ) -> OtherResults? {
        let ownUnits = Set(plan.units.map(\.key))
        let results = cells.values.filter { !shown.contains($0.key) }
        let shared = units.values.filter { !ownUnits.contains($0.unit) && !$0.costs.isEmpty }
        guard !results.isEmpty else { return nil }
        return OtherResults(
            results: results.sorted { $0.key < $1.key },
            shared: shared.sorted { $0.unit < $1.unit }
        )
    }

    /// What an earlier `comparison.json` holds; nil if there is none.
    ///
    /// - Throws: `RunError` if it is damaged: some results may be nowhere else.
    private func keptResults() throws -> KeptResults? {
        let file = url.appendingPathComponent("comparison.json")
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        do {
            return try JSONDecoder().decode(KeptResults.self, from: Data(contentsOf: file))
        } catch {
            throw RunError(
                .malformed,
                "\(file.path) is damaged, and some results may be kept only in it. Restore it, or "
                    + "move it away to go on without them."
            )
        }
    }

    /// Makes sure, before any work starts, that results can be added to those of an earlier
    /// `comparison.json`.
    func requireReadableResults() throws { _ = try keptResults() }

    /// Cells whose result stands in `comparison.json`, measured here or kept.
    func cellsWithResults() -> Set<String> {
        let kept = (try? keptResults()?.cells) ?? [:]
        return Set(
            plan.cells.filter { cell in
                isFinished(cell) || kept[cell.key].map { fits($0.result, cell) } ?? false
            }
            .map(\.key)
        )
    }

    /// Does something with the files that all processes write, one process at a time.
    public func exclusively<Value>(_ body: () throws -> Value) throws -> Value {
        try Comparison.exclusively(
            in: url,
            observer: observer,
            isInterrupted: environment.isInterrupted,
            body
        )
    }

    /// Does something with the files of a folder that all processes write, one process at a time.
    ///
    /// - Parameters:
    ///   - url: The folder.
    ///   - observer: Hears of another process that has to be waited for.
    ///   - isInterrupted: Whether to wait no longer.
    ///   - body: What is done.
    /// - Returns: What that returns.
    /// - Throws: What that throws, `InterruptedError`, and `RunError` if the folder cannot be locked.
    public static func exclusively<Value>(
        in url: URL,
        observer: any RunObserver,
        isInterrupted: () -> Bool = { false },
        _ body: () throws -> Value
    ) throws -> Value {
        var hasToldOf = false
        while true {
            do {
                let lock = try FolderLock(url)
                return try withExtendedLifetime(lock, body)
            } catch let error as RunError where error.code == .locked {
                if isInterrupted() { throw InterruptedError() }
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

    /// Whether a unit's work is part of what another cost: all that it needs but the pre-training, and
    /// what only that needs.
    private func isPaid(_ needed: SharedUnit, by unit: SharedUnit) -> Bool {
        guard unit.work != .pretrain else { return false }
        return needed == unit && needed.work != .pretrain
            || unit.needs.compactMap(plan.unit).contains { isPaid(needed, by: $0) }
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
            .filter { $0.key != unit.key && isPaid($0, by: unit) }
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
