/// Fields of comma-separated values (RFC 4180).
enum CSV {
    /// Quotes a field that a reader would otherwise split.
    static func quoted(_ field: String) -> String {
        guard field.contains(where: { ",\"\n\r".contains($0) }) else { return field }
        return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }
}
