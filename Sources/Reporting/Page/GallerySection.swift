import Foundation

/// Images by class, the real ones beside those of each method.
struct GallerySection {
    /// One image, in the page itself.
    struct Picture {
        /// `png` or `jpeg`.
        var kind: String
        var base64: String
        var width: Int
        var height: Int
        var alt: String
        /// Small images are enlarged without smoothing, so that their pixels can be seen.
        var isSmall: Bool
    }

    /// The images of one method in one class.
    struct Strip {
        var method: String
        var isOwn: Bool
        var pictures: [Picture]
        var isEmpty: Bool
    }

    struct Row {
        var name: String
        var strips: [Strip]
    }

    var rows: [Row]
    var note: String

    /// Nothing when no images are there yet.
    ///
    /// - Throws: ``ReportError`` naming an image that is no PNG file.
    init?(_ run: RunFolder, byteLimit: Int = 12_000_000) throws {
        let sets = run.imageSets
        guard !sets.isEmpty else { return nil }
        let allClasses = Set(sets.flatMap(\.classes.keys)).sorted()
        let (count, classCount) = Self.fitting(sets, allClasses, byteLimit: byteLimit)
        let own = run.surrogate?.method
        rows = try allClasses.prefix(classCount).map { folder in
            let name = Names.className(folder)
            return Row(
                name: name,
                strips: try sets.map { set in
                    let files = (set.classes[folder] ?? []).prefix(count)
                    let method = Method(set.method).longName
                    return Strip(
                        method: method,
                        isOwn: set.method == own,
                        pictures: try files.enumerated().map { index, file in
                            try Self.picture(file, alt: "\(name) \(index + 1), \(method)")
                        },
                        isEmpty: files.isEmpty
                    )
                }
            )
        }

        let most = sets.flatMap(\.classes.values).map(\.count).max() ?? 0
        var parts = ["One class after the other, the images of every method side by side."]
        if most > count {
            parts.append("The first \(count) of up to \(Words.count(most)) images are shown.")
        }
        if classCount < allClasses.count {
            parts.append(
                """
                The first \(classCount) of \(Words.count(allClasses.count)) classes are shown, \
                so that the page stays small; all images are in the run folder.
                """
            )
        }
        note = parts.joined(separator: " ")
    }

    /// The most images per strip (at most 10), then the most classes, that fit into the page.
    private static func fitting(_ sets: [ImageSet], _ classes: [String], byteLimit: Int)
        -> (images: Int, classes: Int)
    {
        func size(_ file: URL) -> Int {
            let bytes = (try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0
            return bytes * 4 / 3 + 200
        }
        var classSizes: [Int] = []
        for count in (1...10).reversed() {
            classSizes = classes.map { name in
                sets.flatMap { ($0.classes[name] ?? []).prefix(count) }.map(size).reduce(0, +)
            }
            if classSizes.reduce(0, +) <= byteLimit { return (count, classes.count) }
        }
        var total = 0
        let fitting = classSizes.prefix { size in
            total += size
            return total <= byteLimit
        }
        return (1, max(fitting.count, 1))
    }

    private static func picture(_ file: URL, alt: String) throws -> Picture {
        let data = try RunFile(url: file).data()
        guard let size = ImageSize(of: data) else {
            throw ReportError.malformed(
                file.path(percentEncoded: false),
                "this is neither a PNG nor a JPEG image",
                remedy: "Remove it, or sample the images again."
            )
        }
        return Picture(
            kind: size.kind,
            base64: data.base64EncodedString(),
            width: size.width,
            height: size.height,
            alt: alt,
            isSmall: size.width <= 64
        )
    }
}
