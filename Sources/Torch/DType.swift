/// The type of a tensor's elements.
///
/// The raw values are those of libtorch's `ScalarType`.
public enum DType: Int32, Sendable, Hashable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case int16 = 2
    case int32 = 3
    case int64 = 4
    case float16 = 5
    case float32 = 6
    case float64 = 7
    case bool = 11
    case bfloat16 = 15

    /// Size of one element in bytes.
    public var byteCount: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .int16, .float16, .bfloat16: 2
        case .int32, .float32: 4
        case .int64, .float64: 8
        }
    }

    /// Whether the elements are floating-point numbers.
    public var isFloatingPoint: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64: true
        default: false
        }
    }
}

extension DType: CustomStringConvertible {
    /// The name as it is written in recipes and messages: `float32`.
    public var description: String {
        switch self {
        case .uint8: "uint8"
        case .int8: "int8"
        case .int16: "int16"
        case .int32: "int32"
        case .int64: "int64"
        case .float16: "float16"
        case .float32: "float32"
        case .float64: "float64"
        case .bool: "bool"
        case .bfloat16: "bfloat16"
        }
    }
}

/// A Swift type whose values can be elements of a tensor.
public protocol TensorElement: BitwiseCopyable, Sendable {
    /// The element type of libtorch with the same bytes.
    static var dtype: DType { get }
}

extension UInt8: TensorElement {
    /// The type `uint8`.
    public static var dtype: DType { .uint8 }
}

extension Int32: TensorElement {
    /// The type `int32`.
    public static var dtype: DType { .int32 }
}

extension Int64: TensorElement {
    /// The type `int64`.
    public static var dtype: DType { .int64 }
}

extension Int: TensorElement {
    /// The type `int64`.
    public static var dtype: DType { .int64 }
}

extension Float: TensorElement {
    /// The type `float32`.
    public static var dtype: DType { .float32 }
}

extension Double: TensorElement {
    /// The type `float64`.
    public static var dtype: DType { .float64 }
}

extension Bool: TensorElement {
    /// The type `bool`.
    public static var dtype: DType { .bool }
}
