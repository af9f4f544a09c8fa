import Datasets
import Foundation

extension DataSource {
    /// Opens the images; nothing is decoded yet.
    ///
    /// - Parameters:
    ///   - role: The setting's name, for messages: `data.train`.
    ///   - classes: The classes to use, in the order of the labels; nil for all.
    /// - Returns: The images.
    /// - Throws: `RunError` if the folder is missing, `DatasetError` if it is not what it should be.
    func open(role: String, classes: [String]? = nil) throws -> any LabelledImages {
        guard !path.isEmpty else {
            throw RunError(
                .invalidSettings,
                "\(role).path is empty: name the folder of the images."
            )
        }
        let folder = URL(
            fileURLWithPath: (path as NSString).expandingTildeInPath,
            isDirectory: true
        )
        guard FileManager.default.fileExists(atPath: folder.path) else {
            throw RunError(
                .missingFile,
                "\(role).path: there is no \(folder.path). " + remedy(role: role)
            )
        }
        switch format {
        case .folder:
            try DataSource.refuseFolderOfSplits(folder)
            return try ImageFolder(folder, classes: classes)
        case .fastai: return try FastAIDataset(folder, split: split, classes: classes)
        case .idx: return try IDXDataset(folder: folder, split: split).restricted(to: classes)
        case .cifar: return try CIFARDataset(folder: folder, split: split).restricted(to: classes)
        case .tarShards: return try TarShards(folder: folder).restricted(to: classes)
        }
    }

    /// The format of a folder, told by the names in it; `fastai` has to be named.
    static func format(of folder: URL) -> Format {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        if names.contains(where: { $0.contains("idx3-ubyte") }) { return .idx }
        let cifar = ["data_batch_1.bin", "test_batch.bin", "train.bin", "test.bin"]
        if names.contains(where: cifar.contains) { return .cifar }
        if names.contains(where: { $0.hasSuffix(".tar") }) { return .tarShards }
        return .folder
    }

    /// A folder whose "classes" are parts of a dataset would give a model of two classes, without
    /// any error.
    private static func refuseFolderOfSplits(_ folder: URL) throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let visible = names.filter { !$0.hasPrefix(".") }
        let splits: Set = ["train", "val", "valid", "validation", "test"]
        let found = visible.filter(splits.contains).sorted()
        guard found.count > 1, found.count == visible.count else { return }
        throw RunError(
            .invalidSettings,
            "\(folder.path) holds \(found.joined(separator: " and ")), which are parts of a "
                + "dataset and no classes. Name one of them, or use the format fastai for ImageWoof "
                + "and ImageNette of fastai: data.train.format in a recipe, FOLDER#fastai elsewhere."
        )
    }

    private func remedy(role: String) -> String {
        let folder = (path as NSString).expandingTildeInPath
        if let line = Manifest.remedy(for: folder) { return "Get it with: \(line)" }
        let other = "name the folder of your copy: --set \(role).path=FOLDER."
        guard folder.hasSuffix("fashion-mnist") else {
            return other.prefix(1).uppercased() + other.dropFirst()
        }
        return "Install Debian's package dataset-fashion-mnist, or get the files with: distill "
            + "fetch fashion-mnist, and \(other)"
    }
}

extension LabelledImages {
    /// Only some classes; everything where no list is given.
    fileprivate func restricted(to classes: [String]?) throws -> any LabelledImages {
        guard let classes else { return self }
        return try selecting(classes: classes)
    }
}

extension ClassList {
    /// A list that comes with the command, or a file.
    ///
    /// - Parameter name: `imagewoof`, or the path of a file of that form.
    /// - Returns: The list.
    /// - Throws: `RunError` that names the lists there are, `DatasetError` for a malformed file.
    static func named(_ name: String) throws -> ClassList {
        let installed = InstalledFiles.url("Resources/classes/\(name).tsv")
        for url in [installed, InstalledFiles.url(name)]
        where FileManager.default.fileExists(atPath: url.path) {
            return try ClassList(contentsOf: url)
        }
        let folder = InstalledFiles.url("Resources/classes")
        let known = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
            .filter { $0.hasSuffix(".tsv") }.map { String($0.dropLast(4)) }.sorted()
        throw RunError(
            .missingFile,
            "data.classes: there is no list of classes \"\(name)\". Those that come with the "
                + "command: \(known.joined(separator: ", ")). Or name a file with the columns "
                + "wnid, label and name, separated by tabs."
        )
    }
}
