import Foundation

/// Which images of a run the gallery shows, so that the page stays small.
struct GalleryPlan {
    /// The sets in the order of the page.
    let sets: [ImageSet]
    /// The shown classes, by their folders.
    private(set) var classes: [String]
    /// Number of classes there are.
    let classCount: Int
    /// The most images of a set in a class.
    private(set) var count = maximumCount
    /// The shorter side, in pixels, to which larger images are scaled; nil: none is.
    private(set) var side: Int?

    /// More images of a class are hard to compare.
    static let maximumCount = 10

    /// Chooses the most and largest images that are likely to fit.
    ///
    /// As they are where that is possible; else photographs become JPEG files, first of 256 pixels
    /// and at least five of each class, then of 128; then there are fewer, then fewer classes.
    ///
    /// - Parameters:
    ///   - sets: All images.
    ///   - byteLimit: What they may take in the page.
    ///   - withNeighbours: Whether a real image stands behind each that is none.
    init(_ sets: [ImageSet], byteLimit: Int, withNeighbours: Bool) {
        self.sets = sets
        classes = Set(sets.flatMap(\.classes.keys)).sorted()
        classCount = classes.count
        let sizes = classes.map { name in
            sets.map { set in
                let factor = withNeighbours && !Method(set.method).isReal ? 2 : 1
                return (set.classes[name] ?? []).prefix(Self.maximumCount).map {
                    FileSize($0, factor: factor)
                }
            }
        }
        func classSizes() -> [Int] {
            sizes.map { sets in
                sets.flatMap { $0.prefix(count) }.map { $0.bytes(side) }.reduce(0, +)
            }
        }
        let levels: [(side: Int?, counts: ClosedRange<Int>)] = [
            (nil, Self.maximumCount...Self.maximumCount), (256, 5...Self.maximumCount),
            (128, 1...Self.maximumCount),
        ]
        for level in levels {
            for count in level.counts.reversed() {
                (side, self.count) = (level.side, count)
                if classSizes().reduce(0, +) <= byteLimit { return }
            }
        }
        var total = 0
        let fitting = classSizes().prefix { size in
            total += size
            return total <= byteLimit
        }
        classes = Array(classes.prefix(max(fitting.count, 1)))
    }

    /// The shown images of a set in a class.
    func files(of set: ImageSet, inClass name: String) -> [URL] {
        Array((set.classes[name] ?? []).prefix(count))
    }

    /// What an image takes in the page, before it is read.
    private struct FileSize {
        private let bytes: Int
        private let size: ImageSize?
        private let factor: Int

        init(_ file: URL, factor: Int) {
            bytes = (try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize) ?? 0
            size = ImageSize(ofFile: file)
            self.factor = factor
        }

        func bytes(_ side: Int?) -> Int {
            var count = bytes
            if let side, let size, GalleryPicture.isScaled(size, to: side) {
                // Photographs of this quality have about 0.3 bytes a pixel.
                let pixels = Double(size.width) * Double(size.height)
                let scale = min(1, Double(side) / Double(min(size.width, size.height)))
                count = Int(0.4 * pixels * scale * scale)
            }
            // Base64, the element around it, and what is said of the image.
            return (count * 4 / 3 + 500) * factor
        }
    }
}
