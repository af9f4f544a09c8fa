import Evaluation
import Foundation

extension SurrogateMetrics {
    /// The numbers as text for people, with one line a class.
    public var text: String {
        func row(_ name: String, _ value: String, _ meaning: String) -> String {
            let columns = [
                name.padding(toLength: 18, withPad: " ", startingAt: 0),
                value.padding(toLength: 11, withPad: " ", startingAt: 0), meaning,
            ]
            return columns.joined()
        }
        func decimals(_ value: Double) -> String { String(format: "%.3f", value) }
        let share = String(format: "%.1f %%", 100 * nearCopyShare)
        let head = [
            "surrogate: \(surrogate.path), \(surrogate.images) images",
            "real:      \(real.path), \(real.images) images",
            "features:  \(features), \(featureCount) numbers an image; all images brought to "
                + "\(imageSize)×\(imageSize) pixels", "",
            row("Fréchet distance", SurrogateMetrics.number(frechetDistance), "0: alike"),
            row("precision", decimals(precision), "of the surrogate lies within the real set"),
            row("recall", decimals(recall), "of the real set lies within the surrogate"),
            row("density", decimals(density), "about 1: as crowded as the real set"),
            row("coverage", decimals(coverage), "of the real images have a surrogate image near"),
            row("near copies", "\(nearCopies)", "\(share); new images: about 1 %"), "",
        ]
        return (head + classLines).joined(separator: "\n")
    }

    private var classLines: [String] {
        let titles = [
            "images", "real", "precision", "coverage", "copies", "to real", "to sibling",
            "spacing",
        ]
        let rows = classes.map { metrics -> [String] in
            [
                "\(metrics.surrogateImages)", "\(metrics.realImages)",
                metrics.precision.map { String(format: "%.3f", $0) } ?? "–",
                String(format: "%.3f", metrics.coverage), "\(metrics.nearCopies)",
                metrics.meanRealDistance.map(SurrogateMetrics.number) ?? "–",
                metrics.meanSiblingDistance.map(SurrogateMetrics.number) ?? "–",
                metrics.realSpacing.map(SurrogateMetrics.number) ?? "–",
            ]
        }
        let width = max(5, classes.map(\.name.count).max() ?? 0)
        func line(_ name: String, _ cells: [String]) -> String {
            // Right-aligned under their titles.
            let aligned = zip(titles, cells).map { title, cell in
                String(repeating: " ", count: max(0, title.count - cell.count) + 2) + cell
            }
            return name + String(repeating: " ", count: width - name.count) + aligned.joined()
        }
        return [line("class", titles)] + zip(classes, rows).map { line($0.name, $1) }
    }

    /// Four digits, whatever the unit.
    private static func number(_ value: Double) -> String { String(format: "%.4g", value) }
}
