import Foundation
import Reporting
import Testing

@Suite("Charts")
struct ChartTests {
    private static let lines = Chart(
        name: "Loss of DiT, 1",
        title: "Loss",
        caption: "Falls from 1 to 0.25.",
        x: .init("step"),
        y: .init("loss", unit: "nats"),
        series: [
            .init(
                "DiT, small",
                color: .orange,
                mark: .line,
                points: [
                    .init(0, 1, deviation: 0.5), .init(10, 0.5, deviation: 0.125),
                    .init(20, 0.25),
                ]
            ),
            .init("it's", color: .blue, mark: .lineWithPoints, points: [.init(10, 0.75)]),
        ]
    )

    private static let bars = Chart(
        name: "accuracy",
        title: "Accuracy",
        caption: "Minimax is highest.",
        x: .init("method", categories: ["Random", "Minimax"]),
        y: .init("accuracy", unit: "%", minimum: 0),
        series: [
            .init(
                "accuracy",
                color: .blue,
                mark: .bars,
                points: [
                    .init(0, 70, deviation: 1, samples: [69, 71], color: .green),
                    .init(1, 75, color: .blue),
                ]
            )
        ],
        levels: [.init(y: 10, label: "guessing")]
    )

    @Test("The CSV file of lines has a row for every position of any series")
    func csvOfLines() {
        #expect(
            Self.lines.csv == """
                step,"DiT, small, loss (nats)","DiT, small, loss (nats), deviation","it's, loss (nats)"
                0,1,0.5,
                10,0.5,0.125,0.75
                20,0.25,,

                """
        )
    }

    @Test("Clouds of points keep those at one position; of a line the last counts")
    func csvOfPoints() {
        var chart = Self.lines
        let twice: [Chart.Point] = [.init(1, 2), .init(1, 3), .init(4, 5)]
        chart.series = [
            .init("cloud", color: .blue, mark: .points, points: twice),
            .init("line", color: .orange, mark: .line, points: twice),
        ]
        #expect(
            chart.csv == """
                step,"cloud, loss (nats)","line, loss (nats)"
                1,2,3
                1,3,
                4,5,5

                """
        )
    }

    @Test(
        "Large clouds have small points, and a key that can be read",
        .enabled(if: Gnuplot() != nil)
    )
    func largeCloud() throws {
        var chart = Self.lines
        chart.series = [("real", 201, Palette.Color.grey), ("few", 3, .blue)].map {
            name,
            count,
            color in
            .init(
                name,
                color: color,
                mark: .points,
                points: (0..<count).map { .init(Double($0), Double($0 % 7)) }
            )
        }
        let marks = chart.gnuplotScript.split(separator: "\n").filter { $0.contains("pointsize") }
        #expect(marks.map { $0.contains("pointsize 0.25") } == [true, false, false])
        #expect(marks.map { $0.contains("title 'real'") } == [false, true, false])
        let figure = try TemporaryRun().draw(chart, with: #require(Gnuplot()))
        #expect(figure.element.contains("real</text>"))
        #expect(figure.element.contains("few</text>"))
        #expect(figure.element.contains("\"\(Palette.Color.grey.light)\""))
    }

    @Test("The CSV file of bars names the categories and lists single values")
    func csvOfBars() {
        #expect(
            Self.bars.csv == """
                method,accuracy (%),"accuracy (%), deviation","accuracy (%), value 1","accuracy (%), value 2"
                Random,70,1,69,71
                Minimax,75,,,

                """
        )
    }

    @Test("Names become safe file names")
    func names() {
        #expect(Self.lines.name == "loss-of-dit-1")
        #expect(Chart.slug("../../etc") == "etc")
        #expect(Chart.slug("…") == "chart")
    }

    @Test("The gnuplot scripts are as recorded")
    func scripts() throws {
        try expectSnapshot(Self.lines.gnuplotScript, "lines.gp")
        try expectSnapshot(Self.bars.gnuplotScript, "bars.gp")
    }

    @Test("A logarithmic axis has two numbers at least, however short it is")
    func shortLogarithmicAxis() {
        #expect(Chart.logarithmicTics([0.5, 30, 2000]) == [])
        #expect(Chart.logarithmicTics([0, .nan, 7]) == [])
        let tics: ([Double]) -> [Double] = { values in
            Chart.logarithmicTics(values).filter { ($0 >= values[0]) && ($0 <= values[1]) }
        }
        #expect(tics([15, 210]) == [20, 50, 100, 200])
        #expect(tics([31, 52]) == [40, 50])
        #expect(tics([21, 34]) == [25, 30])
        #expect(tics([2100, 2420]) == [2100, 2200, 2300, 2400])
        #expect(tics([2110, 2130]) == [2110, 2130])
        let chart = Chart(
            name: "short",
            title: "Short",
            caption: "",
            x: .init("time", isLogarithmic: true),
            y: .init("accuracy"),
            series: [
                .init("a", color: .grey, mark: .points, points: [.init(31, 70), .init(52, 75)])
            ]
        )
        #expect(chart.gnuplotScript.contains("set xtics (10, 20, 30, 40, 50, 60"))
    }

    @Test("Quotes in names cannot end a string of the script")
    func quoting() {
        #expect(Self.lines.gnuplotScript.contains("title 'it''s'"))
    }

    @Test("gnuplot draws lines, bands, bars and whiskers", .enabled(if: Gnuplot() != nil))
    func drawing() throws {
        let gnuplot = try #require(Gnuplot())
        let run = try TemporaryRun()
        for chart in [Self.lines, Self.bars] {
            let figure = try run.draw(chart, with: gnuplot)
            let document = try XMLDocumentReader.elements(figure.document)
            #expect(document["svg"] == 1)
            #expect(document["title"] == 1)
            #expect(document["desc"] == 1)
            for series in chart.series where series.points.allSatisfy({ $0.color == nil }) {
                #expect(figure.element.contains("\"\(series.color.light)\""), "\(series.name)")
            }
            #expect(figure.element.contains("currentColor"))
            for fixed in ["'black'", "\"black\"", "rgb(", "Gnuplot", "gnuplot_plot_1</title>"] {
                #expect(!figure.element.contains(fixed), "\(fixed)")
            }
        }
        // Two bars with their own colours, a whisker for the one whose spread is known.
        let bars = try run.draw(Self.bars, with: gnuplot)
        #expect(bars.element.contains("fill=\"\(Palette.Color.green.light)\""))
        #expect(bars.element.contains("fill=\"\(Palette.Color.blue.light)\""))
        // The second has neither whisker nor circles.
        #expect(bars.element.contains("70.0</text>"))
        #expect(bars.element.contains("75.0</text>"))
        #expect(bars.element.contains("guessing</text>"))
    }

    @Test(
        "A script that gnuplot refuses is reported with gnuplot's words",
        .enabled(if: Gnuplot() != nil)
    )
    func refused() throws {
        let gnuplot = try #require(Gnuplot())
        let run = try TemporaryRun()
        try run.write("set nonsense\n", to: "broken.gp")
        let failure = try #require(throws: Gnuplot.Failure.self) {
            try run.draw("broken", with: gnuplot)
        }
        #expect(failure.message.contains("broken.gp"))
        #expect(failure.message.contains("unrecognized option"))
    }

    @Test("gnuplot is looked for on the search path alone")
    func searchPath() {
        #expect(Gnuplot(searchPath: "/nowhere:/dev/null") == nil)
        #expect(Gnuplot(searchPath: "") == nil)
    }

    @Test("Every colour stands out on its ground by at least 3 to 1")
    func contrast() {
        func luminance(_ hex: String) -> Double {
            let value = Int(hex.dropFirst(), radix: 16) ?? 0
            let parts = [16, 8, 0].map { shift -> Double in
                let channel = Double(value >> shift & 255) / 255
                return channel <= 0.04045
                    ? channel / 12.92 : pow((channel + 0.055) / 1.055, 2.4)
            }
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
        }
        for color in Palette.Color.allCases {
            #expect(1.05 / (luminance(color.light) + 0.05) >= 3, "\(color) on white")
            let ground = luminance("#1c1f25")
            #expect((luminance(color.dark) + 0.05) / (ground + 0.05) >= 3, "\(color) on dark")
        }
        #expect(Set(Palette.Color.allCases.map(\.light)).count == Palette.Color.allCases.count)
    }
}
