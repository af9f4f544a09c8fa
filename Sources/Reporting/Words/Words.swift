import Foundation

/// Numbers as a person reads them.
package enum Words {
    /// Keeps a number and its unit on one line.
    package static let space = "\u{00A0}"

    /// "78.4 %": accuracies are fractions in files and percent with one decimal for people.
    package static func percent(_ fraction: Double) -> String {
        "\(points(fraction))\(space)%"
    }

    /// "4.5": hundredths of a fraction with one decimal.
    package static func points(_ fraction: Double) -> String {
        fixed(fraction * 100, decimals: 1)
    }

    /// "78.4 % ± 0.6", or "78.4 %" where no deviation is known.
    package static func percent(_ fraction: Double, deviation: Double?) -> String {
        guard let deviation else { return percent(fraction) }
        return "\(percent(fraction))\(space)±\(space)\(points(deviation))"
    }

    /// "60,000".
    package static func count(_ value: Int) -> String {
        var digits = String(abs(value))
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        groups.insert(digits, at: 0)
        return (value < 0 ? "−" : "") + groups.joined(separator: ",")
    }

    /// "60,000" for the nearest whole number; "–" for what is none, as in a damaged file.
    package static func count(_ value: Double) -> String {
        Int(exactly: value.rounded()).map { count($0) } ?? "–"
    }

    /// "1 image", "100 images".
    package static func count(_ value: Int, _ noun: String) -> String {
        "\(count(value)) \(noun)\(value == 1 ? "" : "s")"
    }

    /// "0.36 s", "12.3 s", "8 min 20 s", "1 h 02 min".
    package static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0 else { return "–" }
        if seconds < 9.95 { return "\(significant(seconds, digits: 2))\(space)s" }
        if seconds < 99.95 { return "\(fixed(seconds, decimals: 1))\(space)s" }
        let whole = Int(min(seconds.rounded(), 1e15))
        if whole < 3600 { return "\(whole / 60)\(space)min \(padded(whole % 60))\(space)s" }
        let minutes = (whole + 30) / 60
        return "\(count(minutes / 60))\(space)h \(padded(minutes % 60))\(space)min"
    }

    /// "820 MB", "1.21 GB": powers of a thousand.
    package static func bytes(_ value: Double) -> String {
        let units = ["bytes", "kB", "MB", "GB", "TB"]
        var value = value
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return "\(significant(value, digits: 3))\(space)\(units[unit])"
    }

    /// A number with as many digits as it needs and no more than six.
    package static func number(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
        return String(format: "%.6g", value)
    }

    /// "0.0123": so many digits that count, without an exponent in the usual range.
    package static func significant(_ value: Double, digits: Int) -> String {
        guard value != 0, value.isFinite else { return "0" }
        // 0.9996 has three digits as 1.00, so the magnitude is that of the rounded value.
        let rounded = Double(String(format: "%.\(max(digits - 1, 0))e", value)) ?? value
        let magnitude = Int(log10(abs(rounded)).rounded(.down))
        if magnitude < -4 || magnitude > 8 {
            return String(format: "%.\(max(digits - 1, 0))e", value)
        }
        return fixed(value, decimals: max(digits - 1 - magnitude, 0))
    }

    /// "a", "a and b", "a, b and c".
    package static func list(_ parts: [String]) -> String {
        guard let last = parts.last, parts.count > 1 else { return parts.first ?? "" }
        return parts.dropLast().joined(separator: ", ") + " and " + last
    }

    private static func fixed(_ value: Double, decimals: Int) -> String {
        let text = String(format: "%.\(decimals)f", value)
        return text.hasPrefix("-") ? "−" + text.dropFirst() : text
    }

    private static func padded(_ value: Int) -> String {
        value < 10 ? "0\(value)" : "\(value)"
    }
}
