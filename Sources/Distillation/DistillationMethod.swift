import NeuralNetworks
import Torch
import Training

/// A method that optimises the values of a surrogate themselves: its pixels, or latents that a
/// decoder makes images of.
///
/// A method is made with the training set, its settings and a seed; it then holds the values it
/// starts from. Every draw of a step is a function of the seed and the number of the step, so that
/// the optimised values, the optimizer's state, the step and, where a network is trained along the
/// way, that network are all that must be saved.
public protocol DistillationMethod: AnyObject {
    /// What it is called on the command line and in results.
    var name: String { get }
    /// Number of steps of the whole run.
    var stepCount: Int { get }
    /// Number of steps made.
    var step: Int { get }
    /// What is optimised, by name; the tensors are those in use.
    var optimized: StateDictionary { get }
    /// The real images that each image of the surrogate began as, positions in the training set;
    /// empty where images begin as noise.
    var origins: [[Int]] { get }

    /// Makes one step.
    ///
    /// - Returns: What is worth logging, `loss` among it.
    /// - Throws: `TrainingError` if the loss is no number any more.
    func update() throws -> [String: Double]

    /// The images of the surrogate as they are stored.
    func images() -> SyntheticImages

    /// What networks are trained on where these are not the stored images: the decoded ones.
    func trainingImages() -> SyntheticImages?

    /// Everything that is needed to go on later, by name.
    func checkpoint() -> StateDictionary

    /// Restores what `checkpoint()` returned.
    ///
    /// - Parameter state: A checkpoint of the same method, settings and training set.
    /// - Throws: `StateMismatchError` if it does not fit.
    func restore(_ state: StateDictionary) throws(StateMismatchError)
}

extension DistillationMethod {
    /// Number of optimised values.
    public var optimizedValueCount: Int { optimized.elementCount }

    /// The stored images are those networks are trained on.
    public func trainingImages() -> SyntheticImages? { nil }

    /// Makes steps until all are made or `progress` says stop.
    ///
    /// - Parameter progress: Hears the number of steps made and what is worth logging of the last;
    ///   false ends the run early.
    /// - Throws: What `update` and `progress` throw.
    public func run(progress: (_ step: Int, _ values: [String: Double]) throws -> Bool) throws {
        while step < stepCount {
            let values = try update()
            guard try progress(step, values) else { return }
        }
    }

    /// Makes sure that a loss is a number.
    package func requireFinite(_ loss: Double) throws(TrainingError) {
        guard !loss.isFinite else { return }
        throw TrainingError(
            .diverged,
            "\(name): the loss of step \(step + 1) is no number any more. Use a smaller learning "
                + "rate of the images, or float32 instead of bfloat16."
        )
    }
}

/// What a method compares real and synthetic images by, as a function of the synthetic ones.
///
/// Methods that optimise something else than pixels pass the gradient on to it.
public protocol MatchingObjective: AnyObject {
    /// The loss of a step and its gradient by the images.
    ///
    /// - Parameters:
    ///   - images: Normalised images, [K·n, C, H, W], class by class.
    ///   - imagesPerClass: n.
    ///   - step: The number of the step, from 0: real images, networks and augmentations are drawn
    ///     by it.
    /// - Returns: The loss, and the gradient in the shape of `images`.
    /// - Throws: `TrainingError` or `NetworkError` if a network cannot be made or trained.
    func lossAndGradient(
        by images: Tensor,
        imagesPerClass: Int,
        step: Int
    ) throws -> (loss: Double, gradient: Tensor)

    /// What must be saved to go on with the next step, by name.
    func state() -> StateDictionary

    /// Restores what `state()` returned.
    ///
    /// - Parameter state: The state of an objective with the same settings.
    /// - Throws: `StateMismatchError` if it does not fit.
    func restore(_ state: StateDictionary) throws(StateMismatchError)
}

extension MatchingObjective {
    /// Nothing: steps do not depend on earlier ones.
    public func state() -> StateDictionary { StateDictionary() }

    /// Restores nothing.
    public func restore(_ state: StateDictionary) throws(StateMismatchError) {}
}

/// Images that a method made, with the class of each.
public struct SyntheticImages {
    /// Values in the units of real images, 0 to 1, where optimisation may have left that range:
    /// float32 [N, C, H, W].
    public let images: Tensor
    /// The class of every image, from 0, ascending.
    public let labels: [Int]

    /// Puts images and labels together.
    public init(images: Tensor, labels: [Int]) {
        self.images = images
        self.labels = labels
    }

    /// The images with 256 levels, uint8 [N, C, H, W]: rounded, what lies outside of 0 to 1 cut off.
    public var pixels: Tensor {
        (images * 255).clamped(to: 0...255).rounded().converted(to: .uint8)
    }

    /// The mean of |x − y| over all values, in units of 0 to 1; what lies outside of that, and cannot be
    /// seen, is cut off.
    public func meanChange(from other: SyntheticImages) -> Double {
        (images.clamped(to: 0...1) - other.images.clamped(to: 0...1)).magnitude().mean().item
    }
}

extension StateDictionary {
    /// The number of steps made that a checkpoint tells.
    ///
    /// - Throws: `StateMismatchError` if it tells none: with 0 in its place a method would begin anew
    ///   on values that are not those of the start.
    func step() throws(StateMismatchError) -> Int {
        guard let step = self["step"] else {
            throw StateMismatchError(subject: "a checkpoint", missing: ["step"])
        }
        return Int(step.item)
    }
}

/// Makes sure that settings are not below what makes sense.
///
/// - Parameters:
///   - least: The smallest value.
///   - settings: The values by their names.
/// - Throws: `TrainingError` that names the first, in the order of the names, that is smaller, or no
///   number.
func requireLeast<Value: Comparable>(
    _ least: Value,
    _ settings: [String: Value]
) throws(TrainingError) {
    for (name, value) in settings.sorted(by: { $0.key < $1.key }) where !(value >= least) {
        throw TrainingError(.invalidOption, "\(name) must be at least \(least); it is \(value).")
    }
}

/// Makes sure that settings are from 0 to below 1.
///
/// - Parameter settings: The values by their names.
/// - Throws: `TrainingError` that names the first that is not.
func requireShares(_ settings: [String: Double]) throws(TrainingError) {
    for (name, value) in settings.sorted(by: { $0.key < $1.key }) where !(0..<1).contains(value) {
        throw TrainingError(
            .invalidOption,
            "\(name) must be from 0 to below 1; it is \(value)."
        )
    }
}
