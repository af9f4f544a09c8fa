/// A method that Minimax Diffusion is compared with.
public enum BaselineMethod: String, Sendable, CaseIterable {
    /// Real images, chosen by the seed.
    case random
    /// Real images that lie far from each other.
    case kCenter = "k-center"
    /// Real images whose mean is near that of their class.
    case herding
    /// Samples of the pre-trained diffusion transformer.
    case dit
    /// Images by distribution matching.
    case dm
    /// Images by matching the gradients of convolutions.
    case idc1 = "idc-1"
    /// The same with several images stored in one.
    case idc
    /// Images inside of a generative prior.
    case glad

    /// What stands in the README of its surrogate.
    var summary: String {
        switch self {
        case .random: "Real images, chosen at random."
        case .kCenter: "Real images, chosen by greedy K-Center."
        case .herding: "Real images, chosen by herding."
        case .dit: "Drawn from the pre-trained diffusion transformer as it is."
        case .dm: "Images optimised by distribution matching (DM)."
        case .idc1: "Images optimised by matching gradients (IDC-1)."
        case .idc: "Images decoded from optimised ones, several from one (IDC)."
        case .glad: "Images of a decoder whose latents were optimised (GLaD)."
        }
    }

    /// Whether it optimises values of images, which are kept as floats, too.
    var optimizesImages: Bool {
        switch self {
        case .random, .kCenter, .herding, .dit: false
        case .dm, .idc1, .idc, .glad: true
        }
    }

    /// Whether some images of a set are a smaller set of the same method; others choose or optimise
    /// a set as a whole.
    func isNested(_ coreset: CoresetSettings) -> Bool {
        self == .dit || self == .random && coreset.random == .seed
    }

    /// Its name in the costs and in progress: `baseline dm`.
    var stage: String { "baseline \(rawValue)" }

    /// Its folder in a run: `baselines/dm`.
    var place: String { "baselines/\(rawValue)" }

    /// Reads the names of methods.
    ///
    /// - Parameter names: As they are on the command line and in recipes.
    /// - Returns: The methods.
    /// - Throws: `RunError` that names the first unknown one and those there are.
    static func named(_ names: [String]) throws -> [BaselineMethod] {
        try names.map { name in
            guard let method = BaselineMethod(rawValue: name) else {
                let known = allCases.map(\.rawValue).joined(separator: ", ")
                throw RunError(
                    .invalidSettings,
                    "baselines: there is no method \"\(name)\": expected some of \(known)."
                )
            }
            return method
        }
    }
}
