import Torch

/// A row of a table of names: what the models here call a tensor, and what another program does.
struct NameRule: Sendable {
    /// How the values of both columns belong together.
    enum Kind: Sendable {
        /// They are the same.
        case same
        /// The foreign tensors, one below the other, are the native one.
        case joined
        /// Every block of the foreign model has a copy; so many as the native list has levels.
        case repeated(list: String)
        /// The foreign tensor is a 1×1 convolution, [N, M, 1, 1] for the native [N, M].
        case pointwise
        /// The foreign model computes it anew.
        case computed
    }

    let native: NamePattern
    let foreign: [NamePattern]
    let kind: Kind

    /// Makes a row; without a foreign column both are the same.
    init(_ native: String, _ foreign: String..., kind: Kind = .same) {
        let columns = foreign.isEmpty ? [native] : foreign
        self.native = NamePattern(native)
        self.foreign = columns.map { NamePattern($0) }
        self.kind = kind
    }
}

/// A native tensor and where it comes from.
struct ImportedTensor: Sendable {
    /// Its native name.
    let name: String
    /// The names of its parts, or of its copies, in the checkpoint.
    let sources: [String]
    let kind: NameRule.Kind
    let shape: [Int]
    let dtype: DType
}

/// All rows for one way to name the tensors of a model.
struct NameTable: Sendable {
    let rules: [NameRule]

    /// What a list of tensors is in native names.
    struct Import {
        /// The native tensors, in the order of the checkpoint.
        var tensors = [ImportedTensor]()
        /// Names without a row.
        var unknown = [String]()
        /// Parts that are missing or do not fit each other, in words.
        var problems = [String]()
    }

    /// Translates names to native ones.
    ///
    /// - Parameters:
    ///   - entries: The tensors.
    ///   - prefix: What precedes every name that belongs to the model.
    /// - Returns: What they are.
    func imported(_ entries: [Checkpoint.Entry], prefix: String) -> Import {
        let names = entries.map { $0.name.dropFirst(prefix.count).split(separator: ".") }
        let levels = LevelCounts(names)
        var result = Import()
        var order = [Place]()
        var parts = [Place: [(part: Int, entry: Checkpoint.Entry)]]()
        for (entry, name) in zip(entries, names) {
            guard let (place, part) = find(name, levels) else {
                result.unknown.append(entry.name)
                continue
            }
            if parts[place] == nil { order.append(place) }
            parts[place, default: []].append((part, entry))
        }
        for place in order {
            let rule = rules[place.rule]
            let found = (parts[place] ?? []).sorted { $0.part < $1.part }
            let name = rule.native.name(place.match)
            let missing = rule.foreign.indices.filter { part in
                !found.contains { $0.part == part }
            }
            guard missing.isEmpty, let shape = shape(of: found.map(\.entry), rule.kind) else {
                let shapes = found.map { "\($0.entry.name) \($0.entry.shape)" }
                let lacking = missing.map { rule.foreign[$0].name(place.match) }
                result.problems.append(
                    "\(name) is made of " + shapes.joined(separator: ", ")
                        + (lacking.isEmpty
                            ? ", which do not fit each other"
                            : ", but \(lacking.joined(separator: ", ")) is missing")
                )
                continue
            }
            result.tensors.append(
                ImportedTensor(
                    name: name,
                    sources: found.map(\.entry.name),
                    kind: rule.kind,
                    shape: shape,
                    dtype: found[0].entry.dtype
                )
            )
        }
        return result
    }

    /// A native tensor: its row, and what its name has where the row leaves room.
    private struct Place: Hashable {
        let rule: Int
        let match: NamePattern.Match
    }

    /// The native tensor that a foreign name belongs to, and as which part.
    private func find(_ name: [Substring], _ levels: LevelCounts) -> (Place, part: Int)? {
        for (number, rule) in rules.enumerated() {
            for (part, pattern) in rule.foreign.enumerated() {
                if let match = pattern.match(name, levels) {
                    return (Place(rule: number, match: match), part)
                }
            }
        }
        return nil
    }

    /// The native shape of foreign parts; nil if they do not fit each other.
    private func shape(of entries: [Checkpoint.Entry], _ kind: NameRule.Kind) -> [Int]? {
        guard let first = entries.first,
            entries.allSatisfy({ $0.dtype == first.dtype && $0.shape.count == first.shape.count })
        else { return nil }
        switch kind {
        case .same, .computed: return entries.count == 1 ? first.shape : nil
        case .repeated: return entries.allSatisfy { $0.shape == first.shape } ? first.shape : nil
        case .joined:
            let rest = first.shape.dropFirst()
            guard !first.shape.isEmpty, entries.allSatisfy({ $0.shape.dropFirst() == rest }) else {
                return nil
            }
            // Tensors without elements may claim any number of rows.
            var rows = 0
            for entry in entries {
                let (sum, overflow) = rows.addingReportingOverflow(entry.shape[0])
                guard !overflow else { return nil }
                rows = sum
            }
            return [rows] + rest
        case .pointwise:
            guard first.shape.count == 4 else { return first.shape }
            return first.shape[2...] == [1, 1] ? Array(first.shape[..<2]) : nil
        }
    }

    /// Translates native names and tensors.
    ///
    /// - Parameter state: Tensors by native names.
    /// - Returns: Tensors by foreign names, and the native names that have no foreign one.
    func exported(_ state: StateDictionary) -> (state: StateDictionary, unknown: [String]) {
        let names = state.names.map { $0.split(separator: ".") }
        let levels = LevelCounts(names)
        var result = StateDictionary()
        var unknown = [String]()
        for ((name, tensor), parts) in zip(state, names) {
            guard
                let (rule, match) = rules.lazy.compactMap({ rule in
                    rule.native.match(parts, levels).map { (rule, $0) }
                }).first
            else {
                unknown.append(name)
                continue
            }
            // Only lists at the second place of a name are counted from the other end.
            let count = levels[parts.prefix(2)]
            func foreign(_ pattern: NamePattern, _ repetition: Int = 0) -> String {
                pattern.name(match, repetition: repetition) { _ in count }
            }
            switch rule.kind {
            case .computed: break
            case .same: for pattern in rule.foreign { result[foreign(pattern)] = tensor }
            case .joined:
                guard let rows = tensor.shape.first, rows.isMultiple(of: rule.foreign.count) else {
                    unknown.append(name)
                    continue
                }
                let pieces = tensor.chunked(rule.foreign.count, along: 0)
                for (pattern, piece) in zip(rule.foreign, pieces) {
                    result[foreign(pattern)] = piece
                }
            case .repeated(let list):
                for number in 0..<levels[list] {
                    for pattern in rule.foreign { result[foreign(pattern, number)] = tensor }
                }
            case .pointwise:
                let isMatrix = tensor.rank == 2
                for pattern in rule.foreign {
                    result[foreign(pattern)] =
                        isMatrix ? tensor.reshaped(tensor.shape + [1, 1]) : tensor
                }
            }
        }
        return (result, unknown)
    }
}
