import Torch

/// A part of a model that holds parameters, buffers and other modules.
///
/// Its tensors are the properties marked `@Parameter`, `@Buffer` and `@Child`; the key of each in
/// a checkpoint is the property's name, or the one written beside it:
///
/// ```swift
/// public final class Block: Module {
///     @Child("attn") var attention: Attention
///     @Parameter("gamma1") var attentionScale: Tensor
/// }
/// ```
///
/// An initialiser sets its plain properties, calls `super.init()` and then sets the marked ones.
open class Module {
    /// Whether the module is being trained: dropout is active, batch statistics are used.
    public private(set) var isTraining = true

    /// Makes a module without tensors.
    public init() {}

    /// Switches this module and all it contains to training or evaluation.
    public func setTraining(_ isTraining: Bool) {
        self.isTraining = isTraining
        for (_, child) in children() { child.setTraining(isTraining) }
    }

    /// Switches to evaluation for the length of `body` and back.
    public func evaluating<Result>(_ body: () throws -> Result) rethrows -> Result {
        let previous = isTraining
        setTraining(false)
        defer { setTraining(previous) }
        return try body()
    }
}

// MARK: - Discovery

extension Module {
    /// The modules directly inside this one, with their keys, in order of definition.
    public func children() -> [(key: String, module: Module)] {
        members().flatMap { name, member -> [(key: String, module: Module)] in
            guard let child = member as? any ChildStorage else { return [] }
            let key = child.key ?? name
            return child.modules.map { suffix, module in
                (key: suffix.map { "\(key).\($0)" } ?? key, module: module)
            }
        }
    }

    /// The parameters of this module and all it contains, by checkpoint name, in the order of
    /// PyTorch's `named_parameters()`: a module's own first, then those of its children.
    public func parameters() -> [(name: String, tensor: Tensor)] {
        slots(includingBuffers: false).compactMap { name, slot in
            slot.tensor.map { (name: name, tensor: $0) }
        }
    }

    /// The parameters that are trained.
    public func trainableParameters() -> [(name: String, tensor: Tensor)] {
        parameters().filter(\.tensor.requiresGradient)
    }

    /// Parameters and persistent buffers by checkpoint name; the tensors are the module's own.
    public func state() -> StateDictionary {
        StateDictionary(
            slots(includingBuffers: true).compactMap { name, slot in
                slot.isPersistent ? slot.tensor.map { (name, $0) } : nil
            }
        )
    }

    /// Number of elements of all parameters.
    public var parameterCount: Int { parameters().reduce(0) { $0 + $1.tensor.count } }

    /// Number of elements of the parameters that are trained.
    public var trainableValueCount: Int {
        trainableParameters().reduce(0) { $0 + $1.tensor.count }
    }

    /// Chooses the parameters that are trained, by their checkpoint names.
    ///
    /// - Parameter predicate: True for the names to train; all others are frozen.
    public func train(where predicate: (String) -> Bool) {
        for (name, slot) in slots(includingBuffers: false) where !slot.isConstant {
            slot.tensor?.requiresGradient = predicate(name)
        }
    }

    /// Freezes every parameter.
    public func freeze() { train { _ in false } }

    /// Moves every tensor to a device and, if a type is given, every floating-point one to it.
    ///
    /// NB: a moved parameter is a new tensor. Make the optimizer and the average afterwards.
    public func move(to device: Device, dtype: DType? = nil) {
        for (_, slot) in slots(includingBuffers: true) {
            guard let tensor = slot.tensor else { continue }
            let target = tensor.dtype.isFloatingPoint ? dtype : nil
            slot.replace { withoutGradient { tensor.converted(to: target, device: device) } }
        }
    }

    /// Stores the frozen weights of matrix products in a lower precision.
    ///
    /// Autocast remembers its casts of trainable float32 weights only, and would cast frozen ones
    /// again in every call.
    ///
    /// - Parameter dtype: The type that autocast computes with.
    public func lowerFrozenWeights(to dtype: DType) {
        for (_, slot) in slots(includingBuffers: false) where slot.isMatrix {
            guard let tensor = slot.tensor, !tensor.requiresGradient else { continue }
            slot.replace { tensor.converted(to: dtype) }
        }
    }

