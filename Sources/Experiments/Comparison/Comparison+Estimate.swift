import Checkpoints
import Evaluation
import Foundation
import Torch

/// What a grid will need, from rates that were measured on a few steps of its own work.
public struct GridEstimate: Codable, Sendable, Equatable {
    /// Work that cells share.
    public struct Unit: Codable, Sendable, Equatable {
        /// Its key.
        public let unit: String
        /// How many cells need it.
        public let cells: Int
        /// For example "500 steps of 8 images".
        public let work: String
        /// Wall time; 0 if it is finished.
        public let seconds: Double
        /// Room for checkpoints and images; 0 if it is finished.
        public let diskBytes: Int
        /// Whether it is finished.
        public let isFinished: Bool
    }

    /// Cells that differ in nothing that changes their time.
    public struct Cells: Codable, Sendable, Equatable {
        /// Network and images of each class, for example "convnet-3, 10 images per class".
        public let work: String
        /// How many there are.
        public let cells: Int
        /// How many of them are finished.
        public let finished: Int
        /// Wall time of one.
        public let secondsEach: Double

        /// Wall time of those that are missing.
        public var seconds: Double { secondsEach * Double(cells - finished) }
    }

    /// Shared work.
    public let shared: [Unit]
    /// The measurements.
    public let cells: [Cells]
    /// Largest memory that the measured steps needed.
    public let memoryBytes: Int

    /// Room for the shared work that is missing; the cells link to it.
    public let diskBytes: Int

    /// Wall time of everything that is missing, one after the other.
    public var seconds: Double {
        shared.reduce(0) { $0 + $1.seconds } + cells.reduce(0) { $0 + $1.seconds }
    }

    /// The longest cell, which is what an interruption costs at most.
    public var longestSeconds: Double {
        (shared.map(\.seconds) + cells.map(\.secondsEach)).max() ?? 0
    }

    /// For people.
    public var text: String {
        var rows = shared.map { unit in
            (
                "shared \(unit.unit)",
                (unit.isFinished ? "finished" : "\(RunEstimate.time(unit.seconds)): \(unit.work)")
                    + ", for \(unit.cells) cells"
            )
        }
        rows += cells.map { group in
            let finished = group.finished > 0 ? " (\(group.finished) finished)" : ""
            return (
                "\(group.cells) cells\(finished)",
                "\(RunEstimate.time(group.secondsEach)) each: \(group.work)"
            )
        }
        let count = cells.reduce(0) { $0 + $1.cells }
        rows.append(("all \(count) cells", RunEstimate.time(seconds)))
        rows.append(("the longest step", RunEstimate.time(longestSeconds)))
        rows.append(("memory", String(format: "at least %.1f GB", Double(memoryBytes) / 1e9)))
        rows.append(("disk", String(format: "about %.0f MB", Double(diskBytes) / 1e6)))
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $1 }
            .joined(separator: "\n")
    }
}

