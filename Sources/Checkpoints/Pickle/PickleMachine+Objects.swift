extension PickleMachine {
    /// Looks up a Python name in the table of those that are data.
    func named(_ module: String, _ name: String) throws(PickleFault) -> PickleGlobal {
        guard let global = PickleGlobal.known["\(module).\(name)"] else {
            throw PickleFault(
                "it asks for \(module).\(name), which is not among the few Python names that "
                    + "describe tensors and plain data",
                isUnsupported: true
            )
        }
        return global
    }

    /// What a call stands for; nothing is called.
    mutating func result(
        of function: PickleValue,
        _ tuple: PickleValue
    ) throws(PickleFault) -> PickleValue {
        guard case .global(let global) = function else {
            throw PickleFault("a function was expected, not \(function.kind)")
        }
        guard let arguments = items(tuple, .tuple) else {
            throw PickleFault("\(global.name): arguments were expected, not \(tuple.kind)")
        }
        switch global {
        case .rebuildTensor:
            return .tensor(try tensor(arguments, global))
        case .rebuildParameter:
            guard case .tensor(let tensor) = arguments.first else {
                throw PickleFault("\(global.name): a tensor was expected")
            }
            return .tensor(tensor)
        case .rebuildFromType:
            // Function, class, arguments, attributes; the attributes are no part of the weights.
            guard arguments.count == 4, case .global(let inner) = arguments[0],
                inner != .rebuildFromType
            else { throw PickleFault("\(global.name): a function of a tensor was expected") }
            return try result(of: arguments[0], arguments[2])
        case .dictionary:
            return try dictionary(arguments, global)
        case .set, .size:
            let elements = try arguments.first.map { (value) throws(PickleFault) in
                guard let items = items(value, .list, .tuple, .set) else {
                    throw PickleFault("\(global.name): a list was expected, not \(value.kind)")
                }
                return items
            }
            return try make(global == .size ? .tuple : .set, elements ?? [])
        case .device, .path:
            let parts = arguments.map { part in
                switch part {
                case .text(let text): text
                case .integer(let number): "\(number)"
                default: "?"
                }
            }
            try charge(parts.reduce(0) { $0 + $1.utf8.count + 1 })
            return .text(global == .device ? parts.joined(separator: ":") : joined(parts))
        case .encode:
            guard case .text(let text) = arguments.first else {
                throw PickleFault("\(global.name): a string was expected")
            }
            try charge(text.utf8.count)
            return .bytes(text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
        case .namespace: return try instance(of: function, tuple)
        case .storage, .dtype, .tensorClass:
            throw PickleFault("\(global.name) is called, which no checkpoint does")
        }
    }

    /// An empty object of one of the classes that are read as data.
    mutating func instance(
        of type: PickleValue,
        _ arguments: PickleValue
    ) throws(PickleFault) -> PickleValue {
        switch type {
        case .global(.namespace):
            guard items(arguments, .tuple)?.isEmpty == true else {
                throw PickleFault("argparse.Namespace has no arguments in a checkpoint")
            }
            return try make(.namespace)
        case .global(.dictionary), .global(.set): return try result(of: type, arguments)
        default: throw PickleFault("an object of \(type.kind) is made, which no checkpoint does")
        }
    }

    /// Gives the object on the stack its attributes.
    mutating func build(_ state: PickleValue) throws(PickleFault) {
        let object = try top
        guard case .container(let number) = object else {
            throw PickleFault("\(object.kind) is given attributes")
        }
        switch containers[number].kind {
        case .namespace:
            guard let attributes = items(state, .dictionary) else {
                throw PickleFault("attributes were expected, not \(state.kind)")
            }
            try extend(object, [.namespace], with: attributes)
        case .dictionary:
            // The versions of modules that PyTorch attaches to a state dictionary.
            break
        default: throw PickleFault("a list or tuple is given attributes")
        }
    }

    /// The storage that a persistent identifier describes:
    /// ("storage", type, key, location, element count) and, in old files, a view of it.
    func storage(_ value: PickleValue) throws(PickleFault) -> PickleStorage {
        guard let parts = items(value, .tuple), parts.count >= 5,
            case .text("storage") = parts[0], case .global(.storage(_, let dtype)) = parts[1],
            case .integer(let count) = parts[4], count >= 0
        else { throw PickleFault("a reference to a storage was expected") }
        let key: String
        switch parts[2] {
        case .text(let text): key = text
        case .integer(let number): key = "\(number)"
        default: throw PickleFault("the key of a storage is \(parts[2].kind)")
        }
        for part in parts.dropFirst(5) {
            guard case .none = part else {
                throw PickleFault(
                    "a storage is a part of another one, as PyTorch before 0.4 wrote them",
                    isUnsupported: true
                )
            }
        }
        guard !count.multipliedReportingOverflow(by: dtype.byteCount).overflow else {
            throw PickleFault("a storage has \(count) elements, more than 2^63 bytes")
        }
        return PickleStorage(key: key, dtype: dtype, count: count)
    }

    /// Storage, offset, shape, strides and what is not needed: whether it was trained, hooks.
    private mutating func tensor(
        _ arguments: [PickleValue],
        _ global: PickleGlobal
    ) throws(PickleFault) -> PickleTensor {
        guard arguments.count >= 4, case .storage(let storage) = arguments[0],
            case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
            let strides = integers(arguments[3])
        else {
            throw PickleFault(
                "\(global.name): a storage, an offset, a shape and strides were expected"
            )
        }
        try charge(shape.count + strides.count)
        return try PickleTensor(storage: storage, offset: offset, shape: shape, strides: strides)
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard let items = items(value, .tuple, .list) else { return nil }
        var numbers = [Int]()
        for item in items {
            guard case .integer(let number) = item else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    /// `OrderedDict()`, `OrderedDict([(key, value), …])` or `Counter({…})`.
    private mutating func dictionary(
        _ arguments: [PickleValue],
        _ global: PickleGlobal
    ) throws(PickleFault) -> PickleValue {
        guard let argument = arguments.first else { return try make(.dictionary) }
        if let items = items(argument, .dictionary) { return try make(.dictionary, items) }
        var members = [PickleValue]()
        for pair in items(argument, .list, .tuple) ?? [argument] {
            guard let parts = items(pair, .list, .tuple), parts.count == 2 else {
                throw PickleFault("\(global.name): pairs were expected, not \(pair.kind)")
            }
            members += parts
        }
        return try make(.dictionary, members)
    }

    /// The parts of a path; the first one may be the root.
    private func joined(_ parts: [String]) -> String {
        guard let first = parts.first, first.hasSuffix("/") else {
            return parts.joined(separator: "/")
        }
        return first + parts.dropFirst().joined(separator: "/")
    }
}
