import Checkpoints
import Datasets
import Distillation
import Foundation
import Images
import Torch
import Training

/// The images of a method as they were optimised, `images.safetensors` beside the PNG files, which
/// have 256 levels only.
enum FloatImages {
    static let fileName = "images.safetensors"
    private static let classesKey = "distill.classes"

    /// Writes images with their labels and the names of the classes.
    static func save(_ images: SyntheticImages, classNames: [String], in folder: URL) throws {
        let state = StateDictionary([
            ("images", images.images), ("labels", Tensor(images.labels)),
        ])
        let names = String(decoding: try JSONEncoder().encode(classNames), as: UTF8.self)
        try Safetensors.save(
            state,
            metadata: [classesKey: names],
            to: folder.appendingPathComponent(fileName)
        )
    }

    /// The hash of the values, and of which of them are taken.
    static func fingerprint(_ folder: URL, _ files: any LabelledImages) throws -> String {
        var hash = SHA256()
        hash.add(
            try Data(contentsOf: folder.appendingPathComponent(fileName), options: .alwaysMapped)
        )
        for index in 0..<files.count { hash.add(Data(files.identifier(at: index).utf8)) }
        return hash.hexadecimalDigest
    }

    /// Reads the images of a folder of PNG files, in the order of a list of these.
    ///
    /// - Parameters:
    ///   - folder: The folder of the surrogate.
    ///   - files: Its PNG files, `<class>/<k>.png`.
    /// - Returns: The same images with their float values.
    /// - Throws: `RunError` if the file is damaged or has other images.
    static func load(_ folder: URL, inOrderOf files: any LabelledImages) throws -> ImageSet {
        let url = folder.appendingPathComponent(fileName)
        let file = try SafetensorsFile(contentsOf: url)
        let state = file.state()
        guard let images = state["images"], let labels = state["labels"],
            let text = file.metadata[classesKey],
            let names = try? JSONDecoder().decode([String].self, from: Data(text.utf8)),
            names == files.classNames
        else {
            throw RunError(.unusable, "\(url.path) does not hold the images of its folder.")
        }
        // Row of the first image of every class.
        var first = [Int: Int]()
        for (row, label) in labels.values(as: Int.self).enumerated() where first[label] == nil {
            first[label] = row
        }
        let rows = (0..<files.count).compactMap { index -> Int? in
            let name = URL(fileURLWithPath: files.identifier(at: index)).deletingPathExtension()
            return Int(name.lastPathComponent).flatMap { number in
                first[files.label(at: index)].map { $0 + number }
            }
        }
        guard rows.count == files.count, rows.allSatisfy((0..<images.size(along: 0)).contains)
        else {
            throw RunError(.unusable, "\(url.path) has other images than the PNG files beside it.")
        }
        return try ImageSet(
            images: images.gathered(rows),
            labels: (0..<files.count).map(files.label(at:)),
            classNames: names
        )
    }
}
