import Checkpoints
import Evaluation
import Foundation
import Torch

/// A grid at work in its folder.
///
/// ```
/// FOLDER/grid.resolved.yaml     every value of the grid
/// FOLDER/shared/<unit>/         run folders of the work that cells share
/// FOLDER/cells/<cell>/          a run folder of one measurement, or failed.json
/// FOLDER/comparison.json        all results
/// ```
///
/// Everything that is finished stays as it is; what was interrupted goes on where it stopped. Several
/// processes may work on one folder, also on several machines.
public final class Comparison {
    /// What is compared.
    public let plan: GridPlan
    /// The folder.
    public let url: URL
    let environment: Pipeline.Environment
    let observer: any RunObserver
    private let threadCount = Engine.threadCount
    private var loadedData: [String: RunData] = [:]
    private var failedUnits: [String: any Error] = [:]
    private var reasonOfWaiting: String?

    /// What has become of a grid.
    public struct Summary: Sendable, Equatable {
        /// Cells with a result, measured in this folder or kept in its `comparison.json`.
        public let finished: Int
        /// Cells that failed, with what went wrong.
        public let failed: [FailedCell]
        /// All cells.
        public let all: Int
        /// Whether every cell has a result.
        public var isComplete: Bool { finished == all }
    }

    /// Prepares a comparison; nothing is written yet.
    ///
    /// - Parameters:
    ///   - grid: What is compared.
    ///   - url: The folder.
    ///   - environment: Where and how.
    ///   - observer: Hears of the progress.
    /// - Throws: `RunError` if the folder belongs to a run, to a grid with another recipe or with
    ///   another largest number of images, or if its `comparison.json` is damaged.
    public init(
        _ grid: Grid,
        in url: URL,
        environment: Pipeline.Environment,
        observer: any RunObserver
    ) throws {
        plan = try GridPlan(grid)
        self.url = url
        self.environment = environment
        self.observer = observer
        try requireOwnFolder()
        try requireReadableResults()
    }

    private init(reading url: URL, observer: any RunObserver) throws {
        let file = url.appendingPathComponent("grid.resolved.yaml")
        plan = try GridPlan(
            Grid.read(yaml: String(contentsOf: file, encoding: .utf8), name: file.path)
        )
        self.url = url
        environment = Pipeline.Environment()
        self.observer = observer
    }

    /// Writes `comparison.json` from what is finished, by whatever process, in the folder of a grid.
    ///
    /// - Parameters:
    ///   - url: The folder.
    ///   - observer: Hears of another process that has to be waited for.
    /// - Returns: False if it holds no cells, as where only results were kept; then nothing is
    ///   written.
    /// - Throws: `RecipeError` if the grid is one of another version, `InterruptedError` after a
    ///   signal, and if nothing can be written.
    @discardableResult
    public static func gather(_ url: URL, observer: any RunObserver) throws -> Bool {
        let needed = ["grid.resolved.yaml", "cells"].map(url.appendingPathComponent)
        guard needed.allSatisfy({ FileManager.default.fileExists(atPath: $0.path) }) else {
            return false
        }
        try Comparison(reading: url, observer: observer).gather()
        return true
    }

    /// Whether a cell has its result.
    public func isFinished(_ cell: GridCell) -> Bool { result(of: cell) != nil }

    /// Computes every cell that is missing, and writes `comparison.json`.
    ///
    /// Cells that fail are recorded and left behind. What another process works on is waited for at
    /// the end. After a signal, too, what is finished is written, with the names of the cells that are
    /// missing.
    ///
    /// - Throws: `RunError` if a method or network does not exist or does not fit the data,
    ///   `InterruptedError` after a signal, and if `comparison.json` cannot be written.
    public func run() throws {
        try requireFittingMethods()
        try requireTestImages()
        try warnOfMissing()
        try open()
        // A cell that a process began and never left comes last: it may have needed too much memory.
        let missing = plan.cells.filter { !isFinished($0) }
            .map { (cell: $0, wasLeft: wasLeft($0)) }
        var pending = (missing.filter { !$0.wasLeft } + missing.filter(\.wasLeft)).map(\.cell)
        let finished = plan.cells.count - pending.count
        if finished > 0 {
            observer.note("\(finished) of \(plan.cells.count) cells are finished")
        }
        while !pending.isEmpty {
            var busy = [GridCell]()
            var busyUnits = Set<String>()
            var reason: RunError?
            for cell in pending {
                // Work that another process is at is not asked for again by each of its cells.
                if busyUnits.contains(cell.unit) {
                    busy.append(cell)
                    continue
                }
                do {
                    try compute(cell)
                } catch let error as RunError where error.code == .locked {
                    busy.append(cell)
                    if let unit = plan.unit(cell.unit), !isMade(unit) {
                        busyUnits.insert(cell.unit)
                    }
                    reason = error
                } catch  where Comparison.isInterruption(error) {
                    // `distill report` makes tables of what there is.
                    do { try gather() } catch { observer.warn("comparison.json: \(error)") }
                    throw InterruptedError()
                } catch {
                    observer.warn("cell \(cell.key): \(error)")
                }
            }
            pending = busy
            if let reason { try wait(reason) }
        }
        try gather()
    }

