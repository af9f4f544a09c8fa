import Foundation

/// The report of a run: one HTML page that holds everything it shows.
///
/// The page is made from the files of the run folder alone, so it can be rebuilt at any time, also
/// of a run that is not finished: what is missing is said in the page. It loads nothing from
/// anywhere else. Beside it, `figures/` holds the numbers of every figure as CSV, the gnuplot
/// script that draws them, and the picture as SVG.
///
/// ```swift
/// let page = try Report(run: URL(filePath: "Runs/fashion-mnist-demo")).write()
/// ```
public struct Report: Sendable {
    private let run: RunFolder

    /// Reads the files of a run folder.
    ///
    /// - Parameter run: The folder that `distill run` wrote.
    /// - Throws: ``ReportError`` if there is no such folder, if nothing in it belongs to a run, or
    ///   if one of its files is malformed; the error names the file.
    public init(run: URL) throws {
        self.run = try RunFolder(run)
    }

    /// The images beside which the gallery shows the most similar real ones, if `neighbours.json`
    /// names these: those that it shows and that are no real images themselves.
    ///
    /// - Returns: Files, by their paths inside of the run folder.
    public func comparedImages() -> [String] { GallerySection.comparedImages(run) }

    /// Writes `report.html` and `figures/` into the run folder.
    ///
    /// Without gnuplot on the search path the page has no pictures of curves and says so.
    ///
    /// - Returns: The page.
    /// - Throws: ``ReportError`` if an image of the gallery is malformed or a file cannot be
    ///   written.
    @discardableResult
    public func write() throws -> URL {
        try write(gnuplot: Gnuplot())
    }

    /// Writes the report with a given gnuplot, or with none.
    @discardableResult
    package func write(gnuplot: Gnuplot?) throws -> URL {
        let page = try Page(run: run, gnuplot: gnuplot)
        let file = run.url.appending(path: "report.html")
        try FigureWriter.write(page.html(), to: file)
        return file
    }
}
