import Torch

/// What a pickle of a checkpoint can hold: plain data and descriptions of tensors, nothing that
/// could be executed.
///
/// Containers are numbers of the machine that made them: a pickle may nest containers deeply, and
/// put one into itself.
enum PickleValue: Equatable {
    case none
    case bool(Bool)
    case integer(Int)
    /// A number beyond 64 bits, little-endian, in two's complement.
    case largeInteger([UInt8])
    case number(Double)
    case text(String)
    case bytes([UInt8])
    case global(PickleGlobal)
    case container(Int)
    case storage(PickleStorage)
    case tensor(PickleTensor)

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .none: "None"
        case .bool: "a truth value"
        case .integer, .largeInteger: "a whole number"
        case .number: "a number"
        case .text: "a string"
        case .bytes: "bytes"
        case .global(let global): global.name
        case .container: "a container"
        case .storage: "a storage"
        case .tensor: "a tensor"
        }
    }
}

/// A list, tuple, set or dictionary.
struct PickleContainer {
    enum Kind {
        case list, tuple, set
        /// The items are a key, its value, the next key…
        case dictionary
        /// Attributes of an `argparse.Namespace`, stored as a dictionary.
        case namespace
    }

    let kind: Kind
    var items: [PickleValue]

    var isDictionary: Bool { kind == .dictionary || kind == .namespace }
}

/// One block of memory that tensors are views of; it lies outside of the pickle.
struct PickleStorage: Equatable {
    /// Its name in the file.
    let key: String
    let dtype: DType
    /// Number of its elements.
    let count: Int
}

/// A view of a storage, in elements.
struct PickleTensor: Equatable {
    let storage: PickleStorage
    let offset: Int
    let shape: [Int]
    let strides: [Int]

    /// The elements of the storage from the first to the last that the tensor has.
    var extent: Range<Int> {
        guard !shape.contains(0) else { return offset..<offset }
        let last = zip(shape, strides).reduce(offset) { $0 + ($1.0 - 1) * $1.1 }
        return offset..<last + 1
    }

    /// Describes a view.
    ///
    /// - Throws: `Fault` if the numbers contradict each other or the size of the storage.
    init(
        storage: PickleStorage,
        offset: Int,
        shape: [Int],
        strides: [Int]
    ) throws(PickleFault) {
        guard shape.count == strides.count else {
            throw PickleFault(
                "a tensor of shape \(shape) should have \(shape.count) strides, not \(strides)"
            )
        }
        guard shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }), offset >= 0 else {
            throw PickleFault(
                "a tensor has the shape \(shape), strides \(strides) and offset \(offset); none "
                    + "of these numbers may be negative"
            )
        }
        // An axis of size 0 hides an overflow of the others from the product, so it counts as 1.
        var size = storage.dtype.byteCount
        var end: Int? = offset
        for (count, stride) in zip(shape, strides) {
            let (product, overflow) = size.multipliedReportingOverflow(by: max(count, 1))
            guard !overflow else {
                throw PickleFault("a tensor of shape \(shape) has more than 2^63 bytes")
            }
            size = product
            let (reach, overflows) = stride.multipliedReportingOverflow(by: max(count, 1) - 1)
            let sum = end?.addingReportingOverflow(reach)
            end = overflows || sum?.overflow == true ? nil : sum?.partialValue
        }
        let isEmpty = shape.contains(0)
        guard let end, isEmpty ? offset <= storage.count : end < storage.count else {
            throw PickleFault(
                "a tensor of shape \(shape) with strides \(strides) from element \(offset) on "
                    + "reaches beyond its storage of \(storage.count) elements"
            )
        }
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides
    }
}

/// Why a pickle is refused; the machine adds the place.
struct PickleFault: Error {
    let reason: String
    /// Whether the pickle is valid, but asks for something that is not read here.
    let isUnsupported: Bool

    init(_ reason: String, isUnsupported: Bool = false) {
        self.reason = reason
        self.isUnsupported = isUnsupported
    }
}