    /// The cell with a key.
    ///
    /// - Throws: `RunError` if there is none.
    private func cell(_ key: String) throws -> GridCell {
        guard let cell = plan.cells.first(where: { $0.key == key }) else {
            throw RunError(
                .invalidSettings,
                "There is no cell \"\(key)\" in this grid; --list-cells prints the keys."
            )
        }
        return cell
    }

    /// Makes sure that there are cells with these keys.
    ///
    /// - Throws: `RunError` that names the first of which there is none.
    public func requireCells(_ keys: [String]) throws {
        for key in keys { _ = try cell(key) }
    }

    /// Computes one cell; the last one of the grid writes `comparison.json`.
    ///
    /// - Parameter key: One of the keys of the plan.
    /// - Throws: What the cell failed with; `InterruptedError` after a signal.
    public func run(cell key: String) throws {
        let cell = try cell(key)
        // One that is finished reads no image.
        if !isFinished(cell) { try requireFittingMethods() }
        try open()
        while !isFinished(cell) {
            do {
                try compute(cell)
            } catch let error as RunError where error.code == .locked {
                try wait(error)
            } catch  where Comparison.isInterruption(error) {
                throw InterruptedError()
            }
        }
        if plan.cells.allSatisfy(isFinished) { try gather() }
    }

    /// Computes no cell: writes `comparison.json` from what is finished, by whatever process.
    ///
    /// - Throws: `RunError` if the folder holds no comparison, `InterruptedError` after a signal.
    public func gatherFinished() throws {
        let file = url.appendingPathComponent("grid.resolved.yaml")
        guard FileManager.default.fileExists(atPath: file.path) else {
            throw RunError(
                .missingFile,
                "There is nothing to gather: no comparison in \(url.path)."
            )
        }
        try open()
        try gather()
    }

    private static func markOfBeginning(in folder: URL) -> URL {
        folder.appendingPathComponent("begun")
    }

    /// Whether a process began a cell, or work that it shares, and did not come to its end, or is
    /// still at it.
    private func wasLeft(_ cell: GridCell) -> Bool {
        let units = plan.units.filter { uses($0.key, from: cell.unit) && !isMade($0) }
        return ([folder(of: cell)] + units.map { folder(of: $0) }).contains {
            FileManager.default.fileExists(atPath: Comparison.markOfBeginning(in: $0).path)
        }
    }

