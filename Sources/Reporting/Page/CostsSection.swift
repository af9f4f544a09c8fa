/// What every stage took in time and memory.
struct CostsSection {
    struct Row {
        var stage: String
        var time: String
        /// Of the total time, in percent, for the small bar beside the number.
        var share: String
        var memory: String
        var device: String
    }

    var rows: [Row]
    var total: String
    var peak: String

    /// Nothing when no costs were recorded yet.
    init?(_ costs: [Results.Cost]) {
        guard !costs.isEmpty else { return nil }
        let seconds = costs.map(\.seconds).reduce(0, +)
        rows = costs.map { cost in
            Row(
                stage: Names.stage(cost.stage),
                time: Words.duration(cost.seconds),
                share: seconds > 0
                    ? Words.number((cost.seconds / seconds * 1000).rounded() / 10) : "0",
                memory: cost.peakMemoryBytes.map(Words.bytes) ?? "–",
                device: cost.device ?? "–"
            )
        }
        total = Words.duration(seconds)
        peak = costs.compactMap(\.peakMemoryBytes).max().map(Words.bytes) ?? "–"
    }
}
