/// A figure as a value: what is drawn, with titles, units and numbers.
///
/// A chart becomes a CSV file with every number that is drawn, a gnuplot script that draws
/// that file, and the SVG picture that gnuplot makes of it.
package struct Chart: Equatable, Sendable {
    /// One of the two axes.
    package struct Axis: Equatable, Sendable {
        /// What is counted or measured.
        package var label: String
        /// The unit, where there is one.
        package var unit: String?
        package var isLogarithmic = false
        /// The least value shown; nothing leaves it to the data.
        package var minimum: Double?
        /// The largest value shown; nothing leaves it to the data.
        package var maximum: Double?
        /// Names of the positions 0, 1, 2 …, for an axis of things instead of numbers.
        package var categories: [String] = []
        /// The only positions that get a mark and a number; nothing leaves them to gnuplot.
        package var tics: [Double] = []

        package init(
            _ label: String,
            unit: String? = nil,
            isLogarithmic: Bool = false,
            minimum: Double? = nil,
            maximum: Double? = nil,
            categories: [String] = [],
            tics: [Double] = []
        ) {
            self.label = label
            self.unit = unit
            self.isLogarithmic = isLogarithmic
            self.minimum = minimum
            self.maximum = maximum
            self.categories = categories
            self.tics = tics
        }

        /// "accuracy (%)".
        package var title: String { unit.map { "\(label) (\($0))" } ?? label }
    }

    /// One value of a series.
    package struct Point: Equatable, Sendable {
        package var x: Double
        package var y: Double
        /// Drawn as a band around a line, as a bar around anything else.
        package var deviation: Double?
        /// The single values that `y` is the mean of, drawn as small dots on a bar.
        package var samples: [Double] = []
        /// A colour of its own, for bars that stand for different things.
        package var color: Palette.Color?
        /// A third number, shown by the area of a point.
        package var size: Double?
        /// A word beside a point.
        package var label: String?

        package init(
            _ x: Double,
            _ y: Double,
            deviation: Double? = nil,
            samples: [Double] = [],
            color: Palette.Color? = nil,
            size: Double? = nil,
            label: String? = nil
        ) {
            self.x = x
            self.y = y
            self.deviation = deviation
            self.samples = samples
            self.color = color
            self.size = size
            self.label = label
        }
    }

    /// How a series is drawn.
    package enum Mark: Equatable, Sendable {
        case line, lineWithPoints, points, bars
        /// Points joined by a thin line.
        case path
    }

    /// Values that belong together under one name.
    package struct Series: Equatable, Sendable {
        package var name: String
        package var color: Palette.Color
        package var mark: Mark
        package var points: [Point]

        package init(_ name: String, color: Palette.Color, mark: Mark, points: [Point]) {
            self.name = name
            self.color = color
            self.mark = mark
            self.points = points
        }
    }

    /// A level across the whole figure that is no series, such as the accuracy of guessing.
    package struct Level: Equatable, Sendable {
        package var y: Double
        package var label: String

        package init(y: Double, label: String) {
            self.y = y
            self.label = label
        }
    }

    /// The stem of the file names: lower-case letters, digits and hyphens.
    package var name: String
    package var title: String
    /// How to read the figure, below it.
    package var caption: String
    /// The most important numbers, for those who cannot see the figure.
    package var summary: String
    package var x: Axis
    package var y: Axis
    package var series: [Series]
    package var levels: [Level] = []
    /// What the sizes of points mean, where they have any.
    package var sizeTitle = "size"
    /// Width in CSS pixels; narrow enough that a telephone shows it almost unscaled.
    package var width = 480
    /// Height in CSS pixels: that of the plot, and of the rows of the key above it.
    package var height: Int { 300 + 17 * (keyRows - 1) }

    package init(
        name: String,
        title: String,
        caption: String,
        summary: String = "",
        x: Axis,
        y: Axis,
        series: [Series],
        levels: [Level] = []
    ) {
        self.name = Self.slug(name)
        self.title = title
        self.caption = caption
        self.summary = summary
        self.x = x
        self.y = y
        self.series = series
        self.levels = levels
    }

    /// How many rows the names of the series take, by the rough width of a letter.
    private var keyRows: Int {
        let names = (series.count > 1 ? series.map(\.name) : []) + levels.map(\.label)
        let widest = names.map(\.count).max() ?? 0
        let columns = max(1, (width - 90) / (widest * 8 + 50))
        return max(1, (names.count + columns - 1) / columns)
    }

    /// Names are file names and parts of the script, so nothing else may be in them.
    package static func slug(_ text: String) -> String {
        let parts = text.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
        return parts.isEmpty ? "chart" : parts.joined(separator: "-")
    }
}
