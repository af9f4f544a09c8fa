import Checkpoints
import Diffusion
import Experiments
import Foundation
import Images
import Models
import TestSupport
import Testing
import Torch

@Suite("What the pipeline draws", .serialized)
struct SamplingTests {
    /// Two of ImageNet's classes: folder, and label of the model.
    private static let classes: [(folder: String, label: Int)] = [
        ("n02088364", 162), ("n02096294", 193),
    ]

    /// A model whose labels count, and a recipe with no setting as it is by default.
    private func withModel(
        _ sampler: SampleSettings.Method,
        _ body: (URL, Recipe, StateDictionary) throws -> Void
    ) throws {
        let names = SamplingTests.classes.map(\.folder)
        try ForeignModel.withData(names, deviation: 0.3) { folder, usual, weights in
            var recipe = usual
            // Random decoders make dark, flat images, which differ by less than a grey level.
            let file = URL(fileURLWithPath: recipe.model.autoencoder + "_decoder.safetensors")
            var decoder = try Safetensors.load(contentsOf: file)
            decoder["19.weight"] = try #require(decoder["19.weight"]) * 4
            decoder["19.bias"] = .full([3], 0.5)
            try Safetensors.save(decoder, to: file)
            recipe.seed = 3
            recipe.sample.sampler = sampler
            recipe.sample.steps = 20
            recipe.sample.guidance = 2.5
            recipe.sample.eta = 0.7
            recipe.sample.imagesPerClass = 3
            recipe.sample.batchSize = 2
            try body(folder, recipe, weights)
        }
    }

    /// The images of a class, drawn without the pipeline.
    ///
    /// - Parameters:
    ///   - recipe: Seed and settings.
    ///   - model: The diffusion model.
    ///   - label: The model's label of the class.
    ///   - told: The label that the model is told, if it is another one.
    /// - Returns: The images in their order.
    /// - Throws: What goes wrong with the autoencoder's files.
    private func drawn(
        _ recipe: Recipe,
        from model: DiT,
        label: Int,
        told: Int? = nil
    ) throws -> [Image] {
        let settings = recipe.sample
        let images = (0..<settings.imagesPerClass).map { (label: label, image: $0) }
        var noise = NoiseSource(seed: UInt64(recipe.seed), images: images)
        let start = noise.next([4, 4, 4])
        let labels = Tensor(images.map { told ?? $0.label })
        // The label after the 1000 classes means "no class".
        let guidance = ClassifierFreeGuidance(
            scale: settings.guidance,
            nullLabel: 1000,
            channels: settings.guidedChannels == .all ? .all : .firstThree
        )
        let network = guidance.guiding { model($0, timesteps: $1, labels: $2) }
        let whole = NoiseSchedule()
        let latents: Tensor
        switch settings.sampler {
        case .ddpm:
            latents = AncestralSampler(
                try whole.respaced(.sections([settings.steps])),
                network: network,
                start: start,
                labels: labels,
                noise: noise
            ).result()
        case .ddim:
            latents = DDIMSampler(
                try whole.respaced(.sections([settings.steps])),
                eta: settings.eta,
                network: network,
                start: start,
                labels: labels,
                noise: noise
            ).result()
        case .dpmSolver:
            latents = DPMSolverPlusPlus(
                try whole.respaced(.solver(settings.steps)),
                network: network,
                start: start,
                labels: labels
            ).result()
        }
        let decoder = try AutoencoderFiles.open(recipe.model.autoencoder)
        let bytes = decoder.decoded(latents).permuted(0, 2, 3, 1).contiguous().bytes()
        let size = 32 * 32 * 3
        return images.indices.map { place in
            Image(
                width: 32,
                height: 32,
                channels: 3,
                bytes: Array(bytes[place * size..<(place + 1) * size])
            )
        }
    }

    /// The images that a run has written for a class.
    private func written(_ run: URL, _ place: String, _ folder: String) throws -> [Image] {
        try (0..<3).map { index in
            try Image(contentsOf: run.appendingPathComponent("\(place)/\(folder)/\(index).png"))
        }
    }

    /// The largest difference of two lists of images, in grey levels.
    private func difference(_ a: [Image], _ b: [Image]) -> Int {
        zip(a, b).flatMap { x, y in
            zip(x.bytes, y.bytes).map { abs(Int($0) - Int($1)) }
        }.max() ?? 255
    }

