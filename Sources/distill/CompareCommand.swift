import ArgumentParser
import Experiments
import Foundation
import Reporting

/// The command `distill compare`.
struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares methods × images per class × networks × seeds: tables and figures from "
            + "one file.",
        discussion: """
            Every cell of the grid has its own folder in <folder>/cells, and what cells share (a \
            fine-tuned model, a set from which smaller ones are chosen) is made once in \
            <folder>/shared. Finished cells are never computed again, failed ones are reported and \
            do not stop the others, and after an interruption the same command continues. Several \
            processes may work on one folder:

              distill compare GRID.yaml --list-cells | parallel -j 2 distill compare GRID.yaml --cell {}

            The results are comparison.json, .csv, .md, .tex and .html, and figures/.
            """
    )

    @Argument(help: "A grid (YAML); see Grids/.", completion: .file(extensions: ["yaml"]))
    var grid: String

    @Option(
        name: .customLong("set"),
        parsing: .singleValue,
        help: "Override a setting of the recipe, e.g. --set evaluate.epochs=50 (repeatable)."
    )
    var overrides: [String] = []

    @Option(
        name: [.long, .short],
        help: "The comparison folder (default: Runs/<grid name>)."
    )
    var output: String?

    @Option(help: "Random seed of the images, 0 or larger (default: the grid's recipe's).")
    var seed: Int?

    @Flag(help: "Print the keys of all cells, one per line, and compute nothing.")
    var listCells = false

    @Option(
        parsing: .singleValue,
        help: "Compute only the cell with this key and whatever it needs (repeatable)."
    )
    var cell: [String] = []

    @Flag(
        help: """
            Compute no cells: make the tables, figures and page from the finished ones, including \
            the distribution figure.
            """
    )
    var gather = false

    @Option(
        help: """
            Show the published numbers for a dataset beside the measured ones, never mixed with \
            them: imagewoof, imagenette, imageidc, imagenet-100 or imagenet-1k.
            """
    )
    var published: String?

    @Flag(
        help: """
            Only list cells and shared work with estimated times, from a few steps that are not \
            kept.
            """
    )
    var dryRun = false

    @OptionGroup var compute: ComputeOptions
    @OptionGroup(title: "Output") var messages: OutputOptions

    func validate() throws {
        if dryRun, !cell.isEmpty {
            throw ValidationError("--dry-run covers the whole grid: omit --cell.")
        }
        if listCells, dryRun || !cell.isEmpty {
            throw ValidationError(
                "--list-cells covers the whole grid and computes nothing: omit --cell and --dry-run."
            )
        }
        if gather, dryRun || listCells || !cell.isEmpty {
            throw ValidationError(
                "--gather computes no cells: omit --cell, --list-cells and --dry-run."
            )
        }
    }

    /// What `--json` prints.
    private struct Outcome: Encodable {
        let comparison: String
        let cells: Int
        let finished: Int
        let failed: [FailedCell]
    }

    func run() throws {
        try Failure.reporting {
            let url = InstalledFiles.url(grid)
            guard FileManager.default.fileExists(atPath: url.path) else {
                throw Failure(66, "There is no grid \(url.path).")
            }
            let grid = try Grid.read(
                url,
                overrides: overrides + (seed.map { ["seed=\($0)"] } ?? [])
            )
            if listCells {
                let keys = try GridPlan(grid).cells.map(\.key)
                if messages.json {
                    try Output.json(["cells": keys])
                } else {
                    Output.line(keys.joined(separator: "\n"))
                }
                return
            }
            let folder = URL(fileURLWithPath: output ?? "Runs/\(grid.name)", isDirectory: true)
            try work(grid, folder)
        }
    }

    /// Those that were asked for, now or when the page was made before.
    private func numbers(_ folder: URL) throws -> PublishedNumbers? {
        try (published ?? ComparisonReport.publishedDataset(folder)).map {
            try PublishedNumbers(
                contentsOf: InstalledFiles.url("Resources/published.csv"),
                dataset: $0
            )
        }
    }

    private func work(_ grid: Grid, _ folder: URL) throws {
        let published = try numbers(folder)
        let comparison = try Comparison(
            grid,
            in: folder,
            environment: try compute.environment(),
            observer: Terminal(messages)
        )
        if dryRun {
            let estimate = try comparison.estimate()
            if messages.json { try Output.json(estimate) } else { Output.line(estimate.text) }
            return
        }
        try comparison.requireCells(cell)
        var failure: (any Error)?
        if gather {
            try comparison.gatherFinished()
        } else if cell.isEmpty {
            try comparison.run()
        } else {
            failure = try computeCells(of: comparison)
        }
        let summary = comparison.summary()
        if summary.isComplete || cell.isEmpty {
            // Another process may have ended the last cell just now.
            if summary.isComplete { try comparison.gather() }
            var text = try write(comparison, folder, published)
            // It may take long: the tables are there before.
            if try comparison.measureDistribution() {
                text = try write(comparison, folder, published)
            }
            if !messages.json { Output.line(text) }
        }
        if messages.json {
            try Output.json(
                Outcome(
                    comparison: folder.path,
                    cells: summary.all,
                    finished: summary.finished,
                    failed: summary.failed
                )
            )
        }
        if let failure { throw failure }
        guard summary.failed.isEmpty || !cell.isEmpty || gather else {
            throw Failure(
                1,
                "\(summary.failed.count) of \(summary.all) cells failed; the same command retries "
                    + "them. The first: \(summary.failed[0].cell): \(summary.failed[0].error)"
            )
        }
    }

    /// Writes tables, figures and page.
    ///
    /// - Returns: The tables, and where the page is.
    private func write(
        _ comparison: Experiments.Comparison,
        _ folder: URL,
        _ published: PublishedNumbers?
    ) throws -> String {
        let report = try ComparisonReport(comparison: folder, published: published)
        let page = try comparison.exclusively { try report.write() }
        try Failure.requireNoInterruption()
        return "\(report.text)\nPage: \(page.path)"
    }

    /// Computes the cells that were named; one that fails does not stop the others.
    ///
    /// - Parameter comparison: The grid.
    /// - Returns: What the first of them failed with; the others are told here.
    /// - Throws: `InterruptedError` after a signal.
    private func computeCells(of comparison: Experiments.Comparison) throws -> (any Error)? {
        var first: (any Error)?
        for key in cell {
            do {
                try comparison.run(cell: key)
            } catch  where !(error is InterruptedError) {
                if first == nil {
                    first = error
                } else {
                    Terminal.write("Error: cell \(key): \(error)\n")
                }
            }
        }
        return first
    }
}
