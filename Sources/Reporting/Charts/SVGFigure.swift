import Foundation

/// A picture made by gnuplot, changed so that it fits any page: text and axes take the page's
/// colour, names inside it are its own, and it says what it shows to those who cannot see it.
package struct SVGFigure: Sendable {
    /// The element `<svg>…</svg>` for use inside a page whose styles know the palette.
    package var element: String

    /// Adapts gnuplot's output.
    package init(gnuplot source: String, chart: Chart) {
        var text = source
        if let start = text.range(of: "<svg") { text.removeSubrange(..<start.lowerBound) }
        // gnuplot's own title, and the names of its plots, which browsers show on hovering.
        text = Self.replaced(text, #"<title>[^<]*</title>\s*"#, with: "")
        text = Self.replaced(text, #"<desc>[^<]*</desc>\s*"#, with: "")
        text = Self.replaced(text, #"(?s)<filter .*?</filter>\s*"#, with: "")
        // The surrounding page decides what black means.
        text = Self.replaced(text, #" color="(black|white)""#, with: "")
        text = Self.replaced(
            text,
            #"(fill|stroke|color)\s*=\s*['"](black|rgb\(\s*0,\s*0,\s*0\))['"]"#,
            with: #"$1="currentColor""#
        )
        text = Self.withHexColors(text)
        text = Self.replaced(text, #"<g [^>]*>\s*</g>\s*"#, with: "")
        // Several figures share a page, so their names must differ.
        text = Self.replaced(text, #"(id=['"]|href=['"]#)"#, with: "$1\(chart.name)-")
        text = Self.replaced(text, #"[ \t]*\n\s*"#, with: "\n")

        let description = [chart.caption, chart.summary].filter { !$0.isEmpty }
            .joined(separator: " ")
        let identity = "\(chart.name)-figure"
        let opening = """
            <svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" \
            class="chart" viewBox="0 0 \(chart.width) \(chart.height)" role="img" \
            aria-labelledby="\(identity)-title \(identity)-description">
            <title id="\(identity)-title">\(Self.escaped(chart.title))</title>
            <desc id="\(identity)-description">\(Self.escaped(description))</desc>
            """
        if let end = text.range(of: ">") { text.removeSubrange(..<end.upperBound) }
        element = opening + text.trimmingCharacters(in: .newlines.union(.whitespaces))
    }

    /// A file of its own, with styles for light and dark ground.
    package var document: String {
        let style = """
            <style>
            svg{color:#1d1f24;font-family:sans-serif}
            .gridline{stroke-opacity:.35}
            @media (prefers-color-scheme:dark){
            svg{color:#e7e8ea}
            \(Palette.darkRules(scope: "svg"))
            }
            </style>
            """
        var text = element
        if let end = text.range(of: "</desc>") {
            text.insert(contentsOf: "\n" + style, at: end.upperBound)
        }
        return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" + text + "\n"
    }

    /// gnuplot writes `rgb(  0, 114, 178)`; style sheets match `#0072b2`.
    private static func withHexColors(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.range(of: "rgb("),
            let end = rest[start.upperBound...].firstIndex(of: ")")
        {
            let parts = rest[start.upperBound..<end].split(separator: ",").compactMap {
                UInt8($0.trimmingCharacters(in: .whitespaces))
            }
            result += rest[..<start.lowerBound]
            result +=
                parts.count == 3
                ? "#" + parts.map { String(format: "%02x", $0) }.joined()
                : String(rest[start.lowerBound...end])
            rest = rest[rest.index(after: end)...]
        }
        // One kind of quotes and no blanks around "=", as the rules of the palette expect.
        return replaced(
            result + rest,
            #"(fill|stroke|color)\s*=\s*'(#[0-9a-f]{6})'"#,
            with: #"$1="$2""#
        )
    }

    private static func replaced(_ text: String, _ pattern: String, with template: String) -> String
    {
        text.replacingOccurrences(of: pattern, with: template, options: .regularExpression)
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
