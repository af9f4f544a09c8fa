import Datasets
import Foundation
import Models
import Torch

extension Pipeline {
    /// Whether the model is trained in this run.
    var pretrainsHere: Bool { recipe.model.weights == "pretrain" }

    /// The pre-trained model, checked against the data before any work starts.
    package func pretrainedModel() throws -> ModelFile {
        let path = try weightsFile().path
        let file = try ModelFile(contentsOf: URL(fileURLWithPath: path))
        let data = try data()
        do {
            try file.description.autoencoder.requireFit(
                file.description.architecture,
                height: data.height,
                width: data.width,
                channels: data.channels
            )
        } catch {
            throw RunError(
                .invalidSettings,
                "\(path) does not fit the images of \(recipe.data.train.path): \(error.message) "
                    + "The settings are data.size, data.channels and model.weights."
            )
        }
        switch recipe.model.labelTable {
        case .keep: return file
        case .rebuild: return try file.withNewLabels(for: data.classNames, seed: seed)
        }
    }

    /// The file of the pre-trained model, which is there.
    func weightsFile() throws -> URL {
        let path =
            pretrainsHere
            ? folder.path("checkpoints/pretrained.safetensors").path
            : InstalledFiles.url(recipe.model.weights).path
        guard !recipe.model.weights.isEmpty, FileManager.default.fileExists(atPath: path) else {
            guard !pretrainsHere else {
                throw RunError(
                    .missingFile,
                    "The model of this run is not trained yet: `distill pretrain` or `distill run` "
                        + "with the same recipe and --output does that."
                )
            }
            throw RunError(
                .missingFile,
                recipe.model.weights.isEmpty
                    ? "model.weights is empty: name a model, or train one with `distill pretrain`."
                    : "model.weights: there is no file \"\(recipe.model.weights)\". "
                        + (Manifest.remedy(for: recipe.model.weights).map { "Get it with: \($0)" }
                            ?? "Train a model with `distill pretrain`, or name one.")
            )
        }
        return URL(fileURLWithPath: path)
    }

    /// The model's label of each class of the training set, matched by name.
    package func networkLabels(_ model: ModelFile.Description) throws -> [Int] {
        let names = try data().classNames
        let place = Dictionary(
            model.classNames.enumerated().map { ($1, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let missing = names.filter { place[$0] == nil }
        guard missing.isEmpty else {
            throw RunError(
                .invalidSettings,
                "The model knows no class \(Pipeline.some(missing)). Its \(model.classNames.count) "
                    + "classes are \(Pipeline.some(model.classNames)). Rename the folders, or give "
                    + "the model a new table of labels: --set model.labelTable=rebuild."
            )
        }
        return names.map { place[$0] ?? 0 }
    }

    /// Up to ten names.
    private static func some(_ names: [String]) -> String {
        names.prefix(10).joined(separator: ", ")
            + (names.count > 10 ? " and \(names.count - 10) more" : "")
    }
}

/// Classes that are fine-tuned together, from the pre-trained model on.
struct Phase {
    /// Position among the phases, from 0.
    let number: Int
    /// Number of phases.
    let count: Int
    /// The classes, positions in the dataset's list.
    let labels: [Int]

    /// The file of the fine-tuned weights, and of the state to resume from, in the run folder.
    ///
    /// A phase of several holds the trained weights only: the others are those of the pre-trained
    /// model, which would otherwise be stored once for each phase.
    func file(_ name: String) -> String {
        count == 1
            ? "checkpoints/\(name).safetensors"
            : String(format: "checkpoints/phase-%02d/%@.safetensors", number, name)
    }

    /// Whether it is the only one.
    var isWhole: Bool { count == 1 }
}

extension Pipeline {
    /// The phases of the fine-tuning, in the order of the list of classes.
    func phases() throws -> [Phase] {
        let order = try data().classOrder
        let size = recipe.finetune.classesPerPhase
        guard size >= 0 else {
            throw RunError(
                .invalidSettings,
                "finetune.classesPerPhase is \(size): expected a number of classes, or 0."
            )
        }
        guard size > 0, size < order.count else {
            return [Phase(number: 0, count: 1, labels: order)]
        }
        let count = (order.count + size - 1) / size
        return (0..<count).map {
            let labels = order[$0 * size..<min(($0 + 1) * size, order.count)]
            return Phase(number: $0, count: count, labels: Array(labels))
        }
    }

    /// The fine-tuned model of a phase.
    func finetunedModel(_ phase: Phase, _ kind: Finetuning = .minimax) throws -> ModelFile {
        let file = try ModelFile(contentsOf: folder.path(phase.file(kind.result)))
        return phase.isWhole ? file : file.completed(by: try pretrainedModel())
    }
}
