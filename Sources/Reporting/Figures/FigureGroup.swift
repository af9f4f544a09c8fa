/// Figures that belong under one heading of the page.
package struct FigureGroup: Sendable {
    package var title: String
    /// What the figures show together, in a sentence or two.
    package var note: String
    package var charts: [Chart]
    /// Figures for the curious, folded away.
    package var details: [Chart] = []
}