    @Test("a signal stops the sampling between two steps, not after a batch")
    func interruption() throws {
        try withModel(.ddim) { folder, recipe, _ in
            var asked = 0
            let run = folder.appendingPathComponent("run")
            #expect(throws: InterruptedError.self) {
                try pipeline(recipe, run) {
                    asked += 1
                    return asked == 5
                }.baseline("dit")
            }
            #expect(asked == 5)
            let written = try? FileManager.default.contentsOfDirectory(
                atPath: run.appendingPathComponent("baselines/dit/n02088364").path
            )
            #expect(written?.contains { $0.hasSuffix(".png") } != true)
        }
    }

    @Test("guidance changes the channels that the recipe says", arguments: [true, false])
    func guidedChannels(all: Bool) throws {
        try withModel(.ddim) { folder, usual, weights in
            var recipe = usual
            recipe.sample.guidance = 6
            recipe.sample.guidedChannels = all ? .all : .auto
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).baseline("dit")
            let model = DiT(awaitingWeights: ForeignModel.architecture)
            try model.load(weights)
            let (name, label) = SamplingTests.classes[0]
            let found = try written(run, "baselines/dit", name)
            #expect(difference(found, try drawn(recipe, from: model, label: label)) <= 1)
            recipe.sample.guidedChannels = all ? .firstThree : .all
            #expect(difference(found, try drawn(recipe, from: model, label: label)) > 1)
        }
    }

    @Test(
        "images are those of the model's label, the seed and the sampler with its settings",
        arguments: SampleSettings.Method.allCases
    )
    func images(sampler: SampleSettings.Method) throws {
        try withModel(sampler) { folder, recipe, weights in
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).baseline("dit")
            let model = DiT(awaitingWeights: ForeignModel.architecture)
            try model.load(weights)
            for (name, label) in SamplingTests.classes {
                let found = try written(run, "baselines/dit", name)
                let expected = try drawn(recipe, from: model, label: label)
                #expect(difference(found, expected) <= 1)

                // Each of these would be seen.
                let mistaken = try drawn(recipe, from: model, label: label, told: label % 2)
                #expect(difference(found, mistaken) > 1, "another label")
                var others = [recipe, recipe, recipe]
                others[0].seed = 0
                others[1].sample.guidance = 4
                others[2].sample.steps = 10
                if sampler == .ddim {
                    others.append(recipe)
                    others[3].sample.eta = 0
                }
                for method in SampleSettings.Method.allCases where method != sampler {
                    var other = recipe
                    other.sample.sampler = method
                    others.append(other)
                }
                for other in others {
                    let images = try drawn(other, from: model, label: label)
                    #expect(difference(found, images) > 1, "\(other.seed) \(other.sample)")
                }
            }
        }
    }

    @Test(
        "the surrogate is drawn from the fine-tuned model, with phases from that of the class",
        arguments: [0, 1]
    )
    func surrogate(classesPerPhase: Int) throws {
        try withModel(.ddim) { folder, usual, weights in
            var recipe = usual
            recipe.finetune.classesPerPhase = classesPerPhase
            // Far from the pre-trained model after a few steps.
            recipe.finetune.minimax.learningRate = 0.05
            let run = folder.appendingPathComponent("run")
            try pipeline(recipe, run).finetune()
            try pipeline(recipe, run).sample()
            for (phase, (name, label)) in SamplingTests.classes.enumerated() {
                let place = classesPerPhase == 0 ? "" : "phase-0\(phase)/"
                var state = weights
                state.merge(
                    try Safetensors.load(
                        contentsOf: run.appendingPathComponent(
                            "checkpoints/\(place)finetuned.safetensors"
                        )
                    )
                )
                let model = DiT(awaitingWeights: ForeignModel.architecture.withScaleFactors())
                try model.load(state)
                let found = try written(run, "surrogate", name)
                let expected = try drawn(recipe, from: model, label: label)
                #expect(difference(found, expected) <= 1)

                let pretrained = DiT(awaitingWeights: ForeignModel.architecture)
                try pretrained.load(weights)
                let before = try drawn(recipe, from: pretrained, label: label)
                #expect(difference(found, before) > 1)
            }
        }
    }
}
