extension Recipe {
    /// Makes sure that numbers lie where the work is possible, before any of it begins.
    ///
    /// Methods check what is theirs alone; here stands what would stop a run in the middle.
    func validate() throws(RecipeError) {
        if seed < 0 { throw RecipeError("seed: \(seed) is negative") }
        let positive: KeyValuePairs = [
            "pretrain.patchSize": pretrain.patchSize,
            "pretrain.hiddenSize": pretrain.hiddenSize,
            "pretrain.depth": pretrain.depth,
            "pretrain.heads": pretrain.heads,
            "pretrain.training.batchSize": pretrain.training.batchSize,
            "pretrain.checkpointEvery": pretrain.checkpointEvery,
            "pretrain.logEvery": pretrain.logEvery,
            "finetune.minimax.batchSize": finetune.minimax.batchSize,
            "finetune.minimax.memorySize": finetune.minimax.memorySize,
            "finetune.checkpointEvery": finetune.checkpointEvery,
            "finetune.logEvery": finetune.logEvery,
            "sample.steps": sample.steps,
            "sample.batchSize": sample.batchSize,
            "coreset.epochs": coreset.epochs,
            "evaluate.evaluations": evaluate.evaluations,
        ]
        for (path, value) in positive where !(1...Recipe.largestNumber ~= value) {
            throw RecipeError(
                "\(path) is \(value): expected a number from 1 to \(Recipe.largestNumber)."
            )
        }
        let notNegative: KeyValuePairs = [
            "data.size": data.size,
            "data.channels": data.channels,
            "model.scaledBlocks": model.scaledBlocks,
            "pretrain.training.steps": pretrain.training.steps,
            "pretrain.training.warmupSteps": pretrain.training.warmupSteps,
            "pretrain.training.decaySteps": pretrain.training.decaySteps,
            "finetune.minimax.steps": finetune.minimax.steps,
            "finetune.epochs": finetune.epochs,
            "finetune.classesPerPhase": finetune.classesPerPhase,
            "evaluate.epochs": evaluate.epochs,
        ]
        for (path, value) in notNegative where !(0...Recipe.largestNumber ~= value) {
            throw RecipeError(
                "\(path) is \(value): expected a number from 0 to \(Recipe.largestNumber)."
            )
        }
        guard [0, 1, 3].contains(data.channels) else {
            throw RecipeError(
                "data.channels is \(data.channels): expected 1 (grey), 3 (colour) or 0 (as stored)."
            )
        }
        guard (0..<1).contains(data.holdout) else {
            throw RecipeError(
                "data.holdout is \(data.holdout): expected a share from 0 to below 1."
            )
        }
        guard 1...Recipe.mostImagesPerClass ~= sample.imagesPerClass else {
            throw RecipeError(
                "sample.imagesPerClass is \(sample.imagesPerClass): expected a number from 1 to "
                    + "\(Recipe.mostImagesPerClass)."
            )
        }
        guard sample.eta >= 0, sample.eta <= 1, sample.guidance.isFinite else {
            throw RecipeError(
                "sample.eta is \(sample.eta) and sample.guidance \(sample.guidance): expected an eta "
                    + "from 0 to 1 and a number."
            )
        }
        try requireWeights()
        // One step of an ancestral sampler begins where there is hardly any noise: at its end. A
        // solver goes between the steps of the training.
        let steps =
            sample.sampler == .dpmSolver
            ? 1...Recipe.diffusionSteps - 1 : 2...Recipe.diffusionSteps
        guard steps.contains(sample.steps) else {
            throw RecipeError(
                "sample.steps is \(sample.steps): expected a number from \(steps.lowerBound) to "
                    + "\(steps.upperBound) for \(sample.sampler.rawValue) (the model is trained "
                    + "with \(Recipe.diffusionSteps))."
            )
        }
        let seeds = evaluate.seeds
        guard !seeds.isEmpty, seeds.allSatisfy({ $0 >= 0 }), Set(seeds).count == seeds.count else {
            throw RecipeError(
                "evaluate.seeds is \(seeds): expected one or more different numbers from 0."
            )
        }
    }

    /// Makes sure that rates, weights and shares of both trainings of a DiT make sense.
    private func requireWeights() throws(RecipeError) {
        let (training, minimax) = (pretrain.training, finetune.minimax)
        let rates: KeyValuePairs = [
            "pretrain.training.learningRate": training.learningRate,
            "pretrain.training.gradientNorm": training.gradientNorm,
            "finetune.minimax.learningRate": minimax.learningRate,
        ]
        for (path, value) in rates where !(value > 0 && value.isFinite) {
            throw RecipeError("\(path) is \(value): expected a number above 0.")
        }
        let weights: KeyValuePairs = [
            "pretrain.training.minSNRGamma": training.minSNRGamma,
            "pretrain.training.weightDecay": training.weightDecay,
            "finetune.minimax.representativeness": minimax.representativeness,
            "finetune.minimax.diversity": minimax.diversity,
        ]
        for (path, value) in weights where !(value >= 0 && value.isFinite) {
            throw RecipeError("\(path) is \(value): expected a number from 0.")
        }
        let shares: KeyValuePairs = [
            "pretrain.training.emaDecay": training.emaDecay,
            "pretrain.training.labelDropProbability": training.labelDropProbability,
            "finetune.minimax.emaDecay": minimax.emaDecay,
            "finetune.minimax.labelDropProbability": minimax.labelDropProbability,
        ]
        for (path, value) in shares where !(0...1).contains(value) {
            throw RecipeError("\(path) is \(value): expected a number from 0 to 1.")
        }
        guard (0..<1).contains(training.beta2) else {
            throw RecipeError(
                "pretrain.training.beta2 is \(training.beta2): expected a number from 0 to below 1."
            )
        }
    }

    /// More than any number of steps, epochs or images a batch, and few enough that no product of two
    /// overflows.
    private static let largestNumber = 1_000_000_000

    /// More than any surrogate, and few enough that no product of sizes overflows.
    private static let mostImagesPerClass = 1_000_000

    /// Steps of the diffusion that every DiT is trained with (published).
    private static let diffusionSteps = 1000
}
