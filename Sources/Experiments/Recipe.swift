import Datasets
import Diffusion
import Distillation
import Evaluation
import Foundation
import Models

/// Everything that determines a run, with its defaults.
///
/// A recipe is written as YAML; `Recipe.read` decodes it strictly. The resolved tree, with every
/// value that was used, is written into the run folder before the first step.
public struct Recipe: Codable, Sendable, Equatable {
    /// Name of the run folder.
    public var name = "run"
    /// Seed of everything that is drawn, 0 or larger.
    public var seed = 0
    /// The real images.
    public var data = DataSettings()
    /// The diffusion model to start from.
    public var model = ModelSettings()
    /// Pre-training of a model from scratch, for `distill pretrain`.
    public var pretrain = PretrainSettings()
    /// The fine-tuning with the criteria of Minimax Diffusion.
    public var finetune = FinetuneSettings()
    /// Drawing the surrogate dataset from the fine-tuned model.
    public var sample = SampleSettings()
    /// Methods that the surrogate is compared with: `random`, `k-center`, `herding`, `dit`, `dm`,
    /// `idc-1`, `idc`, `glad`.
    public var baselines = ["random", "dit"]
    /// How real images are chosen, by `random`, `k-center` and `herding`.
    public var coreset = CoresetSettings()
    /// The diffusion model that `dit` samples.
    public var dit = PlainDiffusionSettings()
    /// Distribution matching, `dm`.
    public var dm = DistributionMatching.Parameters()
    /// Gradient matching, `idc` and, with the factor 1 instead, `idc-1`.
    public var idc = IDC.Parameters()
    /// Optimisation in the latents of the autoencoder, `glad`.
    public var glad = GLaD.Parameters()
    /// Training networks on the surrogate and the baselines.
    public var evaluate = EvaluateSettings()

    /// The defaults.
    public init() {}

    /// The same without what changes no result: how often a run logs and writes checkpoints.
    var forResults: Recipe {
        var recipe = self
        let defaults = Recipe()
        recipe.pretrain.checkpointEvery = defaults.pretrain.checkpointEvery
        recipe.pretrain.logEvery = defaults.pretrain.logEvery
        recipe.finetune.checkpointEvery = defaults.finetune.checkpointEvery
        recipe.finetune.logEvery = defaults.finetune.logEvery
        recipe.dm.checkpointEvery = defaults.dm.checkpointEvery
        recipe.dm.logEvery = defaults.dm.logEvery
        recipe.idc.checkpointEvery = defaults.idc.checkpointEvery
        recipe.idc.logEvery = defaults.idc.logEvery
        recipe.glad.checkpointEvery = defaults.glad.checkpointEvery
        recipe.glad.logEvery = defaults.glad.logEvery
        return recipe
    }
}

/// A dataset on disk.
public struct DataSource: Codable, Sendable, Equatable {
    /// How the images are stored.
    public enum Format: String, Codable, Sendable, CaseIterable {
        /// `FOLDER/<class>/<image>`, PNG or JPEG.
        case folder
        /// The four files of MNIST and its relatives, gzipped or not.
        case idx
        /// The binary files of CIFAR-10 or CIFAR-100.
        case cifar
        /// Tar shards as WebDataset has them, read in place.
        case tarShards = "tar-shards"
        /// fastai's ImageWoof or ImageNette, `FOLDER/train` and `FOLDER/val`, in the split of
        /// ImageNet, which the published numbers are for.
        case fastai
    }

    /// How the images are stored.
    public var format = Format.folder
    /// The folder.
    public var path = ""
    /// Which part of an IDX, CIFAR or fastai folder: `train` or `test`.
    public var split = IDXDataset.Split.train

    /// An empty description.
    public init() {}
}

