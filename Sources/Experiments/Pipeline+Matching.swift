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
    func requirePrior() throws {
        let (prior, data) = (try prior(), try data())
        try prior.requireImages(height: data.height, width: data.width, channels: data.channels)
        try recipe.glad.validate(for: prior)
    }

    /// The autoencoder whose decoder is the generative prior.
    private func prior() throws -> any GenerativePrior {
        guard !recipe.model.autoencoder.isEmpty,
            let prior = try autoencoder() as? any GenerativePrior
        else {
            throw RunError(
                .invalidSettings,
                "baselines: glad optimises images in the latents of an autoencoder, but "
                    + "model.autoencoder is empty: name its folder, for example Weights/taesd3, or "
                    + "leave glad out."
            )
        }
        return prior
    }
}
