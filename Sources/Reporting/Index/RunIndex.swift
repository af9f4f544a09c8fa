import Foundation

/// The page that compares the runs in a folder: `index.html`.
public struct RunIndex: Sendable {
    private let url: URL
    private let runs: [RunFolder]
    private let comparisons: [String]
    private let problems: [String]

    /// Reads every run in a folder; nil if there is none in it.
    ///
    /// - Parameter folder: A folder whose folders are runs, such as `Runs`.
    public init?(folder: URL) {
        url = folder
        var runs: [RunFolder] = []
        var problems: [String] = []
        var comparisons: [String] = []
        for place in ImageSet.folders(in: folder) {
            if ComparisonReport.isComparison(place) {
                comparisons.append(place.lastPathComponent)
                continue
            }
            do {
                runs.append(try RunFolder(place))
            } catch let error as ReportError where error.code == .notARunFolder {
                continue
            } catch {
                problems.append("\(error)")
            }
        }
        guard !(runs.isEmpty && comparisons.isEmpty && problems.isEmpty) else { return nil }
        self.runs = runs
        self.comparisons = comparisons
        self.problems = problems
    }

    /// Whether a folder itself is a run, so that it has a report and no index.
    ///
    /// - Parameter folder: Any folder.
    /// - Returns: Whether something in it belongs to a run.
    public static func isRun(_ folder: URL) -> Bool { (try? RunFolder(folder)) != nil }

    /// Writes `index.html` and `figures/` into the folder.
    ///
    /// - Returns: The page.
    /// - Throws: ``ReportError`` if a file cannot be written.
    @discardableResult
    public func write() throws -> URL { try write(gnuplot: Gnuplot()) }

    /// Writes the page with a given gnuplot, or with none.
    @discardableResult
    package func write(gnuplot: Gnuplot?) throws -> URL {
        let writer = FigureWriter(folder: url.appending(path: "figures"), gnuplot: gnuplot)
        let blocks = IndexPage.blocks(runs)
        try writer.removeAll(but: Set(blocks.compactMap(\.chart).map(\.name)))
        let page = IndexPage(
            url: url,
            runs: runs,
            comparisons: comparisons,
            blocks: blocks.map(\.block),
            figures: try blocks.compactMap(\.chart).map(writer.view),
            problems: problems
        )
        let file = url.appending(path: "index.html")
        try FigureWriter.write(Templates.render(page, with: "index"), to: file)
        return file
    }
}
