import Foundation

/// Images by class, the real ones beside those of each method.
///
/// Every image can be enlarged. Behind those that are no real ones stands the most similar real
/// image of their class, if the run has looked for it.
struct GallerySection {
    /// The images of one method in one class.
    struct Strip {
        var method: String
        var isOwn: Bool
        var pictures: [GalleryPicture]
        var isEmpty: Bool
    }

    /// A real image that images of the class resemble, shown beside them.
    struct Real {
        var id: String
        var picture: GalleryPicture
    }

    struct Row {
        var name: String
        var strips: [Strip]
        var reals: [Real]
    }

    var rows: [Row]
    var note: String
    /// What can be done with the images, for those whose browser runs the script.
    var hint: String
    var script = GalleryScript.source

    /// Bytes that all images may take in the page; the rest of it takes less than 2 MB.
    static let byteLimit = 12_000_000

    /// The images of a folder that a gallery shows.
    struct Source {
        /// The folder in which all paths begin.
        var url: URL
        var sets: [ImageSet]
        /// The method that the page is about.
        var ownMethod: String?
        var neighbours: NeighbourFile?
    }

    /// Nothing when no images are there yet.
    ///
    /// - Throws: ``ReportError`` naming an image that cannot be read.
    init?(_ source: Source, byteLimit: Int = byteLimit) throws {
        let sets = source.sets
        guard !sets.isEmpty else { return nil }
        let plan = GalleryPlan(
            sets,
            byteLimit: byteLimit,
            withNeighbours: source.neighbours != nil
        )
        let sources = try sets.map { try $0.sources() }
            .reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        rows = []
        var remaining = byteLimit
        for name in plan.classes {
            let row = try Self.row(name, number: rows.count, plan, source, sources)
            remaining -= row.byteCount
            // The plan only guesses how large scaled images are.
            if remaining < 0, !rows.isEmpty { break }
            rows.append(row)
        }
        note = Self.note(plan, classCount: rows.count)
        hint = "Select an image to enlarge it."
        if rows.contains(where: { !$0.reals.isEmpty }) {
            hint += """
                 Point at one that is not real to see the training image of its class whose pixels \
                differ least.
                """
        }
    }

    private static func row(
        _ folder: String,
        number: Int,
        _ plan: GalleryPlan,
        _ folders: Source,
        _ sources: [String: String]
    ) throws -> Row {
        let name = Names.className(folder)
        var reals = RealImages(url: folders.url, side: plan.side, prefix: "real-\(number + 1)")
        let strips = try plan.sets.map { set in
            let method = Method(set.method)
            let pictures = try plan.files(of: set, inClass: folder).enumerated().map {
                let path = set.path(of: $1, inClass: folder)
                var picture = try GalleryPicture(
                    $1,
                    path: path,
                    alt: "\(name) \($0 + 1), \(method.longName)",
                    side: plan.side
                )
                let source = sources[path]
                if method.isReal {
                    let words = source.map { "the training image \($0)" } ?? "a training image"
                    picture.note = "This is \(words)."
                } else {
                    picture.origin = source.map { "It was initialised from \($0)." } ?? ""
                    try reals.add(folders.neighbours?.images[path], to: &picture)
                }
                return picture
            }
            return Strip(
                method: method.longName,
                isOwn: set.method == folders.ownMethod,
                pictures: pictures,
                isEmpty: pictures.isEmpty
            )
        }
        return Row(name: name, strips: strips, reals: reals.shown)
    }

    /// The real images that those of a class resemble, each once.
    private struct RealImages {
        let url: URL
        let side: Int?
        let prefix: String
        private(set) var shown: [Real] = []

        init(url: URL, side: Int?, prefix: String) {
            self.url = url
            self.side = side
            self.prefix = prefix
        }

        /// Says what a picture resembles; its picture may have been lost.
        mutating func add(
            _ neighbour: NeighbourFile.Neighbour?,
            to picture: inout GalleryPicture
        ) throws {
            guard let neighbour else { return }
            picture.note = neighbour.words
            if let known = shown.first(where: { $0.picture.file == neighbour.picture }) {
                picture.real = known.id
                return
            }
            let file = url.appending(path: neighbour.picture)
            guard RunFile(url: file).exists else { return }
            let real = Real(
                id: "\(prefix)-\(shown.count + 1)",
                picture: try GalleryPicture(
                    file,
                    path: neighbour.picture,
                    alt: "Training image \(neighbour.real)",
                    side: side
                )
            )
            shown.append(real)
            picture.real = real.id
        }
    }

    /// What is shown, and what is left out.
    private static func note(_ plan: GalleryPlan, classCount: Int) -> String {
        let most = plan.sets.flatMap(\.classes.values).map(\.count).max() ?? 0
        var parts = ["One class after another, with the images of every method side by side."]
        if most > plan.count {
            parts.append("The first \(plan.count) of up to \(Words.count(most)) images are shown.")
        }
        if let side = plan.side {
            parts.append("Large ones are scaled to \(side) pixels and compressed.")
        }
        if classCount < plan.classCount {
            parts.append(
                """
                The first \(classCount) of \(Words.count(plan.classCount)) classes are shown, \
                to keep the page small; all images are in the run folder.
                """
            )
        }
        return parts.joined(separator: " ")
    }

    /// The shown images that are no real ones, by their paths inside of the run folder.
    static func comparedImages(_ run: RunFolder, byteLimit: Int = byteLimit) -> [String] {
        let plan = GalleryPlan(run.imageSets, byteLimit: byteLimit, withNeighbours: true)
        return plan.sets.filter { !Method($0.method).isReal }.flatMap { set in
            plan.classes.flatMap { name in
                plan.files(of: set, inClass: name).map { set.path(of: $0, inClass: name) }
            }
        }
    }
}

extension RunFolder {
    /// What its gallery shows.
    var gallery: GallerySection.Source {
        .init(url: url, sets: imageSets, ownMethod: surrogate?.method, neighbours: neighbours)
    }
}

extension GallerySection.Row {
    /// Bytes of the page that it takes.
    fileprivate var byteCount: Int {
        let pictures = strips.flatMap(\.pictures) + reals.map(\.picture)
        return pictures.map(\.byteCount).reduce(0, +)
    }
}
