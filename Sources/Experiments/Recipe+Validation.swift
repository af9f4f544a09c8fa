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
            "sample.imagesPerClass": sample.imagesPerClass,
            "sample.steps": sample.steps,
            "sample.batchSize": sample.batchSize,
            "coreset.epochs": coreset.epochs,
            "evaluate.evaluations": evaluate.evaluations,
        ]
        for (path, value) in positive where value < 1 {
            throw RecipeError("\(path) is \(value): expected a number from 1.")
        }
        let notNegative: KeyValuePairs = [
            "data.size": data.size,
            "data.channels": data.channels,
            "model.scaledBlocks": model.scaledBlocks,
            "pretrain.training.steps": pretrain.training.steps,
            "finetune.minimax.steps": finetune.minimax.steps,
            "finetune.epochs": finetune.epochs,
            "finetune.classesPerPhase": finetune.classesPerPhase,
            "evaluate.epochs": evaluate.epochs,
        ]
        for (path, value) in notNegative where value < 0 {
            throw RecipeError("\(path) is \(value): expected a number from 0.")
        }
        guard sample.steps <= Recipe.diffusionSteps else {
            throw RecipeError(
                "sample.steps is \(sample.steps): expected at most \(Recipe.diffusionSteps), the "
                    + "steps that the model is trained with."
            )
        }
        let seeds = evaluate.seeds
        guard !seeds.isEmpty, seeds.allSatisfy({ $0 >= 0 }), Set(seeds).count == seeds.count else {
            throw RecipeError(
                "evaluate.seeds is \(seeds): expected one or more different numbers from 0."
            )
        }
    }

    /// Steps of the diffusion that every DiT is trained with (published).
    private static let diffusionSteps = 1000
}
