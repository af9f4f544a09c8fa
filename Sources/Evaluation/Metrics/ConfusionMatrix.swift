import Torch

/// How often images of each class were taken for each class.
public struct ConfusionMatrix: Codable, Sendable, Equatable {
    /// The name of every class.
    public let classNames: [String]
    /// `counts[c][p]`: images of class c that were taken for class p.
    public let counts: [[Int]]

    /// Counts predictions.
    ///
    /// Traps if the lists have different lengths or a label is no position in `classNames`.
    ///
    /// - Parameters:
    ///   - predictions: The class found for every image.
    ///   - labels: Its true class.
    ///   - classNames: The name of every class.
    public init(predictions: [Int], labels: [Int], classNames: [String]) {
        let known = classNames.indices
        guard predictions.count == labels.count,
            (predictions + labels).allSatisfy(known.contains)
        else {
            trap(
                "ConfusionMatrix: \(predictions.count) predictions and \(labels.count) labels of "
                    + "\(classNames.count) classes do not fit each other"
            )
        }
        var counts = [[Int]](
            repeating: [Int](repeating: 0, count: classNames.count),
            count: classNames.count
        )
        for (label, prediction) in zip(labels, predictions) { counts[label][prediction] += 1 }
        self.classNames = classNames
        self.counts = counts
    }

    /// Classes of which most images are taken for the next one in the list; nil if there are none.
    ///
    /// The list ends with its first class, for which the last one is taken. Scores and classes in
    /// different orders look like that.
    public var exchangedClasses: [Int]? {
        let mostFound = counts.map { row in row.indices.max { row[$0] < row[$1] } ?? 0 }
        func isMostly(_ label: Int) -> Bool {
            2 * counts[label][mostFound[label]] > counts[label].reduce(0, +)
        }
        for first in counts.indices where mostFound[first] != first {
            var circle = [first]
            var last = first
            while isMostly(last), !circle.contains(mostFound[last]) {
                last = mostFound[last]
                circle.append(last)
            }
            if isMostly(last), mostFound[last] == first { return circle + [first] }
        }
        return nil
    }

    /// Number of images.
    public var total: Int { counts.joined().reduce(0, +) }

    /// Share of the images whose class was found; 0 without images.
    public var accuracy: Double {
        ConfusionMatrix.share(counts.indices.reduce(0) { $0 + counts[$1][$1] }, of: total)
    }

    /// For every class, the share of its images whose class was found (the recall of the class);
    /// 0 for a class without images.
    public var accuracyPerClass: [Double] {
        counts.enumerated().map { label, row in
            ConfusionMatrix.share(row[label], of: row.reduce(0, +))
        }
    }

    /// For every class, the share of the images taken for it that belong to it; 0 for a class
    /// that was never found.
    public var precisionPerClass: [Double] {
        counts.indices.map { label in
            ConfusionMatrix.share(
                counts[label][label],
                of: counts.reduce(0) { $0 + $1[label] }
            )
        }
    }

    /// The most frequent confusions, the worst first.
    ///
    /// - Parameter limit: How many are wanted.
    /// - Returns: True class, found class, and how many images.
    public func worstConfusions(_ limit: Int) -> [(label: Int, prediction: Int, count: Int)] {
        let all = counts.enumerated().flatMap { label, row in
            row.enumerated().filter { $0.offset != label && $0.element > 0 }
                .map { (label: label, prediction: $0.offset, count: $0.element) }
        }
        // A stable order: equal counts in the order of the labels.
        return Array(
            all.sorted {
                ($1.count, $0.label, $0.prediction) < ($0.count, $1.label, $1.prediction)
            }.prefix(limit)
        )
    }

    private static func share(_ part: Int, of whole: Int) -> Double {
        whole == 0 ? 0 : Double(part) / Double(whole)
    }
}