    /// Does work in a folder that is marked meanwhile: the mark of a process that was killed stays.
    private func marked(_ folder: URL, _ work: () throws -> Void) throws {
        let mark = Comparison.markOfBeginning(in: folder)
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: mark.path, contents: nil)
        do {
            try work()
        } catch let error as RunError where error.code == .locked {
            // Where another process is at work the mark is that one's.
            throw error
        } catch {
            try? FileManager.default.removeItem(at: mark)
            throw error
        }
        try? FileManager.default.removeItem(at: mark)
    }

    /// How far the grid is.
    public func summary() -> Summary {
        let failed = plan.cells.compactMap(failure)
        return Summary(
            finished: cellsWithResults().count,
            failed: failed,
            all: plan.cells.count
        )
    }

    private static func isInterruption(_ error: any Error) -> Bool {
        error is InterruptedError || error is EvaluationInterruption
    }

    /// Another process works on what is needed.
    ///
    /// - Parameter reason: Which one, and where; it is told once.
    /// - Throws: `InterruptedError` after a signal.
    private func wait(_ reason: RunError) throws {
        if reason.description != reasonOfWaiting { observer.note("Waiting: \(reason)") }
        reasonOfWaiting = reason.description
        for _ in 0..<40 {
            if environment.isInterrupted() { throw InterruptedError() }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    // MARK: Work

    private func compute(_ cell: GridCell) throws {
        guard !isFinished(cell) else { return }
        if environment.isInterrupted() { throw InterruptedError() }
        let failure = folder(of: cell).appendingPathComponent("failed.json")
        removeIfOutdated(cell)
        do {
            try marked(folder(of: cell)) {
                guard let unit = plan.unit(cell.unit) else {
                    throw RunError(.unusable, "cell \(cell.key): no unit makes its images.")
                }
                try prepare(unit)
                try linkImages(of: unit, into: cell)
                try pipeline(cell.recipe, in: folder(of: cell)).evaluate(only: cell.method)
                if let result = storedResult(of: cell), !fits(result, cell) {
                    throw RunError(
                        .otherRecipe,
                        "\(folder(of: cell).path) holds a result of the protocol "
                            + "\(result.evaluationProtocol), which this grid would not call so. "
                            + "Move that folder away: the cell is then trained anew."
                    )
                }
            }
            try? FileManager.default.removeItem(at: failure)
        } catch let error as RunError where error.code == .locked {
            throw error
        } catch  where Comparison.isInterruption(error) {
            throw error
        } catch {
            let record = FailedCell(cell: cell.key, error: "\(error)")
            try FileManager.default.createDirectory(
                at: folder(of: cell),
                withIntermediateDirectories: true
            )
            try AtomicFile.write(ReadableJSON.data(record), to: failure)
            throw error
        }
    }

    private func mark(of unit: SharedUnit) -> URL {
        folder(of: unit).appendingPathComponent("unit.json")
    }

    /// Whether the work of a unit is done, and the images that it made are still there: those that
    /// somebody has removed are made again.
    func isMade(_ unit: SharedUnit) -> Bool {
        let lists = unit.images.map {
            folder(of: unit).appendingPathComponent("\($0)/metadata.jsonl")
        }
        return ([mark(of: unit)] + lists).allSatisfy {
            FileManager.default.fileExists(atPath: $0.path)
        }
    }

    /// Does the work of a unit, after that of the units it needs.
    private func prepare(_ unit: SharedUnit) throws {
        guard !isMade(unit) else { return }
        if let error = failedUnits[unit.key] { throw error }
        for key in unit.needs {
            guard let needed = plan.unit(key) else { continue }
            try prepare(needed)
            try linkResults(of: needed, into: unit)
        }
        do {
            try marked(folder(of: unit)) {
                let pipeline = try pipeline(unit.recipe, in: folder(of: unit))
                observer.note("shared: \(unit.key)")
                switch unit.work {
                case .encode: try pipeline.encode()
                case .pretrain: try pipeline.pretrain()
                case .finetune: try pipeline.finetune()
                case .features: _ = try pipeline.trainedExtractor()
                case .sample: try pipeline.sample()
                case .baseline(let method): try pipeline.baseline(method)
                }
                try AtomicFile.write(ReadableJSON.data(["unit": unit.key]), to: mark(of: unit))
            }
        } catch let error as RunError where error.code == .locked {
            throw error
        } catch  where Comparison.isInterruption(error) {
            throw error
        } catch {
            // Every cell of the unit would try again and fail again.
            failedUnits[unit.key] = error
            throw error
        }
    }

    /// A pipeline that shares the real images with the others of this process.
    func pipeline(_ recipe: Recipe, in folder: URL) throws -> Pipeline {
        // A folder that was begun elsewhere has set its own number.
        Engine.threadCount = threadCount
        let pipeline = try Pipeline(
            recipe,
            in: folder,
            environment: environment,
            observer: observer
        )
        try pipeline.use(data(recipe.data))
        return pipeline
    }

    /// Real images, opened once.
    func data(_ settings: DataSettings) throws -> RunData {
        let key = Comparison.key(of: settings)
        if let data = loadedData[key] { return data }
        let data = try RunData(settings)
        loadedData[key] = data
        return data
    }

    private static func key(of settings: DataSettings) -> String {
        (try? ReadableJSON.data(settings)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
