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

    /// Nothing when no images are there yet.
    ///
    /// - Throws: ``ReportError`` naming an image that cannot be read.
    init?(_ run: RunFolder, byteLimit: Int = byteLimit) throws {
        let sets = run.imageSets
        guard !sets.isEmpty else { return nil }
        let plan = GalleryPlan(
            sets,
            byteLimit: byteLimit,
            withNeighbours: run.neighbours != nil
        )
        let sources = try sets.map { try $0.sources() }
            .reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        rows = []
        var remaining = byteLimit
        for name in plan.classes {
            let row = try Self.row(name, number: rows.count, plan, run, sources)
            remaining -= row.byteCount
            // The plan only guesses how large scaled images are.
            if remaining < 0, !rows.isEmpty { break }
            rows.append(row)
        }
        note = Self.note(plan, classCount: rows.count)
        hint = "Choose an image to enlarge it."
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
        _ run: RunFolder,
        _ sources: [String: String]
    ) throws -> Row {
        let name = Names.className(folder)
        var row = Row(name: name, strips: [], reals: [])
        /// The element of a real image: several images may have the same neighbour.
        var elements: [String: String] = [:]
        func element(_ neighbour: NeighbourFile.Neighbour) throws -> String {
            if let known = elements[neighbour.picture] { return known }
            let file = run.url.appending(path: neighbour.picture)
            guard RunFile(url: file).exists else { return "" }
            let id = "real-\(number + 1)-\(row.reals.count + 1)"
            let alt = "Training image \(neighbour.real)"
            row.reals.append(
                Real(
                    id: id,
                    picture: try GalleryPicture(
                        file,
                        path: neighbour.picture,
                        alt: alt,
                        side: plan.side
                    )
                )
            )
            elements[neighbour.picture] = id
            return id
        }
        for set in plan.sets {
            let method = Method(set.method)
            let pictures = try plan.files(of: set, inClass: folder).enumerated().map {
                let path = set.path(of: $1, inClass: folder)
                var picture = try GalleryPicture(
                    $1,
                    path: path,
                    alt: "\(name) \($0 + 1), \(method.longName)",
                    side: plan.side
                )
                if method.isReal {
                    picture.note =
                        "This is \(sources[path].map { "the training image \($0)" } ?? "a training image")."
                } else {
                    picture.origin = sources[path].map { "It began as \($0)." } ?? ""
                    if let neighbour = run.neighbours?.images[path] {
                        picture.note = neighbour.words
                        picture.real = try element(neighbour)
                    }
                }
                return picture
            }
            row.strips.append(
                Strip(
                    method: method.longName,
                    isOwn: set.method == run.surrogate?.method,
                    pictures: pictures,
                    isEmpty: pictures.isEmpty
                )
            )
        }
        return row
    }

    /// What is shown, and what is left out.
    private static func note(_ plan: GalleryPlan, classCount: Int) -> String {
        let most = plan.sets.flatMap(\.classes.values).map(\.count).max() ?? 0
        var parts = ["One class after the other, the images of every method side by side."]
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
                so that the page stays small; all images are in the run folder.
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

extension GallerySection.Row {
    /// Bytes of the page that it takes.
    fileprivate var byteCount: Int {
        let pictures = strips.flatMap(\.pictures) + reals.map(\.picture)
        return pictures.map(\.byteCount).reduce(0, +)
    }
}