/// The real images of a run.
public struct DataSettings: Codable, Sendable, Equatable {
    /// What is distilled.
    public var train = DataSource()
    /// What networks are tested on, never seen before.
    ///
    /// It may be empty until networks are trained.
    public var test = DataSource()
    /// The classes to use, as a list that comes with the command (`imagewoof`, `imagenette`,
    /// `imageidc`, `imagenet-100`, `imagenet-1k`) or a file of that form.
    ///
    /// Empty for all classes there are. The order of the list is that of the phases; labels are in
    /// string order of the folders all the same.
    public var classes = ""
    /// Pixels a side of a centre crop; 0 keeps the images as they are.
    public var size = 0
    /// 1 or 3 to convert the images; 0 keeps them as they are.
    public var channels = 0
    /// Whether training sees mirrored images too.
    public var flips = true
    /// Share of the training images, the last of each class, that takes the place of the test set.
    ///
    /// It is held back from everything else: for choosing settings. 0 for none.
    public var holdout = 0.0

    /// The defaults.
    public init() {}
}

/// The diffusion model of a run.
public struct ModelSettings: Codable, Sendable, Equatable {
    /// What a model for other classes than those of the data is to do with its table of labels.
    public enum LabelTable: String, Codable, Sendable, CaseIterable {
        /// Every class of the data must be one of the model's, by name.
        case keep
        /// New rows for the classes of the data, drawn from N(0, 0.02); "no class" stays.
        case rebuild
    }

    /// The weights: a file of `distill pretrain` or `finetune`, or a DiT of others (`.pt` of
    /// facebookresearch/DiT or MinimaxDiffusion, safetensors of diffusers).
    ///
    /// A model of others with 1000 classes knows them by ImageNet's folders (`n02096294`).
    /// `pretrain` trains a model in this run first, with the settings of that name.
    public var weights = ""
    /// What makes latents of the images: a folder of diffusers with `config.json`, or TAESD's
    /// files (`FOLDER/taesd3`).
    ///
    /// Empty for models that work on pixels.
    public var autoencoder = ""
    /// Another autoencoder whose decoder makes the images, published: `sd-vae-ft-mse`; empty for
    /// the same.
    public var decoder = ""
    /// What to do with classes that the model does not know.
    public var labelTable = LabelTable.keep
    /// Number of first blocks that get DiffFit scale factors; published: 14.
    public var scaledBlocks = 14

    /// The defaults.
    public init() {}
}

/// Pre-training of a model from scratch.
public struct PretrainSettings: Codable, Sendable, Equatable {
    /// Pixels a side of one token.
    public var patchSize = 4
    /// Width of a token.
    public var hiddenSize = 144
    /// Number of blocks.
    public var depth = 6
    /// Number of attention heads.
    public var heads = 6
    /// The training itself.
    public var training = DiffusionPretraining.Parameters()
    /// Whether the result is stored in float16, half as large.
    public var storesHalfPrecision = false
    /// Updates between two checkpoints.
    public var checkpointEvery = 500
    /// Updates between two lines of the log.
    public var logEvery = 50

    /// The defaults.
    public init() {}
}

/// Fine-tuning with the criteria of Minimax Diffusion.
public struct FinetuneSettings: Codable, Sendable, Equatable {
    /// The method's own settings.
    public var minimax = MinimaxDiffusion.Parameters()
    /// Passes over the training set, published: 8; 0 leaves `minimax.steps` to count.
    public var epochs = 0
    /// Classes that are fine-tuned together; published for 100 and 1000 classes: 20; 0 for all.
    ///
    /// Each group starts from the pre-trained model and has weights and samples of its own.
    public var classesPerPhase = 0
    /// Updates between two checkpoints.
    public var checkpointEvery = 200
    /// Updates between two lines of the log.
    public var logEvery = 10

    /// The defaults.
    public init() {}
}

/// Drawing images from a model.
public struct SampleSettings: Codable, Sendable, Equatable {
    /// How images are drawn.
    public enum Method: String, Codable, Sendable, CaseIterable {
        /// Ancestral sampling (Ho et al., NeurIPS 2020) with learned variance, as published.
        case ddpm
        /// DDIM (Song et al., ICLR 2021).
        case ddim
        /// DPM-Solver++ (2M) (Lu et al., 2022), for few steps.
        case dpmSolver = "dpm-solver++"
    }

    /// Which channels of the predicted noise classifier-free guidance changes.
    public enum GuidedChannels: String, Codable, Sendable, CaseIterable {
        /// The first three of four-channel latents, which reproduces the published models; all of any
        /// other number.
        case auto
        /// The first three.
        case firstThree = "first-three"
        /// All of them.
        case all

