import Foundation

extension Chart {
    /// What every script has in its second line, before its own name.
    static let scriptMark = "# Run in this folder: gnuplot"

    /// A gnuplot script that reads `NAME.csv` and writes `NAME.svg` and `NAME.pdf`, all beside it.
    ///
    /// Text and axes are black and the ground is left empty: ``SVGFigure`` makes the black
    /// follow the colour of the page.
    package var gnuplotScript: String {
        var lines = [
            "# \(Self.oneLine(title))",
            "\(Self.scriptMark) \(name).gp",
            "set terminal svg size \(width),\(height) dynamic noenhanced font 'sans-serif,13'",
            "set encoding utf8",
            "set output '\(name).svg'",
            "set datafile separator ','",
            "set border 3 linewidth 1",
            "set tics nomirror out scale 0.5",
            "set xtics offset 0,0.3",
            "set grid ytics back linetype 1 linewidth 0.5 linecolor rgb '#808080'",
            "set xlabel \(Self.quoted(x.title)) offset 0,0.4",
            "set ylabel \(Self.quoted(y.title)) offset 1,0",
        ]
        if series.count > 1 || !levels.isEmpty {
            lines.append("set key above left horizontal Left reverse samplen 1.5")
        } else {
            lines.append("set key off")
        }
        lines += axisLines
        if let colors = pointColors {
            lines.append("colors = '\(colors)'")
        }
        if isLegible {
            lines.append("larger(a, b) = a > b ? a : b")
            lines.append("set offsets 0, 0, graph 0.08, 0")
        }
        let levels = levels.map {
            "\(Words.number($0.y)) with lines dashtype 2 linewidth 1.5 linecolor rgb '#808080' "
                + "title \(Self.quoted($0.label))"
        }
        let pieces = bands + marks + levels
        lines.append("plot " + pieces.joined(separator: ", \\\n    "))
        // The same for a paper, where this gnuplot can.
        let size = [width, height].map { Words.number((Double($0) / 96 * 100).rounded() / 100) }
        lines += [
            "if (strstrt(GPVAL_TERMINALS, 'pdfcairo') > 0) {",
            "    set terminal pdfcairo size \(size[0])in,\(size[1])in noenhanced font 'sans-serif,10'",
            "    set output '\(name).pdf'",
            "    replot",
            "}",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private var axisLines: [String] {
        var lines: [String] = []
        if x.categories.isEmpty {
            lines.append("set autoscale xfix")
            // Points with sizes and labels need room around them.
            lines.append(
                hasSizes
                    ? "set offsets graph 0.08, graph 0.08, graph 0.12, graph 0.06"
                    : "set offsets graph 0.01, graph 0.01, 0, 0"
            )
        } else {
            let tics = x.categories.enumerated().map { "\(Self.quoted($1)) \($0)" }
            lines.append("set xtics (\(tics.joined(separator: ", ")))")
            lines.append("set xrange [-0.6:\(Words.number(Double(x.categories.count) - 0.4))]")
        }
        let points = series.flatMap(\.points)
        for (letter, axis, values) in [("x", x, points.map(\.x)), ("y", y, points.map(\.y))] {
            if axis.isLogarithmic { lines.append("set logscale \(letter)") }
            let tics =
                axis.tics.isEmpty && axis.isLogarithmic
                ? Self.logarithmicTics(values) : axis.tics
            if !tics.isEmpty {
                let numbers = tics.map(Words.number).joined(separator: ", ")
                lines.append("set \(letter)tics (\(numbers))")
            }
            guard axis.minimum != nil || axis.maximum != nil else { continue }
            let ends = [axis.minimum, axis.maximum].map { $0.map(Words.number) ?? "*" }
            lines.append("set \(letter)range [\(ends[0]):\(ends[1])]")
        }
        return lines
    }

    /// Numbers for a logarithmic axis on which there are fewer than two powers of ten.
    ///
    /// gnuplot writes no others. Nothing where these are enough.
    package static func logarithmicTics(_ values: [Double]) -> [Double] {
        let values = values.filter { $0 > 0 && $0.isFinite }
        guard let least = values.min(), let largest = values.max(), least < largest else {
            return []
        }
        let decades = Int(log10(least).rounded(.down))...Int(log10(largest).rounded(.down))
        let mantissas: [[Double]] = [
            [1], [1, 2, 5], Array(1...9).map(Double.init),
            Array(stride(from: 1, to: 10, by: 0.5)), (10..<100).map { Double($0) / 10 },
        ]
        for (index, mantissas) in mantissas.enumerated() {
            let tics = decades.flatMap { decade in
                mantissas.map { $0 * pow(10, Double(decade)) }
            }
            guard tics.count(where: { (least...largest).contains($0) }) > 1 else { continue }
            return index == 0 ? [] : tics
        }
        return [least, largest]
    }

    private var bars: [Int] { series.indices.filter { series[$0].mark == .bars } }

    private var barWidth: Double { bars.count == 1 ? 0.62 : 0.8 / Double(max(bars.count, 1)) }

    /// The position of a series' values: the first column, or the row, beside other bars.
    private func position(_ index: Int) -> String {
        if x.categories.isEmpty { return "1" }
        let offset = offset(index)
        return offset == 0 ? "0" : "($0 + \(Words.number(offset)))"
    }

    private func offset(_ index: Int) -> Double {
        guard let slot = bars.firstIndex(of: index) else { return 0 }
        return (Double(slot) - Double(bars.count - 1) / 2) * barWidth
    }

    /// Up to so many bars have room for their values and for circles.
    static let legibleBars = 12

    private var isLegible: Bool {
        let count = bars.map { series[$0].points.count }.reduce(0, +)
        return (1...Self.legibleBars).contains(count)
    }

    /// The value of each bar, above its whisker and circles.
    private func valueMark(_ index: Int, _ columns: Columns) -> String {
        let value = "$\(columns.value)"
        // An empty field, of a mean over fewer seeds than others, would undo the whole label.
        func known(_ column: Int, _ top: String) -> String {
            "(valid(\(column)) ? \(top) : \(value))"
        }
        let tops =
            [columns.deviation.map { known($0, "\(value) + $\($0)") }].compactMap { $0 }
            + columns.samples.map { known($0, "$\($0)") }
        let top = tops.reduce(value) { "larger(\($0), \($1))" }
        return "'\(name).csv' skip 1 using \(position(index)):(\(top))"
            + ":(sprintf('%.1f', $\(columns.value))) with labels offset 0,0.7 font ',11' notitle"
    }

    /// Circles for the single values of a bar, beside each other on the right of its whisker.
    private func sampleMarks(_ index: Int, _ columns: Columns) -> [String] {
        let count = Double(columns.samples.count)
        return columns.samples.enumerated().map { slot, column in
            let shift = (0.14 + 0.3 * (Double(slot) + 0.5) / count) * barWidth
            let x = Words.number(offset(index) + shift)
            return "'\(name).csv' skip 1 using ($0 + \(x)):\(column) with points pointtype 6 "
                + "pointsize 0.45 linewidth 2 linecolor rgb 'black' notitle"
        }
    }

    /// Colours of single bars, by row, where the points of the one bar series have their own.
    private var pointColors: String? {
        guard bars.count == 1, let points = bars.first.map({ series[$0].points }),
            points.contains(where: { $0.color != nil })
        else { return nil }
        return positions.map { position in
            let color = points.first { $0.x == position }?.color ?? .grey
            return String(Int(color.light.dropFirst(), radix: 16) ?? 0)
        }.joined(separator: " ")
    }

    private var bands: [String] {
        zip(series.indices, columns).compactMap { index, columns in
            guard let deviation = columns.deviation, series[index].isLine else { return nil }
            let value = columns.value
            return "'\(name).csv' skip 1 using \(position(index))"
                + ":($\(value) - $\(deviation)):($\(value) + $\(deviation)) with filledcurves "
                + "fillcolor rgb '\(series[index].color.light)' fillstyle transparent solid 0.2 "
                + "noborder notitle"
        }
    }

    /// From so many points on a series is drawn with small ones, which hide fewer of the others.
    private static let cloud = 200

    private var marks: [String] {
        zip(series.indices, columns).flatMap { index, columns in
            let series = series[index]
            let file = "'\(name).csv' skip 1 using \(position(index)):"
            let color = "rgb '\(series.color.light)'"
            // A single series is named by the axis.
            let title = self.series.count > 1 ? "title \(Self.quoted(series.name))" : "notitle"
            // Dashes and point shapes tell series apart where colours cannot, as in a grey print.
            let dash = series.isLine ? "dashtype \([1, 2, 4, 3, 5][index % 5])" : ""
            let shape = "pointtype \([7, 5, 9, 13, 11, 6, 4, 8, 12, 10][index % 10])"
            var pieces: [String] = []
            switch series.mark {
            case .line:
                pieces.append(
                    "\(file)\(columns.value) with lines linewidth 2 \(dash) linecolor \(color) \(title)"
                )
            case .lineWithPoints:
                pieces.append(
                    "\(file)\(columns.value) with linespoints linewidth 2 \(dash) \(shape) "
                        + "pointsize 0.5 linecolor \(color) \(title)"
                )
            case .points, .path:
                if series.mark == .path {
                    pieces.append(
                        "\(file)\(columns.value) with lines linewidth 1 linecolor \(color) notitle"
                    )
                }
                // The area tells the size; the smallest can still be seen.
                let size = columns.size.map { ":(0.4 + 1.1 * sqrt($\($0) / \(largestSize)))" }
                if size == nil, series.points.count > Self.cloud {
                    pieces.append(
                        "\(file)\(columns.value) with points \(shape) pointsize 0.25 "
                            + "linecolor \(color) notitle"
                    )
                    // The key shows it in the usual size.
                    if self.series.count > 1 {
                        pieces.append(
                            "keyentry with points \(shape) pointsize 0.6 linecolor \(color) \(title)"
                        )
                    }
                } else {
                    pieces.append(
                        "\(file)\(columns.value)\(size ?? "") with points \(shape) "
                            + "pointsize \(size == nil ? "0.6" : "variable") linecolor \(color) \(title)"
                    )
                }
            case .bars:
                let fill =
                    pointColors == nil
                    ? "linecolor \(color)" : "linecolor rgb variable"
                let varying = pointColors == nil ? "" : ":(word(colors, int($0) + 1) + 0)"
                pieces.append(
                    "\(file)\(columns.value):(\(Words.number(barWidth * 0.92)))\(varying) with boxes "
                        + "fillstyle solid 1 noborder \(fill) \(title)"
                )
            }
            if let label = columns.label {
                // Of a path only the end is labelled, so that several near each other can be read.
                let end = rowsBefore(index) + series.points.count - 1
                let rows = series.mark == .path ? "every ::\(end)::\(end) " : ""
                pieces.append(
                    "'\(name).csv' skip 1 \(rows)using \(position(index)):\(columns.value)"
                        + ":(stringcolumn(\(label))) with labels offset 0,0.9 font ',11' notitle"
                )
            }
            if series.mark == .bars, isLegible { pieces += sampleMarks(index, columns) }
            if let deviation = columns.deviation, !series.isLine {
                // Arrows with flat heads: error bars would punch a white dot into the bar.
                let value = columns.value
                pieces.append(
                    "\(file)($\(value) - $\(deviation)):(0):(2 * $\(deviation)) with vectors "
                        + "heads size graph 0.012,90 fixed linewidth 1.5 linecolor rgb 'black' notitle"
                )
            }
            if series.mark == .bars, isLegible { pieces.append(valueMark(index, columns)) }
            return pieces
        }
    }

    /// Rows of the CSV file before those of a path.
    private func rowsBefore(_ index: Int) -> Int {
        series[..<index].reduce(0) { $0 + $1.points.count }
    }

    private var hasSizes: Bool {
        series.contains { $0.points.contains { $0.size != nil } }
    }

    private var largestSize: String {
        let sizes = series.flatMap { $0.points.compactMap(\.size) }
        return Words.number(max(sizes.max() ?? 1, .leastNormalMagnitude))
    }

    private static func oneLine(_ text: String) -> String {
        text.replacing("\n", with: " ")
    }

    /// A string that gnuplot takes literally: in single quotes, those inside doubled.
    private static func quoted(_ text: String) -> String {
        "'" + oneLine(text).replacing("'", with: "''") + "'"
    }
}

extension Chart.Series {
    /// Whether its values are joined, so that deviations become a band.
    var isLine: Bool { mark == .line || mark == .lineWithPoints }
}
