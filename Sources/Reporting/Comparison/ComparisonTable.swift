/// Results that compete with each other, and what may be said of them.
package struct ComparisonTable: Sendable {
    /// What is known of one entry beside the best of its competitors.
    package enum Verdict: Equatable, Sendable {
        /// The highest mean.
        case best
        /// Lower than the best by more than the seeds or draws explain.
        case lower
        /// Not to be told from the best: the difference may be noise.
        case noise
        /// A single value on one side: nothing can be said.
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

        /// "(1 of 3)" behind a mean of fewer values than others of its table, "(1 incomplete)" where
        /// networks of a draw are still to come; else nothing.
        package func remark(outOf most: Int) -> String {
            let count = group.values.count
            let parts = [
                count < most ? "\(count) of \(most)" : nil,
                group.incompleteDraws > 0 ? "\(group.incompleteDraws) incomplete" : nil,
            ].compactMap { $0 }
            return parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
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

    /// What stands beside what.
    package enum Kind: String, Sendable {
        /// The grid's own recipe: every row compares the methods.
        case methods
        /// What is varied: every column compares the settings.
        case settings
        /// One draw of the images a row, which compares the methods.
        case draws
    }

    package var kind: Kind
    package var methods: [Method]
    package var rows: [Row]

    /// Whether rows are told apart by settings, too.
    package var hasSettings: Bool { kind != .methods }

    /// What is compared with what, in a sentence or two.
    package var note: String {
        switch kind {
        case .methods: "Each row compares the methods."
        case .settings:
            "Each column compares the settings for one network and number of images at a time."
        case .draws:
            "Each row compares the methods on one draw of the images; here, ± is the sample "
                + "standard deviation over the seeds of the networks."
        }
    }

    /// The largest number of values that an entry is the mean of.
    package var mostValues: Int {
        rows.flatMap(\.entries).compactMap { $0?.group.values.count }.max() ?? 0
    }

    /// What the values of an entry are taken over.
    package var spread: ComparisonGroup.Spread {
        rows.flatMap(\.entries).compactMap { $0?.group.spread }.first ?? .seeds
    }

    /// The epochs that count: `last`, `best`, `holdout`.
    package var selections: Set<String> {
        Set(rows.flatMap(\.entries).compactMap { $0?.group.selection })
    }

    /// How the networks are trained: "gu-hard-28+epochs=40 (ConvNet-3, ResNet-18)", one protocol
    /// after the other; "(ResNet-18 on 10, 20 images per class)" where it depends on their number.
    package var protocols: String {
        let groups = rows.flatMap(\.entries).compactMap { $0?.group }
        let names = groups.compactMap(\.protocolName).withoutRepetitions
        return names.map { name in
            let own = groups.filter { $0.protocolName == name }
            let networks = own.map(\.network).withoutRepetitions.map { network in
                let word = Names.network(network)
                let isTheOnlyOne = groups.allSatisfy {
                    $0.network != network || [name, nil].contains($0.protocolName)
                }
                if isTheOnlyOne { return word }
                let counts = own.filter { $0.network == network }.map(\.imagesPerClass)
                return "\(word) on \(Set(counts).sorted().map(String.init).joined(separator: ", "))"
                    + " images per class"
            }
            return "\(name) (\(networks.joined(separator: ", ")))"
        }
        .joined(separator: "; ")
    }

    /// The grid's own recipe: every row compares the methods.
    package init(methodsOf groups: [ComparisonGroup]) {
        let own = groups.filter(\.variation.isEmpty)
        let methods = Set(own.map(\.method)).sorted()
        self.methods = methods
        kind = .methods
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
        kind = .settings
        rows = Self.places(groups).flatMap { count, network -> [Row] in
            let here = groups.filter { $0.imagesPerClass == count && $0.network == network }
            let entries = methods.map { method in
                Self.judged(here.filter { $0.method == method })
            }
            return Self.variations(here).map { variation in
                Row(
                    imagesPerClass: count,
                    network: network,
                    settings: Self.words(variation, base: base),
                    entries: entries.map { $0.first { $0.group.variation == variation } }
                )
            }
        }
    }

    /// Draws one by one: in every row the methods are compared.
    package init(drawsOf groups: [ComparisonGroup], base: [String: String]) {
        let methods = Set(groups.map(\.method)).sorted()
        self.methods = methods
        kind = .draws
        rows = Self.places(groups).flatMap { count, network -> [Row] in
            let here = groups.filter { $0.imagesPerClass == count && $0.network == network }
            return Self.variations(here).map { variation in
                let entries = Self.judged(here.filter { $0.variation == variation })
                let draw = [
                    ComparisonFile.drawPath: base[ComparisonFile.drawPath] ?? ""
                ].merging(variation) { $1 }
                return Row(
                    imagesPerClass: count,
                    network: network,
                    settings: Self.words(draw, base: base),
                    entries: methods.map { method in entries.first { $0.group.method == method } }
                )
            }
        }
    }

    /// "guidance 2": the changed settings, or "as in the recipe: guidance 1.5".
    static func words(_ variation: [String: String], base: [String: String]) -> String {
        func words(_ settings: [String: String]) -> String {
            settings.sorted { $0.key < $1.key }
                .map { "\(shortName($0.key, among: base.keys)) \($0.value)" }
                .joined(separator: ", ")
        }
        guard variation.isEmpty else { return words(variation) }
        // A long list would say less than its figures do.
        return (1...3).contains(base.count)
            ? "as in the recipe: \(words(base))" : "as in the recipe"
    }

    /// The last part of a path, with the paper's letter where it has one; more parts where another
    /// of the varied settings ends in the same: "sample steps" and "minimax steps".
    package static func shortName(_ path: String, among paths: some Sequence<String>) -> String {
        let parts = path.split(separator: ".").map(String.init)
        let others = paths.filter { $0 != path }.map { $0.split(separator: ".").map(String.init) }
        let count = parts.indices.map { $0 + 1 }.first { count in
            !others.contains { $0.suffix(count) == parts.suffix(count) }
        }
        let letters = ["representativeness": "λ_r", "diversity": "λ_d"]
        if count == 1, let letter = parts.last.flatMap({ letters[$0] }) { return letter }
        return parts.suffix(count ?? parts.count).map { Names.key($0).lowercased() }
            .joined(separator: " ")
    }

    /// Entries that compete: the best, and what the tests say of the others.
    ///
    /// Beside means of several values a single value is not the best, however high: nothing could be
    /// said of any of them then.
    static func judged(_ groups: [ComparisonGroup]) -> [Entry] {
        let several = groups.filter { $0.values.count > 1 }
        let best = (several.isEmpty ? groups : several).max { $0.mean < $1.mean }
        guard let best else { return [] }
        var hasBest = false
        return groups.map { group in
            if group.mean == best.mean, group.values.count == best.values.count, !hasBest {
                hasBest = true
                return Entry(group: group, verdict: .best, welch: nil, paired: nil)
            }
            let welch = Significance.welch(best.values, group.values)
            let paired =
                best.seeds == group.seeds ? Significance.paired(best.values, group.values) : nil
            let areSeveral = group.values.count > 1
            // Without any spread on both sides no seed explains the difference.
            let verdict: Verdict =
                welch.map { $0 < Significance.level ? .lower : .noise }
                ?? (areSeveral ? .lower : .unknown)
            return Entry(group: group, verdict: verdict, welch: welch, paired: paired)
        }
    }

    /// What is varied: the recipe's own settings, then one set of settings after the other in the
    /// order of the groups, each by its values.
    private static func variations(_ groups: [ComparisonGroup]) -> [[String: String]] {
        let all = groups.map(\.variation).withoutRepetitions
        let paths = all.map { $0.keys.sorted() }.withoutRepetitions
        return all.filter(\.isEmpty)
            + paths.filter { !$0.isEmpty }.flatMap { paths in
                all.filter { $0.keys.sorted() == paths }.sorted { first, second in
                    for path in paths {
                        let (a, b) = (first[path] ?? "", second[path] ?? "")
                        guard a != b else { continue }
                        return (Double(a) ?? .infinity, a) < (Double(b) ?? .infinity, b)
                    }
                    return false
                }
            }
    }

    /// Images per class and networks, by rising number.
    private static func places(_ groups: [ComparisonGroup]) -> [(Int, String)] {
        let networks = groups.map(\.network).withoutRepetitions
        return Set(groups.map(\.imagesPerClass)).sorted().flatMap { count in
            networks.filter { network in
                groups.contains { $0.imagesPerClass == count && $0.network == network }
            }.map { (count, $0) }
        }
    }
}
