import Distillation
import Models
import Torch
import Training

// Methods that match gradients, and those inside of a generative prior.
extension Pipeline {
    /// The settings of `idc-1` or `idc`, which differ in the factor.
    func idcParameters(_ method: BaselineMethod) throws -> IDC.Parameters {
        var parameters = recipe.idc
        guard method == .idc else {
            parameters.factor = 1
            return parameters
        }
        guard parameters.factor != 1 else {
            throw RunError(
                .invalidSettings,
                "idc.factor is 1, which is the method idc-1: expected 2 or more, or ask for "
                    + "idc-1 instead of idc."
            )
        }
        return parameters
    }

    /// IDC at its start.
    ///
    /// - Parameters:
    ///   - method: `idc-1` or `idc`.
    ///   - real: The training set.
    ///   - skipsEarlyEpochs: Whether it begins with a match, to measure one.
    /// - Returns: The method.
    /// - Throws: Errors of the settings.
    func newIDC(
        _ method: BaselineMethod,
        on real: RealImages,
        skipsEarlyEpochs: Bool = false
    ) throws -> IDC {
        var parameters = try idcParameters(method)
        if skipsEarlyEpochs { parameters.earlyEpochs = 0 }
        return try IDC(
            real,
            imagesPerClass: recipe.sample.imagesPerClass,
            parameters: parameters,
            seed: seed,
            precision: environment.precision
        )
    }

    /// GLaD at its start.
    func newGLaD(on real: RealImages) throws -> GLaD {
        try GLaD(
            real,
            prior: prior(),
            imagesPerClass: recipe.sample.imagesPerClass,
            parameters: recipe.glad,
            seed: seed,
            precision: environment.precision
        )
    }

    /// Makes sure that there is a prior for the images, with the layer that is asked for.
    func requirePrior() throws { try recipe.glad.validate(for: prior()) }

    /// The generative prior, made fit for the images: the decoder of `glad.prior` or of the
    /// model's autoencoder.
    private func prior() throws -> any GenerativePrior {
        let opened: any ImageAutoencoder
        if !recipe.glad.prior.isEmpty {
            let files = try openedAutoencoder([("glad.prior", recipe.glad.prior)])
            files.move(to: device)
            opened = files
        } else if !recipe.model.autoencoder.isEmpty {
            opened = try autoencoder()
        } else {
            throw RunError(
                .invalidSettings,
                "baselines: glad optimises images in the latents of an autoencoder, but "
                    + "glad.prior and model.autoencoder are empty: name its folder, for example "
                    + "--set glad.prior=Weights/taesd3, or leave glad out."
            )
        }
        guard let prior = opened as? any GenerativePrior else {
            throw RunError(
                .invalidSettings,
                "baselines: \(opened.description.name) cannot be the prior of glad."
            )
        }
        let (data, description) = (try data(), opened.description)
        let fits =
            data.channels == description.imageChannels
            && data.height % description.downsampling == 0
            && data.width % description.downsampling == 0
        guard !fits else { return prior }
        return try AdaptedPrior(
            prior,
            downsampling: description.downsampling,
            baseChannels: description.imageChannels,
            height: data.height,
            width: data.width,
            channels: data.channels
        )
    }
}
