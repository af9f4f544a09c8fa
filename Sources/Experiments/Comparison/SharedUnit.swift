import Foundation

/// Work that several cells need, done once, in a run folder of its own.
public struct SharedUnit: Sendable, Equatable {
    /// What is done.
    enum Work: Sendable, Equatable {
        /// Latents of the training images.
        case encode
        /// A diffusion model from scratch.
        case pretrain
        /// A model fine-tuned with the criteria.
        case finetune
        /// A network trained on all real images, in whose features images are chosen.
        case features
        /// Images drawn from the fine-tuned model.
        case sample
        /// The images of another method.
        case baseline(String)

        init(method: String) {
            self = method == Grid.ownMethod ? .sample : .baseline(method)
        }
    }

    /// What it is called, also as a folder: `finetune`, `random-50`, then what is varied.
    public let key: String
    let work: Work
    /// The settings that it depends on; all others have their defaults.
    let recipe: Recipe
    /// The units whose files it reads.
    let needs: [String]

    /// The folders of images inside the run folder, some of which only some methods make.
    var images: [String] {
        switch work {
        case .sample: ["surrogate"]
        case .baseline(let method): ["baselines/\(method)"]
        case .encode, .pretrain, .finetune, .features: []
        }
    }

    /// Whether a smaller set is chosen from the largest one.
    ///
    /// Images that are drawn one by one, independently of each other, may be: any part of them is a
    /// set as the method would have drawn it. Methods that choose or optimise a set as a whole get
    /// one for every number of images.
    static func isPartOfLargerSet(_ method: String, _ recipe: Recipe) -> Bool {
        switch method {
        case Grid.ownMethod, BaselineMethod.dit.rawValue: true
        case BaselineMethod.random.rawValue: recipe.coreset.random == .seed
        default: false
        }
    }
}

extension SharedUnit.Work {
    /// The settings that the work depends on, everything else as it is by default: two recipes that
    /// agree in them share the work.
    func settings(of recipe: Recipe, imagesPerClass: Int) -> Recipe {
        var own = Recipe()
        own.seed = recipe.seed
        own.data = recipe.data
        own.baselines = []
        func takeModel() {
            own.model = recipe.model
            if recipe.model.weights == "pretrain" { own.pretrain = recipe.pretrain }
        }
        func takeSampling() {
            own.sample = recipe.sample
            own.sample.imagesPerClass = imagesPerClass
        }
        switch self {
        case .encode:
            own.seed = 0
            own.model.autoencoder = recipe.model.autoencoder
            own.model.decoder = recipe.model.decoder
        case .pretrain:
            takeModel()
        case .finetune:
            takeModel()
            own.finetune = recipe.finetune
        case .features:
            own.coreset.network = recipe.coreset.network
            own.coreset.epochs = recipe.coreset.epochs
        case .sample:
            takeModel()
            own.finetune = recipe.finetune
            takeSampling()
        case .baseline(let name):
            switch BaselineMethod(rawValue: name) {
            case .random:
                own.coreset.random = recipe.coreset.random
                if own.coreset.random == .first { own.seed = 0 }
                own.sample.imagesPerClass = imagesPerClass
            case .kCenter, .herding:
                own.coreset = recipe.coreset
                // Nothing is drawn.
                if own.coreset.features != "train" { own.seed = 0 }
                own.coreset.random = CoresetSettings().random
                if name == BaselineMethod.herding.rawValue {
                    own.coreset.kCenterStart = CoresetSettings().kCenterStart
                }
                own.sample.imagesPerClass = imagesPerClass
            case .dit:
                takeModel()
                own.dit = recipe.dit
                if recipe.dit.finetunes { own.finetune = recipe.finetune }
                takeSampling()
            case .dm:
                own.dm = recipe.dm
                own.sample.imagesPerClass = imagesPerClass
            case .idc1, .idc:
                own.idc = recipe.idc
                if name == BaselineMethod.idc1.rawValue { own.idc.factor = Recipe().idc.factor }
                own.sample.imagesPerClass = imagesPerClass
            case .glad:
                own.glad = recipe.glad
                if recipe.glad.prior.isEmpty {
                    own.model.autoencoder = recipe.model.autoencoder
                    own.model.decoder = recipe.model.decoder
                }
                own.sample.imagesPerClass = imagesPerClass
            case nil:
                // A name that no method has is refused before any work.
                break
            }
            own.baselines = [name]
        }
        return own
    }

    /// The works whose files it reads.
    func needs(_ recipe: Recipe) -> [SharedUnit.Work] {
        let latents: [SharedUnit.Work] = recipe.model.autoencoder.isEmpty ? [] : [.encode]
        let model: [SharedUnit.Work] = recipe.model.weights == "pretrain" ? [.pretrain] : []
        switch self {
        case .encode, .features: return []
        case .pretrain: return latents
        case .finetune: return latents + model
        case .sample: return model + [.finetune]
        case .baseline(let name):
            switch BaselineMethod(rawValue: name) {
            case .random, .dm, .idc1, .idc, .glad: return []
            case .kCenter, .herding: return recipe.coreset.features == "train" ? [.features] : []
            case .dit: return (recipe.dit.finetunes ? latents : []) + model
            case nil: return []
            }
        }
    }

    func name(imagesPerClass: Int) -> String {
        switch self {
        case .encode: "encode"
        case .pretrain: "pretrain"
        case .finetune: "finetune"
        case .features: "features"
        case .sample: "\(Grid.ownMethod)-\(imagesPerClass)"
        case .baseline(let method): "\(method)-\(imagesPerClass)"
        }
    }
}

/// Units as they are found to be needed, each once.
struct UnitList {
    private let variation: Variation
    private(set) var units = [SharedUnit]()

    init(_ variation: Variation) { self.variation = variation }

    /// The unit of some work, added with all that it needs if it is new.
    mutating func add(
        _ work: SharedUnit.Work,
        of recipe: Recipe,
        imagesPerClass: Int
    ) throws -> SharedUnit {
        var settings = work.settings(of: recipe, imagesPerClass: imagesPerClass)
        let differing = try variation.differing(recipe) {
            work.settings(of: $0, imagesPerClass: imagesPerClass)
        }
        settings.name = work.name(imagesPerClass: imagesPerClass) + GridKey.suffix(differing)
        if let unit = units.first(where: { $0.key == settings.name }) { return unit }
        let needed = try work.needs(recipe).map {
            try add($0, of: recipe, imagesPerClass: imagesPerClass)
        }
        let unit = SharedUnit(
            key: settings.name,
            work: work,
            recipe: settings,
            needs: needed.map(\.key)
        )
        units.append(unit)
        return unit
    }
}
