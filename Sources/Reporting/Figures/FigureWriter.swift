import Foundation

/// Writes charts into the folder `figures/` of a run and has gnuplot draw them.
struct FigureWriter {
    /// The folder `figures/`.
    var folder: URL
    /// The program that draws, where it is installed.
    var gnuplot: Gnuplot?

    /// What a page says of figures that nobody could draw.
    static let notInstalled = "Not drawn, since gnuplot is not installed."

    /// Writes a chart's numbers and script, draws it, and returns it as the page shows it.
    ///
    /// A picture that cannot be drawn is no error: the page says why it is not there.
    func view(_ chart: Chart) throws -> FigureView {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw Self.unwritable(folder, error)
        }
        // Pictures of other numbers must not stay beside these.
        for kind in ["svg", "pdf"] {
            try? FileManager.default.removeItem(at: folder.appending(path: "\(chart.name).\(kind)"))
        }
        try Self.write(chart.csv, to: folder.appending(path: "\(chart.name).csv"))
        try Self.write(chart.gnuplotScript, to: folder.appending(path: "\(chart.name).gp"))
        var view = FigureView(
            title: chart.title,
            caption: chart.caption,
            data: "\(folder.lastPathComponent)/\(chart.name).csv"
        )
        guard let gnuplot else {
            view.failure = Self.notInstalled
            return view
        }
        do {
            let source = try gnuplot.draw(chart.name, in: folder)
            let figure = SVGFigure(gnuplot: source, chart: chart)
            try Self.write(figure.document, to: folder.appending(path: "\(chart.name).svg"))
            view.svg = figure.element
        } catch let failure as Gnuplot.Failure {
            view.failure = "Not drawn: \(failure.message)."
        }
        return view
    }

    /// Removes the files of figures that belong to an earlier state of the results: those beside a
    /// script that this program wrote.
    ///
    /// - Parameter names: The names of the charts that stay.
    /// - Throws: ``ReportError`` if a file cannot be removed.
    func removeAll(but names: Set<String>) throws {
        let files =
            (try? FileManager.default.contentsOfDirectory(
                at: folder,
                includingPropertiesForKeys: nil
            )) ?? []
        for script in files where script.pathExtension == "gp" {
            let stem = script.deletingPathExtension()
            let isOurs = (try? RunFile(url: script).text().contains(Chart.scriptMark)) ?? false
            guard isOurs, !names.contains(stem.lastPathComponent) else { continue }
            // The script goes last: after an interruption it still says whose the others are.
            for file in ["csv", "svg", "pdf", "gp"].map(stem.appendingPathExtension)
            where FileManager.default.fileExists(atPath: file.path(percentEncoded: false)) {
                do {
                    try FileManager.default.removeItem(at: file)
                } catch {
                    throw Self.unwritable(file, error)
                }
            }
        }
    }

    /// Writes a text file in one step, so that nobody ever sees half of it.
    static func write(_ text: String, to file: URL) throws {
        do {
            try Data(text.utf8).write(to: file, options: .atomic)
        } catch {
            throw unwritable(file, error)
        }
    }

    private static func unwritable(_ file: URL, _ error: any Error) -> ReportError {
        ReportError(
            .unwritable,
            """
            \(file.path(percentEncoded: false)) cannot be written \
            (\(error.localizedDescription)). Check the permissions of the run folder and the free \
            space on its disk.
            """
        )
    }
}
