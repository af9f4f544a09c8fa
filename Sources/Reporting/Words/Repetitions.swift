extension Array where Element: Equatable {
    /// Every element once, in the order of their first places.
    var withoutRepetitions: [Element] {
        reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
