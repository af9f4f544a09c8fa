/// Rules for the names of classes, which are also names of folders.
package enum ClassNames {
    /// Names for classes that have only numbers: `00`, `01`, … so that string order is label
    /// order.
    ///
    /// - Parameter count: The number of classes.
    /// - Returns: `count` names with at least two digits.
    package static func numbered(count: Int) -> [String] {
        (0..<count).map { padded($0, count: count) }
    }

    /// Names for classes that have titles: `00-t-shirt-top` for the first, "T-shirt/top".
    ///
    /// - Parameter titles: What people call the classes, in the order of the labels.
    /// - Returns: The padded label and the title in lower case, words joined by hyphens.
    package static func slugs(for titles: [String]) -> [String] {
        titles.enumerated().map { label, title in
            let words = title.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
            return ([padded(label, count: titles.count)] + words.map(String.init))
                .joined(separator: "-")
        }
    }

    private static func padded(_ label: Int, count: Int) -> String {
        let digits = max(2, String(max(count - 1, 0)).count)
        let text = String(label)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// Checks that a dataset has the classes that somebody chose.
    ///
    /// - Parameters:
    ///   - names: The chosen classes.
    ///   - found: The classes there are.
    ///   - source: What error messages call the dataset.
    ///   - fault: What error messages say of missing classes.
    /// - Throws: ``DatasetError`` naming what is missing, or for names that ``validate(_:of:)``
    ///   refuses.
    package static func require(
        _ names: [String],
        among found: [String],
        of source: String,
        fault: String = "are not there"
    ) throws {
        try validate(names, of: source)
        let known = Set(found)
        let missing = names.filter { !known.contains($0) }
        guard missing.isEmpty else {
            throw DatasetError(
                .differentClasses,
                "\(source): \(missing.count) of \(names.count) classes \(fault): "
                    + "\(someOf(missing)). Found \(found.count): \(someOf(found)). Check the names."
            )
        }
    }

    /// Checks names that somebody chose.
    ///
    /// - Parameters:
    ///   - names: The class names.
    ///   - source: What error messages call their origin.
    /// - Throws: ``DatasetError`` if there are none, if one appears twice or cannot be a folder.
    package static func validate(_ names: [String], of source: String) throws {
        guard !names.isEmpty else {
            throw DatasetError(.noClasses, "\(source): the list of classes is empty. Name some.")
        }
        for name in names
        where name.isEmpty || name.hasPrefix(".") || name.contains("/") || name.contains("\0") {
            throw DatasetError(
                .badClassName,
                "\(source): the class name \"\(name)\" cannot name a folder: it is empty, starts "
                    + "with a dot or contains a slash. Choose another."
            )
        }
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted {
            throw DatasetError(
                .badClassName,
                "\(source): the class \"\(name)\" is listed twice. List it once."
            )
        }
    }
}
