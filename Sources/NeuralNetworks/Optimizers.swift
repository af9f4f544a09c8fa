import Torch

/// A rule that changes parameters by their gradients.
public protocol Optimizer: AnyObject {
    /// The step size of the next update.
    var learningRate: Double { get set }
    /// Makes one update with the gradients that the parameters hold.
    func step()
    /// Forgets the gradients.
    func zeroGradients()
    /// What must be saved to go on later, by name.
    func state() -> StateDictionary
    /// Restores what `state()` returned.
    func load(_ state: StateDictionary) throws(StateMismatchError)
}

/// What both optimizers share: parameters with names, and the state kept for each of them.
package struct OptimizerSlots {
    let parameters: [(name: String, tensor: Tensor)]

    func zeroGradients() { for (_, tensor) in parameters { tensor.gradient = nil } }

    /// The parameters that have a gradient, with it.
    func withGradients() -> [(slot: Int, parameter: Tensor, gradient: Tensor)] {
        parameters.enumerated().compactMap { slot, pair in
            pair.tensor.gradient.map { (slot, pair.tensor, $0) }
        }
    }

    func state(_ kinds: [(String, [Tensor])]) -> StateDictionary {
        StateDictionary(
            kinds.flatMap { kind, tensors in
                zip(parameters, tensors).map { ("\(kind).\($0.name)", $1) }
            }
        )
    }

    /// Copies saved tensors into those kept.
    ///
    /// - Parameters:
    ///   - state: Tensors by kind and name of the parameter.
    ///   - kinds: What is kept, in the order of the parameters.
    ///   - subject: What the tensors are meant for, for messages.
    /// - Throws: `StateMismatchError` for missing tensors and other shapes; then none is copied.
    func load(
        _ state: StateDictionary,
        into kinds: [(String, [Tensor])],
        subject: String = "the optimizer"
    ) throws(StateMismatchError) {
        let own = self.state(kinds)
        let misshaped = own.tensors.compactMap { name, tensor -> String? in
            guard let found = state[name], found.shape != tensor.shape else { return nil }
            return "\(name) expected \(tensor.shape), found \(found.shape)"
        }
        let missing = own.names.filter { state[$0] == nil }
        guard missing.isEmpty, misshaped.isEmpty else {
            throw StateMismatchError(
                subject: subject,
                missing: missing,
                unexpected: [],
                misshaped: misshaped
            )
        }
        for (name, tensor) in own { if let found = state[name] { tensor.copy(from: found) } }
    }
}

/// Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019), as `torch.optim.AdamW`.
///
/// ```
/// p ← p − η·λ·p;  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²
/// p ← p − η/(1−β₁ᵏ) · m / (√v/√(1−β₂ᵏ) + ε)
/// ```
public final class AdamW: Optimizer {
    /// Settings, with the defaults of the published fine-tuning.
    public struct Configuration: Codable, Sendable, Equatable {
        /// Decay rates of the two moments, in [0, 1).
        public var beta1 = 0.9
        /// Decay rate of the second moment, in [0, 1).
        public var beta2 = 0.999
        /// ε, added to the root of the second moment.
        public var epsilon = 1e-8
        /// λ, the share of a weight taken away in a step of size 1.
        public var weightDecay = 0.0
        /// Whether λ counts for tensors with two axes and more only, not for biases and norms.
        public var decaysOnlyMatrices = false

