/// Results that compete with each other, and what may be said of them.
package struct ComparisonTable: Sendable {
    /// What is known of one entry beside the best of its competitors.
    package enum Verdict: Equatable, Sendable {
        /// The highest mean.
        case best
        /// Lower than the best by more than the seeds explain.
        case lower
        /// Not to be told from the best: the difference may be noise.
        case noise
        /// A single seed on one side: nothing can be said.
        case unknown
    }

    /// One mean.
    package struct Entry: Sendable {
        package var group: ComparisonGroup
        package var verdict: Verdict
        /// The probability of the difference to the best by chance (Welch), and by pairs of seeds.
        package var welch: Double?
        package var paired: Double?

        /// "54.2 ± 1.1", percent.
        package var text: String {
            let mean = Words.points(group.mean)
            return group.deviation.map { "\(mean) ± \(Words.points($0))" } ?? mean
        }
    }

    /// A line of the table.
    package struct Row: Sendable {
        package var imagesPerClass: Int
        package var network: String
        /// The settings that are varied, nothing for the grid's own recipe.
        package var settings: String
        /// One for each column, where there is one.
        package var entries: [Entry?]
    }

    package var methods: [Method]
    package var rows: [Row]
    package var hasSettings: Bool

    /// The epochs that count: `last`, `best`, `holdout`.
    package var selections: Set<String> {
        Set(rows.flatMap(\.entries).compactMap { $0?.group.selection })
    }

    /// The grid's own recipe: every row compares the methods.
    package init(methodsOf groups: [ComparisonGroup]) {
        let own = groups.filter(\.variation.isEmpty)
        let methods = Set(own.map(\.method)).sorted()
        self.methods = methods
        hasSettings = false
        rows = Self.places(own).map { count, network in
            let competitors = own.filter { $0.imagesPerClass == count && $0.network == network }
            let entries = Self.judged(competitors)
            return Row(
                imagesPerClass: count,
                network: network,
                settings: "",
                entries: methods.map { method in entries.first { $0.group.method == method } }
            )
        }
    }

    /// What is varied: in every column the settings are compared with each other.
    package init(settingsOf groups: [ComparisonGroup], base: [String: String]) {
        let varied = Set(groups.filter { !$0.variation.isEmpty }.map(\.method))
        let groups = groups.filter { varied.contains($0.method) }
        let methods = varied.sorted()
        self.methods = methods
        hasSettings = true
        rows = Self.places(groups).flatMap { count, network -> [Row] in
            let here = groups.filter { $0.imagesPerClass == count && $0.network == network }
            let entries = methods.map { method in
                Self.judged(here.filter { $0.method == method })
            }
            var settings: [[String: String]] = []
            for group in here where !settings.contains(group.variation) {
                settings.append(group.variation)
            }
            return settings.map { variation in
                Row(
                    imagesPerClass: count,
                    network: network,
                    settings: Self.words(variation, base: base),
                    entries: entries.map { $0.first { $0.group.variation == variation } }
                )
            }
        }
    }

    /// "guidance 2": the changed settings, or "as in the recipe".
    static func words(_ variation: [String: String], base: [String: String]) -> String {
        guard !variation.isEmpty else { return "as in the recipe" }
        return variation.sorted { $0.key < $1.key }
            .map { "\(shortName($0.key)) \($0.value)" }.joined(separator: ", ")
    }

    /// The last part of a path, with the paper's letter where it has one.
    static func shortName(_ path: String) -> String {
        let last = path.split(separator: ".").last.map(String.init) ?? path
        let letters = ["representativeness": "λ_r", "diversity": "λ_d"]
        return letters[last] ?? Names.key(last).lowercased()
    }

    /// Entries that compete: the best, and what the tests say of the others.
    static func judged(_ groups: [ComparisonGroup]) -> [Entry] {
        guard let best = groups.max(by: { $0.mean < $1.mean }) else { return [] }
        var hasBest = false
        return groups.map { group in
            if group.mean == best.mean, !hasBest {
                hasBest = true
                return Entry(group: group, verdict: .best, welch: nil, paired: nil)
            }
            let welch = Significance.welch(best.values, group.values)
            let paired =
                best.seeds == group.seeds ? Significance.paired(best.values, group.values) : nil
            let areSeveral = min(best.values.count, group.values.count) > 1
            // Without any spread on both sides no seed explains the difference.
            let verdict: Verdict =
                welch.map { $0 < Significance.level ? .lower : .noise }
                ?? (areSeveral ? .lower : .unknown)
            return Entry(group: group, verdict: verdict, welch: welch, paired: paired)
        }
    }

    /// Images per class and networks, by rising number.
    private static func places(_ groups: [ComparisonGroup]) -> [(Int, String)] {
        var networks: [String] = []
        for group in groups where !networks.contains(group.network) {
            networks.append(group.network)
        }
        return Set(groups.map(\.imagesPerClass)).sorted().flatMap { count in
            networks.filter { network in
                groups.contains { $0.imagesPerClass == count && $0.network == network }
            }.map { (count, $0) }
        }
    }
}
