/// Classes of two sets, matched by their names.
package enum ClassMatching {
    /// The label in another set of each label of a set.
    ///
    /// - Parameters:
    ///   - own: The class names of the set.
    ///   - names: The class names of the other set.
    ///   - subject: What the set is called in the message.
    ///   - other: What the other set is called in the message.
    /// - Returns: For each class of the set, its position in `names`.
    /// - Throws: `TrainingError` that names the classes which only one of the sets has.
    package static func translation(
        from own: [String],
        to names: [String],
        subject: String,
        other: String
    ) throws(TrainingError) -> [Int] {
        let mine = own.filter { !names.contains($0) }
        let theirs = names.filter { !own.contains($0) }
        guard mine.isEmpty, theirs.isEmpty else {
            let differences = [(subject, mine), (other, theirs)].filter { !$1.isEmpty }
                .map { "only \($0) has \(listed($1))" }
            throw TrainingError(
                .differingClasses,
                "The classes of \(subject) and \(other) differ: "
                    + "\(differences.joined(separator: "; ")). Classes are matched by their "
                    + "names: rename the folders, or choose the other set that belongs to this "
                    + "one."
            )
        }
        let place = Dictionary(uniqueKeysWithValues: zip(names, names.indices))
        return own.map { place[$0, default: 0] }
    }
}

/// At most eight names in quotation marks, and how many more there are.
func listed(_ names: [String]) -> String {
    let shown = names.prefix(8).map { "\"\($0)\"" }.joined(separator: ", ")
    return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
}
