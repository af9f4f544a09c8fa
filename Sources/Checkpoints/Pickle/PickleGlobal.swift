import Torch

/// The names of Python that a checkpoint may mention.
///
/// They stand for data only: each is a case of this table, and nothing else is looked up anywhere.
enum PickleGlobal: Equatable {
    /// A function that describes a tensor as a view of a storage.
    case rebuildTensor(name: String)
    /// A function whose first argument is the tensor itself.
    case rebuildParameter(name: String)
    /// A function that calls another one and adds attributes.
    case rebuildFromType
    /// The type of a storage's elements.
    case storage(name: String, DType)
    /// A type of elements as a value.
    case dtype(String)
    /// A class of tensors, as an argument of `rebuildFromType`.
    case tensorClass(name: String)
    case dictionary(name: String)
    case set(name: String)
    /// `torch.Size`, a tuple.
    case size
    /// `torch.device`, read as its text.
    case device
    case namespace
    /// A path of the file system, read as its text.
    case path(name: String)
    /// How protocol 2 writes bytes: a text, and its encoding.
    case encode

    /// The Python name.
    var name: String {
        switch self {
        case .rebuildTensor(let name), .rebuildParameter(let name), .storage(let name, _),
            .tensorClass(let name), .dictionary(let name), .set(let name), .path(let name):
            name
        case .rebuildFromType: "torch._tensor._rebuild_from_type_v2"
        case .dtype(let name): "torch.\(name)"
        case .size: "torch.Size"
        case .device: "torch.device"
        case .namespace: "argparse.Namespace"
        case .encode: "_codecs.encode"
        }
    }

    /// Every name that is read, as the pickle writes it: module and name with a dot between.
    static let known: [String: PickleGlobal] = {
        var table: [String: PickleGlobal] = [
            "torch._tensor._rebuild_from_type_v2": .rebuildFromType,
            "torch.Size": .size,
            "torch.device": .device,
            "argparse.Namespace": .namespace,
            "_codecs.encode": .encode,
        ]
        for name in ["_rebuild_tensor", "_rebuild_tensor_v2"] {
            table["torch._utils.\(name)"] = .rebuildTensor(name: "torch._utils.\(name)")
        }
        for name in ["_rebuild_parameter", "_rebuild_parameter_with_state"] {
            table["torch._utils.\(name)"] = .rebuildParameter(name: "torch._utils.\(name)")
        }
        for name in ["torch.Tensor", "torch.nn.parameter.Parameter"] {
            table[name] = .tensorClass(name: name)
        }
        for name in ["collections.OrderedDict", "collections.Counter"] {
            table[name] = .dictionary(name: name)
        }
        for module in ["builtins", "__builtin__"] {
            for name in ["set", "frozenset"] {
                table["\(module).\(name)"] = .set(name: "\(module).\(name)")
            }
        }
        for module in ["pathlib", "pathlib._local"] {
            for name in ["PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"] {
                table["\(module).\(name)"] = .path(name: "\(module).\(name)")
            }
        }
        for (name, dtype) in storages {
            table["torch.\(name)"] = .storage(name: "torch.\(name)", dtype)
        }
        // Storages without a type hold bytes.
        table["torch.storage.UntypedStorage"] = .storage(
            name: "torch.storage.UntypedStorage",
            .uint8
        )
        for dtype in DType.allCases { table["torch.\(dtype)"] = .dtype("\(dtype)") }
        return table
    }()

    /// The classes of storages with elements that a tensor can have here.
    static let storages: [(name: String, dtype: DType)] = [
        ("FloatStorage", .float32), ("DoubleStorage", .float64), ("HalfStorage", .float16),
        ("BFloat16Storage", .bfloat16), ("LongStorage", .int64), ("IntStorage", .int32),
        ("ShortStorage", .int16), ("CharStorage", .int8), ("ByteStorage", .uint8),
        ("BoolStorage", .bool),
    ]
}
