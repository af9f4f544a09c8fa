import Foundation

/// Accuracies that others have published, for a table of their own.
///
/// They were measured with other code on other machines, so they are never put among those that
/// were measured here.
public struct PublishedNumbers: Sendable {
    /// One number.
    struct Entry: Sendable, Equatable {
        var method: String
        var imagesPerClass: Int
        var network: String
        /// How it was measured.
        var protocolName: String
        /// Percent.
        var mean: Double
        var deviation: Double?
        var source: String
    }

    /// The dataset they are for.
    public let dataset: String
    var entries: [Entry]

    /// Reads the numbers of one dataset.
    ///
    /// - Parameters:
    ///   - url: A CSV file with the columns method, dataset, images per class, network, protocol,
    ///     mean, deviation and source.
    ///   - dataset: For example `imagewoof`.
    /// - Throws: ``ReportError`` if the file cannot be read, or has nothing on this dataset.
    public init(contentsOf url: URL, dataset: String) throws {
        self.dataset = dataset
        let file = RunFile(url: url)
        let lines = try file.text().split(separator: "\n").filter { !$0.hasPrefix("#") }
        var all: [(dataset: String, entry: Entry)] = []
        for (number, line) in lines.enumerated().dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(
                String.init
            )
            guard fields.count == 8, let count = Int(fields[2]), let mean = Double(fields[5]),
                fields[6].isEmpty || Double(fields[6]) != nil
            else {
                throw ReportError.malformed(
                    file.path,
                    "row \(number + 1) does not have the expected columns"
                )
            }
            all.append(
                (
                    fields[1],
                    Entry(
                        method: fields[0],
                        imagesPerClass: count,
                        network: fields[3],
                        protocolName: fields[4],
                        mean: mean,
                        deviation: Double(fields[6]),
                        source: fields[7]
                    )
                )
            )
        }
        entries = all.filter { $0.dataset == dataset }.map(\.entry)
        guard entries.isEmpty else { return }
        let known = Set(all.map(\.dataset)).sorted().joined(separator: ", ")
        throw ReportError(
            .unknownDataset,
            "\(file.path): there are no published numbers for \"\(dataset)\". They exist for \(known)."
        )
    }

    /// "37.0 ± 1.0".
    static func text(_ entry: Entry) -> String {
        let mean = String(format: "%.1f", entry.mean)
        return entry.deviation.map { mean + String(format: " ± %.1f", $0) } ?? mean
    }

    /// A table of Markdown with a row a number.
    var markdown: String {
        var lines = [
            "| method | images per class | network | protocol | published | source |",
            "| --- | ---: | --- | --- | ---: | --- |",
        ]
        lines += entries.map { entry in
            "| \(Method(entry.method).shortName) | \(entry.imagesPerClass) "
                + "| \(Names.network(entry.network)) | \(entry.protocolName) "
                + "| \(Self.text(entry)) | \(entry.source) |"
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
