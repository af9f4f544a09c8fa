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
        var lines = [header.map(CSV.quoted).joined(separator: ",")]

        for row in rows {
            var fields = [
                x.categories.isEmpty
                    ? Self.digits(row.position) : CSV.quoted(x.categories[Int(row.position)])
            ]
            for (point, columns) in zip(row.points, columns) {
                fields.append(Self.digits(point?.y))
                if columns.deviation != nil { fields.append(Self.digits(point?.deviation)) }
                for index in columns.samples.indices {
                    let samples = point?.samples ?? []
                    fields.append(Self.digits(index < samples.count ? samples[index] : nil))
                }
                if columns.size != nil { fields.append(Self.digits(point?.size)) }
                if columns.label != nil { fields.append(CSV.quoted(point?.label ?? "")) }
            }
            lines.append(fields.joined(separator: ","))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The points of every series at one position, where there are any.
    private var rows: [(position: Double, points: [Point?])] {
        // A path is drawn in the order of its points, which need not be that of the axis.
        if series.contains(where: { $0.mark == .path }) {
            return series.indices.flatMap { index in
                series[index].points.map { point in
                    (point.x, series.indices.map { $0 == index ? point : nil })
                }
            }
        }
        // Of two values of a line at one position the last counts; clouds of points keep all.
        let points = series.map { series in
            Dictionary(series.points.map { ($0.x, [$0]) }) {
                series.mark == .points ? $0 + $1 : $1
            }
        }
        return positions.flatMap { position in
            let here = points.map { $0[position] ?? [] }
            return (0..<max(1, here.map(\.count).max() ?? 1)).map { place in
                (position, here.map { place < $0.count ? $0[place] : nil })
            }
        }
    }

    private static func digits(_ value: Double?) -> String {
        value.map(Words.number) ?? ""
    }
}
