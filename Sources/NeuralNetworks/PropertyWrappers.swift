import Torch

/// What `Module` needs to know of a property that holds a tensor.
package protocol TensorStorage: AnyObject {
    var key: String? { get }
    var tensor: Tensor? { get }
    var isBuffer: Bool { get }
    var isPersistent: Bool { get }
    /// Never trained, although it is saved among the parameters.
    var isConstant: Bool { get }
    /// The weight of a matrix product or convolution.
    var isMatrix: Bool { get }
    func replace(_ make: () -> Tensor)
}

/// What `Module` needs to know of a property that holds modules.
package protocol ChildStorage: AnyObject {
    var key: String? { get }
    /// The modules, with their position if there are many.
    var modules: [(Int?, Module)] { get }
}

/// A tensor, or the absence of one.
public protocol TensorValue {
    /// The tensor if there is one.
    var tensorIfPresent: Tensor? { get }
    /// The same kind of value around another tensor.
    func replacing(with tensor: Tensor) -> Self
}

extension Tensor: TensorValue {
    /// The tensor itself.
    public var tensorIfPresent: Tensor? { self }
    /// The other tensor.
    public func replacing(with tensor: Tensor) -> Self { unsafeDowncast(tensor, to: Self.self) }
}

extension Tensor?: TensorValue {
    /// The tensor itself.
    public var tensorIfPresent: Tensor? { self }
    /// The other tensor.
    public func replacing(with tensor: Tensor) -> Tensor? { tensor }
}

/// Marks a tensor that is trained and saved.
///
/// It is set in the initialiser, after `super.init()`.
@propertyWrapper
public final class Parameter<Value: TensorValue>: TensorStorage {
    package let key: String?
    package let isConstant: Bool
    package let isMatrix: Bool
    private var value: Value?

    /// Marks a parameter.
    ///
    /// - Parameters:
    ///   - key: Its name in checkpoints where that differs from the property's.
    ///   - isConstant: Saved, but never trained.
    ///   - isMatrix: The weight of a matrix product or convolution.
    public init(_ key: String? = nil, isConstant: Bool = false, isMatrix: Bool = false) {
        self.key = key
        self.isConstant = isConstant
        self.isMatrix = isMatrix
    }

    /// The tensor; a new one is trained unless the parameter is constant.
    public var wrappedValue: Value {
        get {
            guard let value else { trap("The parameter \(key ?? "") was read before it was set") }
            return value
        }
        set {
            value = newValue
            if !isConstant { newValue.tensorIfPresent?.requiresGradient = true }
        }
    }

    package var tensor: Tensor? { value?.tensorIfPresent }
    package var isBuffer: Bool { false }
    package var isPersistent: Bool { true }

    package func replace(_ make: () -> Tensor) {
        guard let tensor else { return }
        let made = make()
        // An optimizer may hold the tensor: it stays where nothing changes.
        guard !made.isSame(as: tensor) else { return }
        let isTrained = tensor.requiresGradient
        let replacement = made.detached()
        replacement.requiresGradient = isTrained
        value = value?.replacing(with: replacement)
    }
}

/// Marks a tensor that is not trained: statistics, tables.
///
/// It is set like a parameter.
@propertyWrapper
public final class Buffer<Value: TensorValue>: TensorStorage {
    package let key: String?
    package let isPersistent: Bool
    private var value: Value?

    /// Marks a buffer.
    ///
    /// - Parameters:
    ///   - key: Its name in checkpoints where that differs from the property's.
    ///   - isPersistent: Whether it is saved.
    public init(_ key: String? = nil, isPersistent: Bool = true) {
        self.key = key
        self.isPersistent = isPersistent
    }

    /// The tensor.
    public var wrappedValue: Value {
        get {
            guard let value else { trap("The buffer \(key ?? "") was read before it was set") }
            return value
        }
        set { value = newValue }
    }

    package var tensor: Tensor? { value?.tensorIfPresent }
    package var isBuffer: Bool { true }
    package var isConstant: Bool { true }
    package var isMatrix: Bool { false }

    package func replace(_ make: () -> Tensor) { value = value?.replacing(with: make()) }
}

/// One module, a list of them, or none.
public protocol ModuleValue {
    /// The modules, with their position if there are many.
    var modulesWithPositions: [(Int?, Module)] { get }
}

extension Module: ModuleValue {
    /// The module itself.
    public var modulesWithPositions: [(Int?, Module)] { [(nil, self)] }
}

extension Array: ModuleValue where Element: ModuleValue {
    /// The modules in order.
    public var modulesWithPositions: [(Int?, Module)] {
        enumerated().flatMap { place, element in
            element.modulesWithPositions.map { (place, $0.1) }
        }
    }
}

extension Optional: ModuleValue where Wrapped: Module {
    /// The module if there is one.
    public var modulesWithPositions: [(Int?, Module)] { map { [(nil, $0)] } ?? [] }
}

/// Marks a module, or a list of them, inside another one.
///
/// It is set like a parameter.
@propertyWrapper
public final class Child<Value: ModuleValue>: ChildStorage {
    package let key: String?
    private var value: Value?

    /// Marks a child.
    ///
    /// - Parameter key: Its name in checkpoints where that differs from the property's; the
    ///   modules of a list are numbered from 0.
    public init(_ key: String? = nil) {
        self.key = key
    }

    /// The module or modules.
    public var wrappedValue: Value {
        get {
            guard let value else { trap("The child \(key ?? "") was read before it was set") }
            return value
        }
        set { value = newValue }
    }

    package var modules: [(Int?, Module)] { value?.modulesWithPositions ?? [] }
}
