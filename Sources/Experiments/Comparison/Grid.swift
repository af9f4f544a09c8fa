import Foundation
import Models

/// What is compared: methods × images per class × networks × seeds, and any option of the recipe.
///
/// A grid is written as YAML; ``Grid/read(_:overrides:)`` decodes it strictly.
public struct Grid: Sendable, Equatable {
    /// An option of the recipe and the values it takes.
    public struct VariedOption: Sendable, Equatable {
        /// The path of the setting, for example `sample.guidance`.
        public var path: String
        /// The values, as YAML.
        public var values: [String]
    }

    /// The figure that shows real and distilled images as points in a plane.
    public struct Distribution: Codable, Sendable, Equatable {
        /// What images are compared by: `none` for no figure, `pixels` or `pixels-SIZE`,
        /// `efficientnet-lite0`, or the file of a trained network.
        public var features = "pixels"
        /// Images of every class of each method; 0 for the largest number of the grid, or as many as
        /// make 8,000 images of all methods with the real ones.
        public var imagesPerClass = 0
        /// Real images, of all classes together.
        public var realImages = 1000
        /// Neighbours that t-SNE has each image keep.
        public var perplexity = 30.0
        /// Real images among which the nearest one of a distilled image is looked for, of all
        /// classes together.
        public var neighbourCandidates = 20_000

        /// The defaults.
        public init() {}
    }

    /// Epochs of the trainings of one network.
    public enum Epochs: Sendable, Equatable {
        /// The same for every number of images.
        case always(Int)
        /// By images per class, since fewer images are seen more often for the same number of
        /// steps; for a number that is not here those of the recipe.
        case byImagesPerClass([Int: Int])

        /// Those for a number of images per class; nil for those of the recipe.
        func number(imagesPerClass: Int) -> Int? {
            switch self {
            case .always(let number): number
            case .byImagesPerClass(let numbers): numbers[imagesPerClass]
            }
        }
    }

    /// Name of the folder of the comparison.
    public var name = "comparison"
    /// What all cells have in common: the data, the model, every setting that is not varied.
    public var recipe = Recipe()
    /// The methods: `minimax` and those of `distill baseline`.
    public var methods = ["random", "dit", "minimax"]
    /// The numbers of images of each class.
    public var imagesPerClass = [10]
    /// The networks that are trained on them.
    public var networks = ["convnet-3"]
    /// Epochs of some of the networks, instead of the recipe's `evaluate.epochs`: large networks
    /// take much longer for one, and need fewer.
    public var epochs: [String: Epochs] = [:]
    /// Images a step for some of the networks, instead of the protocol's: in smaller batches a
    /// small set gives more steps for the same arithmetic.
    public var batchSize: [String: Int] = [:]
    /// The seeds of these networks: one training for each.
    public var seeds = [0, 1, 2]
    /// Options of the recipe that are varied.
    ///
    /// Those of one group are combined with each other, and the groups stand beside each other.
    public var vary: [[VariedOption]] = []
    /// The figure of the distribution.
    public var distribution = Distribution()

    /// The defaults.
    public init() {}

    /// The method that a recipe is about, beside its baselines.
    static let ownMethod = "minimax"

    /// Everything that can be compared.
    private static let knownMethods = [ownMethod] + BaselineMethod.allCases.map(\.rawValue)

    /// Makes sure that the lists make sense.
    func validate() throws(RecipeError) {
        func require(_ isValid: Bool, _ message: String) throws(RecipeError) {
            if !isValid { throw RecipeError(message) }
        }
        try FolderName.require(name)
        try require(
            !methods.isEmpty && Set(methods).count == methods.count,
            "methods is \(methods): expected one or more different methods."
        )
        let unknown = methods.filter { !Grid.knownMethods.contains($0) }
        try require(
            unknown.isEmpty,
            "methods: \(unknown.joined(separator: ", ")) cannot be compared: expected some of "
                + Grid.knownMethods.joined(separator: ", ") + "."
        )
        try require(
            !imagesPerClass.isEmpty && imagesPerClass.allSatisfy { $0 > 0 }
                && Set(imagesPerClass).count == imagesPerClass.count,
            "imagesPerClass is \(imagesPerClass): expected different numbers from 1."
        )
        try require(
            !networks.isEmpty && Set(networks).count == networks.count,
            "networks is \(networks): expected one or more different networks."
        )
        for network in networks {
            do { _ = try NetworkName(network) } catch { throw RecipeError("networks: \(error)") }
        }
        for (key, named) in [("epochs", Array(epochs.keys)), ("batchSize", Array(batchSize.keys))] {
            for network in named where !networks.contains(network) {
                throw RecipeError(
                    "\(key): \(network) is not among the networks "
                        + "\(networks.joined(separator: ", "))."
                )
            }
        }
        for (network, size) in batchSize {
            try require(size > 0, "batchSize: \(network): \(size): expected a number from 1.")
        }
        for (network, epochs) in epochs {
            let numbers: [Int]
            switch epochs {
            case .always(let number): numbers = [number]
            case .byImagesPerClass(let found):
                numbers = Array(found.values)
                for count in found.keys where !imagesPerClass.contains(count) {
                    throw RecipeError(
                        "epochs: \(network): \(count) is not among imagesPerClass \(imagesPerClass)."
                    )
                }
            }
            for number in numbers {
                try require(number > 0, "epochs: \(network): \(number): expected a number from 1.")
            }
        }
        try require(
            epochs.isEmpty || !vary.joined().contains { $0.path == "evaluate.epochs" },
            "epochs: evaluate.epochs is varied; only one of the two can set them."
        )
        try require(
            !seeds.isEmpty && seeds.allSatisfy { $0 >= 0 } && Set(seeds).count == seeds.count,
            "seeds is \(seeds): expected different numbers from 0."
        )
        try require(
            distribution.imagesPerClass >= 0 && distribution.realImages > 0
                && distribution.neighbourCandidates > 0
                && distribution.perplexity > 1,
            "distribution: expected imagesPerClass from 0, realImages from 1 and a perplexity above 1."
        )
    }
}
