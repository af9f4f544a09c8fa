/// A chart as the page shows it.
struct FigureView {
    var title: String
    /// What it shows, in words; also for those who cannot see it.
    var caption: String
    /// The picture, or nothing when it could not be drawn.
    var svg: String?
    /// Why there is no picture.
    var failure: String?
    /// The file with its numbers, relative to the run folder.
    var data: String
}

/// Figures under one heading of the page.
struct FigureGroupView {
    var title: String
    var note: String
    var figures: [FigureView]
    var details: [FigureView]
    var hasDetails: Bool

    init(title: String, note: String, figures: [FigureView], details: [FigureView]) {
        self.title = title
        self.note = note
        self.figures = figures
        self.details = details
        hasDetails = !details.isEmpty
    }
}
