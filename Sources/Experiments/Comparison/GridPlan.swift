import Evaluation
import Foundation

/// One measurement: networks of one kind, trained with one seed on the images of one method.
public struct GridCell: Sendable, Equatable {
    /// What it is called, also as a folder: `minimax_10_convnet-3_seed0`, then what is varied.
    public let key: String
    /// What makes the images.
    public let method: String
    /// Images of each class.
    public let imagesPerClass: Int
    /// The network that is trained.
    public let network: String
    /// The seed of the network.
    public let seed: Int
    /// The varied settings that differ from the recipe of the grid, by path; only those that the
    /// method depends on.
    public let variation: [String: String]
    /// The settings of the evaluation.
    package let recipe: Recipe
    /// The unit that makes the images.
    let unit: String
}

/// The cells of a grid, and the work that they share.
public struct GridPlan: Sendable {
    /// What is planned.
    public let grid: Grid
    /// The cells, in the order of the results.
    public let cells: [GridCell]
    /// Shared work, each unit after those that it needs.
    public let units: [SharedUnit]
    /// The varied settings with their values in the recipe of the grid.
    public let base: [String: String]

    /// Plans a grid.
    ///
    /// - Parameter grid: What is compared.
    /// - Throws: `RecipeError` if a varied setting does not exist or is one that the grid has a list
    ///   for.
    public init(_ grid: Grid) throws {
        self.grid = grid
        let paths = Set(grid.vary.joined().map(\.path))
        for path in paths { try GridPlan.requireVariable(path) }
        let variation = Variation(paths: paths, base: grid.recipe)
        let values = try variation.values(of: grid.recipe)
        base = values
        // A setting that does not exist is found here, with the nearest one that does.
        let variations = try GridPlan.variations(grid)
        if let group = paths.first(where: { values[$0] == nil }) {
            throw RecipeError(
                "vary.\(group): this is a group of settings: name one of them, such as "
                    + "\(group).NAME."
            )
        }

        var units = UnitList(variation)
        var cells = [GridCell]()
        var known = Set<String>()
        for recipe in variations {
            for method in grid.methods {
                for count in grid.imagesPerClass.sorted() {
                    let made =
                        SharedUnit.isPartOfLargerSet(method, recipe)
                        ? grid.imagesPerClass.max() ?? count : count
                    let work = SharedUnit.Work(method: method)
                    let unit = try units.add(work, of: recipe, imagesPerClass: made)
                    // What neither the method nor the measurement depends on is not varied for it.
                    let differing = try variation.differing(recipe) { recipe in
                        var settings = work.settings(of: recipe, imagesPerClass: made)
                        settings.evaluate = recipe.evaluate
                        return settings
                    }
                    for network in grid.networks {
                        for seed in grid.seeds {
                            let cell = try GridCell(
                                method: method,
                                imagesPerClass: count,
                                network: network,
                                seed: seed,
                                variation: differing,
                                evaluating: recipe,
                                epochs: grid.epochs[network]?.number(imagesPerClass: count),
                                batchSize: grid.batchSize[network],
                                madeBy: unit,
                                count: made
                            )
                            if known.insert(cell.key).inserted { cells.append(cell) }
                        }
                    }
                }
            }
        }
        self.cells = cells
        self.units = units.units
    }

    /// The unit with a key.
    func unit(_ key: String) -> SharedUnit? { units.first { $0.key == key } }

    /// The recipes of the grid: without `vary` its own, otherwise one for each combination.
    private static func variations(_ grid: Grid) throws -> [Recipe] {
        guard !grid.vary.isEmpty else { return [grid.recipe] }
        return try grid.vary.flatMap { group in
            var combinations = [[String]()]
            for option in group {
                combinations = combinations.flatMap { chosen in
                    option.values.map { chosen + ["\(option.path)=\($0)"] }
                }
            }
            return try combinations.map {
                try grid.recipe.changed(name: "vary", overrides: $0, option: "vary.")
            }
        }
    }

    /// Makes sure that a setting can be varied.
    private static func requireVariable(_ path: String) throws(RecipeError) {
        let place = "vary.\(path)"
        try requireFree(path, at: place)
        if path.hasPrefix("data.") {
            throw RecipeError(
                "\(place): results are only comparable on the same data; make a grid of its own."
            )
        }
    }

