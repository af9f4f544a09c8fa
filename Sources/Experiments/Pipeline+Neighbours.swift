import Foundation
import Images

/// `neighbours.json`: for images of a run the most similar real image of their class.
package struct NeighbourRecord: Codable, Equatable {
    /// The real image beside one of the run's.
    package struct Neighbour: Codable, Equatable {
        /// What the training set calls it.
        package let real: String
        /// Mean of the squared differences of all values, which lie between 0 and 1.
        package let meanSquaredDistance: Double
        /// The file in the run folder that shows it, as the run saw it.
        package let picture: String
    }

    /// What was compared.
    package let features: String
    /// The fingerprint of the training set.
    package let train: String
    /// The neighbours by the images' files in the run folder.
    package var images: [String: Neighbour]
}

extension Pipeline {
    /// The file of the neighbours in a run folder.
    package static let neighboursFile = "neighbours.json"

    /// Finds, for images of the run, the real training images of the same class that are most
    /// similar to them, and keeps them with their pictures for the report.
    ///
    /// What is known from before is not computed again. The neighbours are an addition to the
    /// results: where the real images are not at hand any more, a warning says so.
    ///
    /// - Parameter images: Files in the run folder, `surrogate/<class>/<k>.png`.
    /// - Throws: `InterruptedError`; the classes that are done are kept.
    public func findNeighbours(of images: [String]) throws {
        do {
            try updateNeighbours(of: images)
        } catch let error as InterruptedError {
            throw error
        } catch {
            observer.warn("neighbours: the report will show no similar real images: \(error)")
        }
    }

    private func updateNeighbours(of images: [String]) throws {
        let old = try folder.read(json: Pipeline.neighboursFile, as: NeighbourRecord.self)
        let known = old?.images.filter { folder.has($0.value.picture) } ?? [:]
        guard images.contains(where: { known[$0] == nil }) else { return }
        let data = try data()
        let search = RealNeighbours(
            of: data.source,
            preparedBy: data.settings,
            size: data.height,
            channels: data.channels
        )
        var record = NeighbourRecord(
            features: search.extractor.name,
            train: data.trainFingerprint,
            images: known
        )
        // Neighbours among other images are none.
        if old?.features != record.features || old?.train != record.train { record.images = [:] }
        let wanted = Dictionary(grouping: images.filter { record.images[$0] == nil }) {
            URL(fileURLWithPath: $0).deletingLastPathComponent().lastPathComponent
        }
        let members = data.source.indicesByClass()
        for (label, name) in data.classNames.enumerated() {
            let own = wanted[name] ?? []
            let neighbours = try search.nearest(
                to: own.map { try Image(contentsOf: folder.path($0)) },
                among: members[label],
                isInterrupted: environment.isInterrupted
            )
            for (image, neighbour) in zip(own, neighbours) {
                record.images[image] = .init(
                    real: data.source.identifier(at: neighbour.place),
                    meanSquaredDistance: neighbour.meanSquaredDistance,
                    picture: try write(neighbour, ofClass: name)
                )
            }
            if !neighbours.isEmpty { try folder.write(json: record, to: Pipeline.neighboursFile) }
            observer.progress(
                stage: "neighbours",
                done: label + 1,
                total: members.count,
                unit: "classes",
                detail: ""
            )
            try checkInterruption()
        }
    }

    /// Writes the picture of a real image, photographs as JPEG, and returns its path.
    private func write(_ real: RealNeighbours.Neighbour, ofClass name: String) throws -> String {
        let picture = real.picture
        let isSmall = max(picture.width, picture.height) <= 64
        let path = "neighbours/\(name)/\(real.place).\(isSmall ? "png" : "jpg")"
        try folder.makeFolder(of: path)
        try folder.write(isSmall ? picture.pngData() : picture.jpegData(quality: 90), to: path)
        return path
    }
}
