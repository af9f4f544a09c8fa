/// The names of a family of tensors: `blocks.#.attn.qkv.*`.
///
/// A name is split at its dots. A part of a pattern stands for
///
/// - `#` a number below 2²⁰, the same one in both columns of a table of names;
/// - `^#` a number that counts levels from the other end;
/// - `#-1` a number that is one less than in the other column;
/// - `@` any number: the tensor is repeated in every block;
/// - `*` `weight` or `bias`, the same one in both columns;
/// - anything else, itself.
struct NamePattern: Sendable {
    private enum Part: Equatable {
        case literal(String)
        case number(isReversed: Bool, offset: Int)
        case anyNumber
        case leaf
    }

    /// What a name has where its pattern leaves room.
    struct Match: Hashable {
        /// The numbers in order.
        var numbers: [Int]
        /// `weight` or `bias`, if the pattern asks for one of them.
        var leaf: String
    }

    private let parts: [Part]

    init(_ text: String) {
        parts = text.split(separator: ".").map { part in
            switch part {
            case "#": .number(isReversed: false, offset: 0)
            case "^#": .number(isReversed: true, offset: 0)
            case "#-1": .number(isReversed: false, offset: -1)
            case "@": .anyNumber
            case "*": .leaf
            default: .literal(String(part))
            }
        }
    }

    /// Whether the pattern leaves a repeated number open.
    var isRepeated: Bool { parts.contains(.anyNumber) }

    /// Compares a name; the numbers of the match are those of the other column.
    ///
    /// - Parameters:
    ///   - name: The parts of the name.
    ///   - levels: How many levels each list of the checkpoint has.
    /// - Returns: What the name has where the pattern leaves room; nil if it does not fit.
    func match(_ name: [Substring], _ levels: LevelCounts) -> Match? {
        guard name.count == parts.count else { return nil }
        var match = Match(numbers: [], leaf: "")
        for (place, (part, text)) in zip(parts, name).enumerated() {
            switch part {
            case .literal(let literal): guard text == literal else { return nil }
            case .anyNumber: guard LevelCounts.number(text) != nil else { return nil }
            case .leaf:
                guard text == "weight" || text == "bias" else { return nil }
                match.leaf = String(text)
            case .number(let isReversed, let offset):
                guard let number = LevelCounts.number(text) else { return nil }
                let last = levels[name.prefix(place)] - 1
                match.numbers.append(isReversed ? last - number : number - offset)
            }
        }
        return match
    }

    /// The name for a match of the other column.
    ///
    /// - Parameters:
    ///   - match: Numbers as they stand in the other column.
    ///   - repetition: The number that stands for `@`.
    ///   - levels: How many levels each list has that is counted from the other end.
    /// - Returns: The name.
    func name(
        _ match: Match,
        repetition: Int = 0,
        reversing levels: (Int) -> Int = { _ in 0 }
    ) -> String {
        var numbers = match.numbers.enumerated().makeIterator()
        return parts.map { part in
            switch part {
            case .literal(let literal): return literal
            case .anyNumber: return "\(repetition)"
            case .leaf: return match.leaf
            case .number(let isReversed, let offset):
                guard let (place, number) = numbers.next() else { return "#" }
                return isReversed ? "\(levels(place) - 1 - number)" : "\(number + offset)"
            }
        }.joined(separator: ".")
    }
}

/// How many levels each list of a checkpoint has, by the parts of the name before the number.
struct LevelCounts {
    private var counts = [String: Int]()

    init(_ names: [[Substring]]) {
        for name in names {
            for (place, part) in name.enumerated() {
                guard let number = LevelCounts.number(part) else { continue }
                let list = name.prefix(place).joined(separator: ".")
                counts[list] = max(counts[list] ?? 0, number + 1)
            }
        }
    }

    /// The number of a level, from 0 to 2²⁰ - 1; nil for a text that is none.
    ///
    /// No model has more levels, and a hostile name's number would overflow in sums.
    static func number(_ text: some StringProtocol) -> Int? {
        Int(text).flatMap { (0..<1 << 20).contains($0) ? $0 : nil }
    }

    /// Number of levels of a list; 0 if there is none.
    subscript(list: some Collection<Substring>) -> Int {
        counts[list.joined(separator: ".")] ?? 0
    }

    /// Number of levels of a list; 0 if there is none.
    subscript(list: String) -> Int { counts[list] ?? 0 }
}
