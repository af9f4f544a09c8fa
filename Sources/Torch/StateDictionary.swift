import OrderedCollections

/// Named tensors in a fixed order: the weights of a model, the state of an optimizer.
public struct StateDictionary {
    /// The tensors by name.
    public private(set) var tensors: OrderedDictionary<String, Tensor>

    /// An empty dictionary.
    public init() { tensors = [:] }

    /// A dictionary of named tensors; of two with one name the last is kept.
    public init(_ pairs: some Sequence<(String, Tensor)>) {
        tensors = OrderedDictionary(pairs, uniquingKeysWith: { $1 })
    }

    /// The tensor with a name.
    public subscript(name: String) -> Tensor? {
        get { tensors[name] }
        set { tensors[name] = newValue }
    }

    /// The names in order.
    public var names: [String] { Array(tensors.keys) }

    /// Number of tensors.
    public var count: Int { tensors.count }

    /// Number of elements of all tensors.
    public var elementCount: Int { tensors.values.reduce(0) { $0 + $1.count } }

    /// The tensors whose names begin with a prefix, without it.
    public func removingPrefix(_ prefix: String) -> StateDictionary {
        StateDictionary(
            tensors.lazy.filter { $0.key.hasPrefix(prefix) }
                .map { (String($0.key.dropFirst(prefix.count)), $0.value) }
        )
    }

    /// Every name with a prefix in front.
    public func addingPrefix(_ prefix: String) -> StateDictionary {
        StateDictionary(tensors.lazy.map { (prefix + $0.key, $0.value) })
    }

    /// Every tensor replaced by what `transform` makes of it.
    public func mapValues(_ transform: (Tensor) throws -> Tensor) rethrows -> StateDictionary {
        var result = StateDictionary()
        result.tensors = try tensors.mapValues(transform)
        return result
    }

    /// Adds the tensors of another dictionary, which win over those with the same name.
    public mutating func merge(_ other: StateDictionary) {
        tensors.merge(other.tensors) { $1 }
    }
}

extension StateDictionary: Sequence {
    /// The pairs in order.
    public func makeIterator() -> OrderedDictionary<String, Tensor>.Iterator {
        tensors.makeIterator()
    }
}
