/// The colours of series: Okabe and Ito's set, which colour-blind readers can tell apart.
package enum Palette {
    /// A colour by role, with the values that stand out on white and on near-black.
    package enum Color: String, CaseIterable, Sendable {
        case blue, vermillion, green, orange, purple, sky, yellow, brown, teal, ink, grey

        /// What is written into figures: the colour on light ground, at least 3:1 against white.
        package var light: String {
            switch self {
            case .blue: "#0072b2"
            case .vermillion: "#d55e00"
            case .green: "#00916a"
            case .orange: "#b97a00"
            case .purple: "#b8608f"
            case .sky: "#3690c8"
            case .yellow: "#8c8400"
            case .brown: "#8b5a3c"
            case .teal: "#2f7f86"
            case .ink: "#2b2b2b"
            case .grey: "#808080"
            }
        }

        /// The colour on dark ground.
        package var dark: String {
            switch self {
            case .blue: "#4ba3e3"
            case .vermillion: "#ff8a3d"
            case .green: "#2fc79a"
            case .orange: "#e69f00"
            case .purple: "#e09ac2"
            case .sky: "#7cc8f2"
            case .yellow: "#e6dc4e"
            case .brown: "#c99a7c"
            case .teal: "#6fc3ca"
            case .ink: "#e2e2e2"
            case .grey: "#969696"
            }
        }
    }

    /// Rules that turn the colours in a figure into those for dark ground.
    ///
    /// A presentation attribute such as `stroke="#0072b2"` gives way to any rule of a style sheet,
    /// so a figure shows right colours on light ground even where no style sheet is read.
    package static func darkRules(scope: String) -> String {
        Color.allCases.flatMap { color in
            ["stroke", "fill", "color"].map { attribute in
                "\(scope) [\(attribute)=\"\(color.light)\"]{\(attribute):\(color.dark)}"
            }
        }.joined(separator: "\n")
    }
}