extension Comparison {
    /// Measures a few steps of every kind of work that is missing; nothing of them is kept.
    ///
    /// - Returns: What the grid will need.
    /// - Throws: What the work itself throws: settings that do not fit, missing files.
    public func estimate() throws -> GridEstimate {
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("distill-dry-run-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        try requireFittingMethods()
        var peak = PeakMemory(on: environment.device)
        let shared = try sharedEstimates(scratch, &peak)
        return GridEstimate(
            shared: shared,
            cells: try cellEstimates(scratch, &peak),
            memoryBytes: peak.bytes,
            diskBytes: shared.reduce(0) { $0 + $1.diskBytes }
        )
    }

    private func sharedEstimates(
        _ scratch: URL,
        _ peak: inout PeakMemory
    ) throws -> [GridEstimate.Unit] {
        let missing = plan.units.filter { !isMade($0) }
        var counts = [String: Set<Int>]()
        for unit in missing {
            counts[try Comparison.kind(unit), default: []].insert(unit.recipe.sample.imagesPerClass)
        }
        // Of many numbers of images per class only the ends are measured.
        let ends = counts.mapValues { Set([$0.min(), $0.max()].compactMap(\.self)) }
        var measured = [String: [Int: RunEstimate.Stage]]()
        for unit in missing {
            let (kind, count) = (try Comparison.kind(unit), unit.recipe.sample.imagesPerClass)
            guard ends[kind]?.contains(count) == true, measured[kind]?[count] == nil else {
                continue
            }
            try announce(unit.key)
            let place = scratch.appendingPathComponent(unit.key)
            guard let stage = try measure(unit, in: place, &peak) else { continue }
            tell(unit.key, stage.seconds, stage.work)
            measured[kind, default: [:]][count] = stage
        }
        return try plan.units.map { unit in
            let cells = plan.cells.count { uses(unit.key, from: $0.unit) }
            guard missing.contains(unit) else {
                return .init(
                    unit: unit.key,
                    cells: cells,
                    work: "",
                    seconds: 0,
                    diskBytes: 0,
                    isFinished: true
                )
            }
            let stages = measured[try Comparison.kind(unit)] ?? [:]
            let count = unit.recipe.sample.imagesPerClass
            let bytes = Comparison.interpolated(
                stages.mapValues { Double($0.diskBytes) },
                at: count
            )
            return .init(
                unit: unit.key,
                cells: cells,
                work: stages[count]?.work
                    ?? "between "
                    + stages.keys.sorted().map(String.init).joined(separator: " and ")
                    + " images per class",
                seconds: stages[count]?.seconds
                    ?? Comparison.interpolated(stages.mapValues(\.seconds), at: count),
                diskBytes: Int(bytes),
                isFinished: false
            )
        }
    }

    private func measure(
        _ unit: SharedUnit,
        in place: URL,
        _ peak: inout PeakMemory
    ) throws -> RunEstimate.Stage? {
        defer { peak.note() }
        // Its network is a unit of its own; a file in its place is enough to leave it out.
        if unit.needs.contains(where: { plan.unit($0)?.work == .features }) {
            let file = place.appendingPathComponent(Pipeline.featuresFile)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try AtomicFile.write(Data(), to: file)
        }
        // Latents that it needs are a unit of their own, and come first.
        return try pipeline(Comparison.timing(unit.recipe), in: place)
            .estimate([unit.work.stage]).stages.last
    }

    /// What units have in common that differ in nothing but the number of images per class, or in what
    /// changes no time.
    private static func kind(_ unit: SharedUnit) throws -> String {
        var recipe = timing(unit.recipe)
        recipe.sample.imagesPerClass = 1
        return "\(unit.work) \(try recipe.yaml())"
    }

    /// The value at `count` on the straight line between the two nearest numbers that have one.
    static func interpolated(_ values: [Int: Double], at count: Int) -> Double {
        guard let low = values.keys.filter({ $0 <= count }).max(),
            let high = values.keys.filter({ $0 >= count }).min(),
            let first = values[low], let last = values[high]
        else { return 0 }
        guard low < high else { return first }
        return first + (last - first) * Double(count - low) / Double(high - low)
    }

    /// Tells what is measured next: at full size a few steps take minutes.
    private func announce(_ work: String) throws {
        if environment.isInterrupted() { throw InterruptedError() }
        observer.note("measuring \(work)")
    }

    /// Tells what was measured: where that takes long, an interruption loses no numbers.
    private func tell(_ name: String, _ seconds: Double, _ work: String) {
        observer.note("\(name): \(RunEstimate.time(seconds)), \(work)")
    }

    /// The recipe without what changes no time, so that one measurement serves many units.
    private static func timing(_ recipe: Recipe) -> Recipe {
        var own = recipe
        own.name = "estimate"
        own.seed = 0
        own.finetune.minimax.representativeness = 1
        own.finetune.minimax.diversity = 1
        own.finetune.minimax.learningRate = 1e-3
        own.finetune.minimax.emaDecay = 0.99
        if own.sample.guidance != 1 { own.sample.guidance = 2 }
        return own
    }

    private func cellEstimates(
        _ scratch: URL,
        _ peak: inout PeakMemory
    ) throws -> [GridEstimate.Cells] {
        var groups = [(name: String, cells: [GridCell])]()
        for cell in plan.cells {
            let varied = cell.variation.filter { $0.key.hasPrefix("evaluate.") }
                .sorted { $0.key < $1.key }.map { ", \($0.key)=\($0.value)" }.joined()
            let factor = cell.recipe.trainingImageFactor(of: cell.method)
            let decoded = factor > 1 ? " decoded to \(factor) times as many" : ""
            let name =
                "\(cell.network), \(cell.imagesPerClass) images per class\(decoded)\(varied)"
            if let place = groups.firstIndex(where: { $0.name == name }) {
                groups[place].cells.append(cell)
            } else {
                groups.append((name, [cell]))
            }
        }
        return try groups.enumerated().compactMap { place, group in
            guard let first = group.cells.first else { return nil }
            let done = group.cells.compactMap { result(of: $0) }
            if !done.isEmpty {
                return .init(
                    work: group.name,
                    cells: group.cells.count,
                    finished: done.count,
                    secondsEach: done.reduce(0) { $0 + $1.seconds } / Double(done.count)
                )
            }
            try announce(group.name)
            var recipe = plan.grid.recipe
            recipe.evaluate = first.recipe.evaluate
            let pipeline = try pipeline(
                recipe,
                in: scratch.appendingPathComponent("cells-\(place)")
            )
            let options = try pipeline.evaluationOptions(method: "estimate", network: first.network)
            let data = try pipeline.data()
            let one = try estimateOneSeed(
                train: data.someTrainingImages(
                    first.imagesPerClass * first.recipe.trainingImageFactor(of: first.method),
                    for: options.evaluationProtocol
                ),
                test: data.testSet(for: options.evaluationProtocol),
                options: options,
                on: environment.device,
                teacher: pipeline.teacher()
            )
            peak.note()
            tell(group.name, one.seconds, "\(one.epochs) epochs")
            return .init(
                work: "\(group.name), \(one.epochs) epochs",
                cells: group.cells.count,
                finished: 0,
                secondsEach: one.seconds
            )
        }
    }
}

extension SharedUnit.Work {
    /// What an estimate calls it.
    fileprivate var stage: RunStage {
        switch self {
        case .encode: .encode
        case .pretrain: .pretrain
        case .finetune: .finetune
        case .sample: .sample
        // Choosing by it begins with its training.
        case .features: .baseline(BaselineMethod.herding.rawValue)
        case .baseline(let method): .baseline(method)
        }
    }
}