    /// Makes sure that a setting of the recipe means something in a grid: what the grid lists itself
    /// can be neither set nor varied as a setting.
    ///
    /// - Parameters:
    ///   - path: The setting.
    ///   - place: Where it is set, for messages.
    /// - Throws: `RecipeError` that names the key of the grid.
    static func requireFree(_ path: String, at place: String) throws(RecipeError) {
        let lists = [
            "evaluate.networks": "networks", "evaluate.seeds": "seeds",
            "sample.imagesPerClass": "imagesPerClass", "evaluate.imagesPerClass": "imagesPerClass",
            "baselines": "methods",
        ]
        if let list = lists[path] {
            throw RecipeError("\(place): list the values under \(list) of the grid instead.")
        }
        if path == "evaluate.floatImages" {
            throw RecipeError(
                "\(place): a cell has one result, that of the stored images; `distill run` tests "
                    + "both."
            )
        }
        if path == "name" {
            throw RecipeError(
                "\(place): a comparison is called by name of the grid; --output names its folder."
            )
        }
    }
}

extension GridCell {
    fileprivate init(
        method: String,
        imagesPerClass: Int,
        network: String,
        seed: Int,
        variation: [String: String],
        evaluating recipe: Recipe,
        epochs: Int?,
        batchSize: Int?,
        madeBy unit: SharedUnit,
        count: Int
    ) throws {
        key = "\(method)_\(imagesPerClass)_\(network)_seed\(seed)" + GridKey.suffix(variation)
        self.method = method
        self.imagesPerClass = imagesPerClass
        self.network = network
        self.seed = seed
        self.variation = variation
        self.unit = unit.key
        var own = unit.recipe
        own.name = key
        own.sample.imagesPerClass = count
        own.baselines = method == Grid.ownMethod ? [] : [method]
        own.evaluate = recipe.evaluate
        own.evaluate.networks = [network]
        if let epochs { own.evaluate.epochs = epochs }
        if let batchSize {
            let usual = try EvaluationProtocol.named(recipe.evaluate.evaluationProtocol)
            own.evaluate.evaluationProtocol = usual.withBatches(of: batchSize).id
        }
        own.evaluate.seeds = [seed]
        own.evaluate.imagesPerClass = [imagesPerClass]
        // A cell has one result.
        own.evaluate.floatImages = false
        self.recipe = own
    }
}

/// The settings that a grid varies.
struct Variation {
    let paths: Set<String>
    let base: Recipe

    /// The varied settings of a recipe, by path.
    func values(of recipe: Recipe) throws -> [String: String] {
        RunFolder.leaves(try recipe.yaml()).filter { paths.contains($0.key) }
            .mapValues(Variation.plain)
    }

    /// The varied settings that differ from those of the grid's recipe and are not left out.
    func differing(
        _ recipe: Recipe,
        in settings: (Recipe) -> Recipe
    ) throws -> [String: String] {
        let usual = try values(of: settings(base))
        return try values(of: settings(recipe)).filter { $0.value != usual[$0.key] }
    }

    /// The encoder of YAML writes 2.0 as 2e+0.
    private static func plain(_ text: String) -> String {
        guard let number = Double(text), number.isFinite else { return text }
        return number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
    }
}

/// Names of cells and units, which are names of folders and words of a shell.
enum GridKey {
    /// `_sample.guidance=2.0` for every varied setting.
    static func suffix(_ variation: [String: String]) -> String {
        variation.sorted { $0.key < $1.key }.map { "_\($0.key)=\(word($0.value))" }.joined()
    }

    /// A value with nothing that a shell or a file system reads in its own way; values that lose
    /// something by that are told apart by a number.
    private static func word(_ value: String) -> String {
        let kept = value.map { character in
            character.isASCII
                && (character.isLetter || character.isNumber || "+-.".contains(character))
                ? character : "-"
        }
        guard String(kept) != value || value.count > 40 else { return value }
        // FNV-1a: the same on every machine and in every version.
        let hash = value.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return String(kept.suffix(24)) + String(format: "-%08x", hash)
    }
}