        /// The defaults.
        public init(
            beta1: Double = 0.9,
            beta2: Double = 0.999,
            epsilon: Double = 1e-8,
            weightDecay: Double = 0,
            decaysOnlyMatrices: Bool = false
        ) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
            self.decaysOnlyMatrices = decaysOnlyMatrices
        }
    }

    /// η, the step size of the next update.
    public var learningRate: Double
    private let configuration: Configuration
    private let slots: OptimizerSlots
    private let firstMoments: [Tensor]
    private let secondMoments: [Tensor]
    private let steps: [Tensor]

    /// Makes an optimizer for named parameters.
    ///
    /// - Parameters:
    ///   - parameters: What is trained; the names are those of the saved state.
    ///   - learningRate: η.
    ///   - configuration: The other settings.
    public init(
        _ parameters: [(name: String, tensor: Tensor)],
        learningRate: Double,
        configuration: Configuration = Configuration()
    ) {
        self.learningRate = learningRate
        self.configuration = configuration
        slots = OptimizerSlots(parameters: parameters)
        firstMoments = parameters.map { .zeros(like: $0.tensor) }
        secondMoments = parameters.map { .zeros(like: $0.tensor) }
        steps = parameters.map { .zeros([], device: $0.tensor.device) }
    }

    /// One fused update of every parameter that has a gradient.
    public func step() {
        let active = slots.withGradients()
        guard configuration.decaysOnlyMatrices else {
            return update(active, weightDecay: configuration.weightDecay)
        }
        update(active.filter { $0.parameter.rank > 1 }, weightDecay: configuration.weightDecay)
        update(active.filter { $0.parameter.rank <= 1 }, weightDecay: 0)
    }

    private func update(
        _ active: [(slot: Int, parameter: Tensor, gradient: Tensor)],
        weightDecay: Double
    ) {
        guard !active.isEmpty else { return }
        withoutGradient {
            let steps = active.map { self.steps[$0.slot] }
            TensorLists.add(1, to: steps)
            TensorLists.adamW(
                active.map(\.parameter),
                gradients: active.map(\.gradient),
                moments: (
                    active.map { firstMoments[$0.slot] }, active.map { secondMoments[$0.slot] }
                ),
                steps: steps,
                learningRate: learningRate,
                betas: (configuration.beta1, configuration.beta2),
                weightDecay: weightDecay,
                epsilon: configuration.epsilon
            )
        }
    }

    /// Forgets the gradients.
    public func zeroGradients() { slots.zeroGradients() }

    private var kinds: [(String, [Tensor])] {
        [("exp_avg", firstMoments), ("exp_avg_sq", secondMoments), ("step", steps)]
    }

    /// Both moments and the step count of every parameter, under PyTorch's names.
    public func state() -> StateDictionary { slots.state(kinds) }

    /// Restores what `state()` returned.
    public func load(_ state: StateDictionary) throws(StateMismatchError) {
        try slots.load(state, into: kinds)
    }
}

/// Stochastic gradient descent with momentum, as `torch.optim.SGD`.
///
/// ```
/// d = g + λ·p;  b ← μ·b + d (b = d at first);  p ← p − η·b
/// ```
public final class SGD: Optimizer {
    /// η, the step size of the next update.
    public var learningRate: Double
    private let momentum: Double
    private let weightDecay: Double
    private let slots: OptimizerSlots
    private let buffers: [Tensor]

    /// Makes an optimizer for named parameters.
    ///
    /// - Parameters:
    ///   - parameters: What is trained; the names are those of the saved state.
    ///   - learningRate: η.
    ///   - momentum: μ, in [0, 1).
    ///   - weightDecay: λ.
    public init(
        _ parameters: [(name: String, tensor: Tensor)],
        learningRate: Double,
        momentum: Double = 0,
        weightDecay: Double = 0
    ) {
        self.learningRate = learningRate
        self.momentum = momentum
        self.weightDecay = weightDecay
        slots = OptimizerSlots(parameters: parameters)
        // A buffer of zeros makes the first update the same as PyTorch's: b = μ·0 + d.
        buffers = momentum == 0 ? [] : parameters.map { .zeros(like: $0.tensor) }
    }

    /// One fused update of every parameter that has a gradient.
    public func step() {
        let active = slots.withGradients()
        guard !active.isEmpty else { return }
        withoutGradient {
            TensorLists.sgd(
                active.map(\.parameter),
                gradients: active.map(\.gradient),
                buffers: buffers.isEmpty ? [] : active.map { buffers[$0.slot] },
                learningRate: learningRate,
                momentum: momentum,
                weightDecay: weightDecay
            )
        }
    }

    /// Forgets the gradients.
    public func zeroGradients() { slots.zeroGradients() }

    private var kinds: [(String, [Tensor])] {
        buffers.isEmpty ? [] : [("momentum_buffer", buffers)]
    }

    /// The momentum of every parameter, under PyTorch's name.
    public func state() -> StateDictionary { slots.state(kinds) }

    /// Restores what `state()` returned.
    public func load(_ state: StateDictionary) throws(StateMismatchError) {
        try slots.load(state, into: kinds)
    }
}

/// The length of the whole gradient, bounded.
public enum GradientClipping {
    /// Shortens the gradients of all parameters together to at most `bound`.
    ///
    /// - Parameters:
    ///   - parameters: Whose gradients.
    ///   - bound: The largest Euclidean norm over all of them.
    /// - Returns: The norm before.
    @discardableResult
    public static func clip(_ parameters: [Tensor], toNorm bound: Double) -> Double {
        withoutGradient {
            let gradients = parameters.compactMap(\.gradient)
            let norm = TensorLists.totalNorm(gradients).item
            if norm > bound { TensorLists.multiply(gradients, by: bound / (norm + 1e-6)) }
            return norm
        }
    }
}