    /// Stores the weights of convolutions in channels-last order.
    ///
    /// NB: a reordered parameter is a new tensor. Make the optimizer and the average afterwards.
    public func useChannelsLast() {
        for (_, slot) in slots(includingBuffers: false) {
            guard let tensor = slot.tensor, tensor.rank == 4 else { continue }
            slot.replace { withoutGradient { tensor.contiguous(channelsLast: true) } }
        }
    }

    private func slots(includingBuffers: Bool) -> [(String, any TensorStorage)] {
        let own = members().compactMap { name, member in
            (member as? any TensorStorage).map { ($0.key ?? name, $0) }
        }
        let parameters = own.filter { !$0.1.isBuffer }
        let buffers = own.filter { $0.1.isBuffer && includingBuffers }
        return parameters + buffers
            + children().flatMap { key, module in
                module.slots(includingBuffers: includingBuffers).map { ("\(key).\($0)", $1) }
            }
    }

    /// The wrappers behind the marked properties, in order of definition.
    private func members() -> [(String, Any)] {
        var mirror: Mirror? = Mirror(reflecting: self)
        var levels = [[(String, Any)]]()
        while let level = mirror {
            levels.append(
                level.children.compactMap { label, value in
                    // The storage of `@Parameter var weight` is called `_weight`.
                    label.map { (String($0.drop { $0 == "_" }), value) }
                }
            )
            mirror = level.superclassMirror
        }
        return levels.reversed().flatMap { $0 }
    }
}

// MARK: - Loading

/// Every way in which a state dictionary does not fit a model, collected before it is thrown.
public struct StateMismatchError: Error, CustomStringConvertible, Sendable {
    /// What the state dictionary was meant for.
    public let subject: String
    /// Names the model has and the state dictionary lacks.
    public let missing: [String]
    /// Names the state dictionary has and the model lacks.
    public let unexpected: [String]
    /// Names with another shape, with the expected and the found one.
    public let misshaped: [String]

    package init(
        subject: String,
        missing: [String] = [],
        unexpected: [String] = [],
        misshaped: [String] = []
    ) {
        self.subject = subject
        self.missing = missing
        self.unexpected = unexpected
        self.misshaped = misshaped
    }

    /// The whole list, one kind a line.
    public var description: String {
        var lines = ["The weights do not fit \(subject):"]
        if !missing.isEmpty { lines.append("  missing: " + missing.joined(separator: ", ")) }
        if !unexpected.isEmpty {
            lines.append("  unexpected: " + unexpected.joined(separator: ", "))
        }
        if !misshaped.isEmpty { lines.append("  shapes: " + misshaped.joined(separator: ", ")) }
        lines.append(
            "Check that the model's size, classes and channels are those the file was made with."
        )
        return lines.joined(separator: "\n")
    }
}

extension Module {
    /// Copies the tensors of a state dictionary into the module's own.
    ///
    /// - Parameters:
    ///   - state: Tensors by checkpoint name; types may differ, shapes may not.
    ///   - optional: Names that may be missing: they keep their values.
    ///   - ignored: Names in the dictionary that may be left over.
    /// - Throws: `StateMismatchError`, which lists every mismatch; then nothing was changed.
    public func load(
        _ state: StateDictionary,
        optional: (String) -> Bool = { _ in false },
        ignored: (String) -> Bool = { _ in false }
    ) throws(StateMismatchError) {
        let own = self.state()
        let missing = own.names.filter { state[$0] == nil && !optional($0) }
        let unexpected = state.names.filter { own[$0] == nil && !ignored($0) }
        let misshaped = own.tensors.compactMap { name, tensor -> String? in
            guard let found = state[name], found.shape != tensor.shape else { return nil }
            return "\(name) expected \(tensor.shape), found \(found.shape)"
        }
        guard missing.isEmpty, unexpected.isEmpty, misshaped.isEmpty else {
            throw StateMismatchError(
                subject: "\(type(of: self))",
                missing: missing,
                unexpected: unexpected,
                misshaped: misshaped
            )
        }
        withoutGradient {
            for (name, tensor) in own {
                if let found = state[name] { tensor.copy(from: found) }
            }
        }
    }
}
