extension Chart {
    /// Where the numbers of a series stand in the CSV file, counted from 1 as gnuplot does.
    struct Columns: Equatable {
        var value: Int
        var deviation: Int?
        var samples: [Int]
        var size: Int?
        var label: Int?
    }

    /// The columns of every series: value, then deviation, single values, size and label where there
    /// are any.
    var columns: [Columns] {
        var next = 2
        return series.map { series in
            let value = next
            next += 1
            var deviation: Int?
            if series.points.contains(where: { $0.deviation != nil }) {
                deviation = next
                next += 1
            }
            let sampleCount = series.points.map(\.samples.count).max() ?? 0
            let samples = Array(next..<next + sampleCount)
            next += sampleCount
            var columns = Columns(value: value, deviation: deviation, samples: samples)
            if series.points.contains(where: { $0.size != nil }) {
                columns.size = next
                next += 1
            }
            if series.points.contains(where: { $0.label != nil }) {
                columns.label = next
                next += 1
            }
            return columns
        }
    }

    /// The positions that have a row: those of any series, or every category.
    var positions: [Double] {
        guard x.categories.isEmpty else { return x.categories.indices.map(Double.init) }
        return Set(series.flatMap { $0.points.map(\.x) }).sorted()
    }

    /// Every number that is drawn: a row a position, empty where a series has no value.
    package var csv: String {
        var header = [x.title]
        for (series, columns) in zip(series, columns) {
            let name = self.series.count == 1 ? y.title : "\(series.name), \(y.title)"
            header.append(name)
            if columns.deviation != nil { header.append("\(name), deviation") }
            header += columns.samples.indices.map { "\(name), value \($0 + 1)" }
            if columns.size != nil { header.append("\(series.name), \(sizeTitle)") }
            if columns.label != nil { header.append("\(series.name), label") }
        }
        var lines = [header.map(Self.quoted).joined(separator: ",")]

        // Of two values of a line at one position the last counts; clouds of points keep all.
        let points = series.map { series in
            Dictionary(series.points.map { ($0.x, [$0]) }) {
                [.points, .path].contains(series.mark) ? $0 + $1 : $1
            }
        }
        let rows = positions.enumerated().flatMap { row, position in
            (0..<max(1, points.map { $0[position]?.count ?? 0 }.max() ?? 1)).map {
                (row, position, $0)
            }
        }
        for (row, position, place) in rows {
            var fields = [
                x.categories.isEmpty ? Self.digits(position) : Self.quoted(x.categories[row])
            ]
            for (points, columns) in zip(points, columns) {
                let here = points[position] ?? []
                let point = place < here.count ? here[place] : nil
                fields.append(Self.digits(point?.y))
                if columns.deviation != nil { fields.append(Self.digits(point?.deviation)) }
                for index in columns.samples.indices {
                    let samples = point?.samples ?? []
                    fields.append(Self.digits(index < samples.count ? samples[index] : nil))
                }
                if columns.size != nil { fields.append(Self.digits(point?.size)) }
                if columns.label != nil { fields.append(Self.quoted(point?.label ?? "")) }
            }
            lines.append(fields.joined(separator: ","))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func digits(_ value: Double?) -> String {
        value.map(Words.number) ?? ""
    }

    /// Quotes a field that a CSV reader would otherwise split.
    private static func quoted(_ field: String) -> String {
        guard field.contains(where: { ",\"\n\r".contains($0) }) else { return field }
        return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }
}