        var channels: ClassifierFreeGuidance.Channels? {
            switch self {
            case .auto: nil
            case .firstThree: .firstThree
            case .all: .all
            }
        }
    }

    /// Images of each class.
    public var imagesPerClass = 10
    /// How images are drawn.
    public var sampler = Method.ddpm
    /// Steps from noise to image.
    public var steps = 50
    /// Strength of classifier-free guidance, published: 4.0; 1 for none.
    public var guidance = 4.0
    /// What guidance changes.
    public var guidedChannels = GuidedChannels.auto
    /// η of DDIM: 0 is deterministic, 1 as random as DDPM.
    public var eta = 0.0
    /// Images drawn at once.
    public var batchSize = 50

    /// The defaults.
    public init() {}
}

/// Choosing real images as a surrogate.
public struct CoresetSettings: Codable, Sendable, Equatable {
    /// Which images `random` takes.
    public enum RandomRule: String, Codable, Sendable, CaseIterable {
        /// Drawn by the seed; those for fewer images per class are part of those for more.
        case seed
        /// The first of each class in string order of the files, as the published code does.
        case first
    }

    /// Which images `random` takes.
    public var random = RandomRule.seed
    /// The image of each class that K-Center begins with.
    public var kCenterStart = CoresetSelection.Start.first
    /// What distances are measured in: `train` trains a network on the whole training set in this
    /// run; `efficientnet-lite0`, `pixels` or `pixels-SIZE`; or the file of a trained network.
    public var features = "train"
    /// The network that `train` trains.
    public var network = "convnet-3"
    /// Passes over the training set that `train` makes.
    public var epochs = 10

    /// The defaults.
    public init() {}
}

/// The diffusion model that `dit` samples.
public struct PlainDiffusionSettings: Codable, Sendable, Equatable {
    /// Whether the pre-trained model is fine-tuned with the diffusion loss alone first, with the
    /// other settings of `finetune`; else it is sampled as it is.
    public var finetunes = false

    /// The defaults.
    public init() {}
}

/// Training networks on small sets and testing them.
public struct EvaluateSettings: Codable, Sendable, Equatable {
    /// The networks: `convnet-DEPTH`, `resnet-ap-10`, `resnet-18`.
    public var networks = ["convnet-3"]
    /// The protocol, with its variations: `rded-soft-300+size=64`.
    ///
    /// `gu-hard-28` for grey images, `gu-hard-224` for photographs as published, or the same at 64,
    /// 128 or 256 pixels; `rded-soft-300` and `fkd-300` with a teacher; `dm-dsa-28`, `dm-dsa-32`.
    public var evaluationProtocol = "gu-hard-28"
    /// A network that `distill evaluate --save` has trained on the whole dataset, for protocols with
    /// soft labels; empty for none.
    public var teacher = ""
    /// Images of each class that networks are trained on, one training for each number, chosen from
    /// those that were made; empty for all of them.
    public var imagesPerClass: [Int] = []
    /// How they are chosen: `random`, by the seed, or `first`, the first in string order of their
    /// files, as the published experiments do.
    public var choose = ImageChoice.random
    /// Epochs of training; 0 takes them from the protocol's table by images per class.
    public var epochs = 0
    /// How often the test set is looked at; published: 100.
    public var evaluations = 5
    /// The epoch whose accuracy counts: `last`; `best`, chosen on the test set, as published; or
    /// `holdout`, chosen on a fifth of the training images, which is held back.
    ///
    /// Reports and comparisons put methods in order by it and show the others beside it.
    public var select = EvaluationOptions.Selection.last
    /// One network is trained for each seed.
    public var seeds = [0, 1, 2]
    /// Whether methods that optimise pixels are also tested with the images as they were optimised,
    /// not rounded to the 256 levels of a PNG file; the results are those of `<method>-float`.
    public var floatImages = false

    /// The defaults.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case networks
        case evaluationProtocol = "protocol"
        case teacher, imagesPerClass, choose, epochs, evaluations, select, seeds, floatImages
    }
}
