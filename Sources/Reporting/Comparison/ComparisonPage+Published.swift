extension ComparisonPage {
    /// The numbers of others, a table for each source and protocol.
    static func published(_ numbers: PublishedNumbers) -> Published {
        var titles: [String] = []
        let groups = Dictionary(grouping: numbers.entries) { entry in
            let title = "Source: \(entry.source) · protocol \(entry.protocolName)"
            if !titles.contains(title) { titles.append(title) }
            return title
        }
        return Published(
            dataset: numbers.dataset,
            tables: titles.map { publishedTable($0, groups[$0] ?? []) }
        )
    }

    /// A row for each number of images and network, a column a method.
    private static func publishedTable(_ title: String, _ entries: [PublishedNumbers.Entry])
        -> Published.Table
    {
        let methods = Set(entries.map { Method($0.method) }).sorted()
        var keys: [[String]] = []
        var cells: [[String]: [Method: [String]]] = [:]
        for entry in entries {
            let key = ["\(entry.imagesPerClass)", Names.network(entry.network)]
            if cells[key] == nil { keys.append(key) }
            cells[key, default: [:]][Method(entry.method), default: []]
                .append(PublishedNumbers.text(entry))
        }
        return .init(
            title: title,
            methods: methods.map(\.shortName),
            rows: keys.map { key in
                .init(
                    imagesPerClass: key[0],
                    network: key[1],
                    cells: methods.map { cells[key]?[$0]?.joined(separator: ", ") ?? "–" }
                )
            }
        )
    }
}
