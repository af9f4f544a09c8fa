import CTorch

/// A multi-dimensional array of libtorch.
///
/// A `Tensor` is one reference to a native tensor and is released with its last Swift reference.
/// Misuse (shapes, types, devices) ends the program with the operation's name and the shapes of
/// its operands; nothing ever returns a poisoned tensor.
///
/// NB: a named `let` lives to the end of its function, in optimised builds too. A forward pass
/// therefore rebinds one `var x`, so that each intermediate result is freed as soon as possible.
public final class Tensor {
    /// The native reference, valid as long as this object lives.
    package let handle: OpaquePointer

    /// Takes ownership of a native reference.
    package init(owning handle: OpaquePointer) {
        self.handle = handle
    }

    deinit { ct_tensor_free(handle) }
}

// MARK: - Creation

extension Tensor {
    /// A tensor whose elements are all `value`.
    ///
    /// - Parameters:
    ///   - shape: Its sizes.
    ///   - value: Every element.
    ///   - dtype: Type of the elements.
    ///   - device: Where it lives.
    /// - Returns: The tensor.
    public static func full(
        _ shape: [Int],
        _ value: Double,
        dtype: DType = .float32,
        device: Device = .cpu
    ) -> Tensor {
        of("full") {
            ct_tensor_full(
                shape.int64,
                shape.count,
                value,
                dtype.rawValue,
                device.kind.rawValue,
                Int32(device.index),
                &$0
            )
        }
    }

    /// A tensor of zeros.
    public static func zeros(
        _ shape: [Int],
        dtype: DType = .float32,
        device: Device = .cpu
    ) -> Tensor {
        full(shape, 0, dtype: dtype, device: device)
    }

    /// A tensor of ones.
    public static func ones(
        _ shape: [Int],
        dtype: DType = .float32,
        device: Device = .cpu
    ) -> Tensor {
        full(shape, 1, dtype: dtype, device: device)
    }

    /// A tensor with undefined elements, to be written next.
    public static func empty(
        _ shape: [Int],
        dtype: DType = .float32,
        device: Device = .cpu
    ) -> Tensor {
        of("empty") {
            ct_tensor_empty(
                shape.int64,
                shape.count,
                dtype.rawValue,
                device.kind.rawValue,
                Int32(device.index),
                &$0
            )
        }
    }

    /// A tensor of zeros with the shape, type, device and memory layout of another one.
    public static func zeros(like other: Tensor) -> Tensor {
        of("zeros", other) { ct_tensor_zeros_like(other.handle, &$0) }
    }

    /// The numbers `start`, `start + step`, … below `end`, on the CPU.
    public static func range(
        from start: Double = 0,
        to end: Double,
        by step: Double = 1,
        dtype: DType = .float32
    ) -> Tensor {
        of("range") { ct_tensor_range(start, end, step, dtype.rawValue, &$0) }
    }

    /// Copies Swift values, in row-major order, into a CPU tensor.
    ///
    /// - Parameters:
    ///   - values: As many values as the shape has elements.
    ///   - shape: The sizes; one axis for all values if it is not given.
    public convenience init<Element: TensorElement>(_ values: [Element], shape: [Int]? = nil) {
        let shape = shape ?? [values.count]
        self.init(
            bytes: values.withUnsafeBytes { Array($0) },
            shape: shape,
            dtype: Element.dtype
        )
    }

    /// A tensor without axes.
    public convenience init(_ value: Float) { self.init([value], shape: []) }

    /// Copies raw bytes, in row-major order and the byte order of this machine.
    ///
    /// - Parameters:
    ///   - bytes: The elements' bytes.
    ///   - shape: The sizes.
    ///   - dtype: Type of the elements.
    public convenience init(bytes: [UInt8], shape: [Int], dtype: DType) {
        guard bytes.count == shape.reduce(dtype.byteCount, *) else {
            trap(
                "Tensor(_:shape:): \(dtype) of shape \(shape) needs \(shape.reduce(1, *)) "
                    + "elements, but \(bytes.count / dtype.byteCount) were given"
            )
        }
        var result: OpaquePointer? = nil
        let status = bytes.withUnsafeBytes { buffer in
            withUnsafePointer(to: UInt8(0)) { nothing in
                ct_tensor_from_bytes(
                    buffer.baseAddress ?? UnsafeRawPointer(nothing),
                    buffer.count,
                    shape.int64,
                    shape.count,
                    dtype.rawValue,
                    &result
                )
            }
        }
        check("Tensor(bytes:shape:dtype:)", status)
        guard let result else { trap("Tensor(bytes:): no result") }
        self.init(owning: result)
    }

    /// A tensor over memory of someone else, which `owner` keeps alive.
    ///
    /// - Parameters:
    ///   - memory: Address of the first element, aligned for `dtype`.
    ///   - shape: The sizes.
    ///   - strides: Elements to skip along each axis; row-major if not given.
    ///   - dtype: Type of the elements.
    ///   - owner: Released when the last reference to the memory is gone.
    package convenience init(
        memory: UnsafeMutableRawPointer,
        shape: [Int],
        strides: [Int]? = nil,
        dtype: DType,
        owner: AnyObject
    ) {
        var result: OpaquePointer? = nil
        let context = Unmanaged.passRetained(owner).toOpaque()
        let status = ct_tensor_from_memory(
            memory,
            shape.int64,
            strides?.int64,
            shape.count,
            dtype.rawValue,
            { Unmanaged<AnyObject>.fromOpaque($0).release() },
            context,
            &result
        )
        check("Tensor(memory:)", status)
        guard let result else { trap("Tensor(memory:): no result") }
        self.init(owning: result)
    }
}

// MARK: - Description

extension Tensor {
    /// Number of axes.
    public var rank: Int {
        var rank = 0
        Tensor.run("rank", self) { ct_tensor_rank(handle, &rank) }
        return rank
    }

    /// The size of every axis.
    public var shape: [Int] { list { ct_tensor_sizes(handle, $0) } }

    /// Elements to skip for the next index of every axis.
    public var strides: [Int] { list { ct_tensor_strides(handle, $0) } }

    private func list(_ body: (UnsafeMutablePointer<Int64>) -> Int32) -> [Int] {
        let rank = rank
        return withUnsafeTemporaryAllocation(of: Int64.self, capacity: Swift.max(rank, 1)) {
            buffer in
            guard let base = buffer.baseAddress else { return [] }
            Tensor.run("shape", self) { body(base) }
            return buffer.prefix(rank).map { Int($0) }
        }
    }

    /// The size of one axis; negative axes count from the end.
    public func size(along axis: Int) -> Int {
        let shape = shape
        let position = axis < 0 ? axis + shape.count : axis
        guard shape.indices.contains(position) else {
            trap("size(along: \(axis)): the shape \(shape) has no such axis")
        }
        return shape[position]
    }

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// Type of the elements.
    public var dtype: DType {
        var value: Int32 = 0
        Tensor.run("dtype", self) { ct_tensor_dtype(handle, &value) }
        guard let dtype = DType(rawValue: value) else {
            trap("dtype: libtorch's type number \(value) has no name here")
        }
        return dtype
    }

    /// Where the tensor lives.
    public var device: Device {
        var kind: Int32 = 0
        var index: Int32 = 0
        Tensor.run("device", self) { ct_tensor_device(handle, &kind, &index) }
        guard let kind = Device.Kind(rawValue: kind) else {
            trap("device: libtorch's device number \(kind) has no name here")
        }
        return Device(kind, index: Int(index))
    }

    /// Whether the elements lie in row-major order, or in channels-last order if that is asked.
    public func isContiguous(channelsLast: Bool = false) -> Bool {
        var result = false
        Tensor.run("isContiguous", self) {
            ct_tensor_is_contiguous(handle, channelsLast, &result)
        }
        return result
    }

    /// Whether both tensors use the same memory.
    public func sharesStorage(with other: Tensor) -> Bool {
        var result = false
        Tensor.run("sharesStorage", self, other) {
            ct_tensor_shares_storage(handle, other.handle, &result)
        }
        return result
    }

    /// Whether both are references to one and the same native tensor.
    package func isSame(as other: Tensor) -> Bool {
        var result = false
        Tensor.run("isSame", self, other) { ct_tensor_is_same(handle, other.handle, &result) }
        return result
    }

    /// Address of the first element; the tensor must live on the CPU and stay alive meanwhile.
    package var dataPointer: UnsafeMutableRawPointer? {
        var pointer: UnsafeMutableRawPointer? = nil
        Tensor.run("dataPointer", self) { ct_tensor_data(handle, &pointer) }
        return pointer
    }
}

// MARK: - Copies

extension Tensor {
    /// The only element, as a number.
    public var item: Double {
        var value = 0.0
        Tensor.run("item", self) { ct_tensor_item(handle, &value) }
        return value
    }

    /// The elements in row-major order, converted where the tensor has another type than
    /// `Element`.
    ///
    /// Floating-point numbers lose their fraction as whole numbers; what a number beyond the range
    /// of `Element` becomes is not defined.
    public func values<Element: TensorElement>(as type: Element.Type = Element.self) -> [Element] {
        let source = dtype == Element.dtype ? self : converted(to: Element.dtype)
        let count = source.count
        return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let base = buffer.baseAddress, count > 0 {
                Tensor.run("values", source) {
                    ct_tensor_to_bytes(
                        source.handle,
                        UnsafeMutableRawPointer(base),
                        count * MemoryLayout<Element>.stride
                    )
                }
            }
            initialized = count
        }
    }

    /// The bytes of the elements in row-major order.
    public func bytes() -> [UInt8] {
        let size = count * dtype.byteCount
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
            if let base = buffer.baseAddress, size > 0 {
                Tensor.run("bytes", self) { ct_tensor_to_bytes(handle, base, size) }
            }
            initialized = size
        }
    }

    /// The same values with another type or on another device; the tensor itself if nothing
    /// changes.
    public func converted(to dtype: DType? = nil, device: Device? = nil) -> Tensor {
        let dtype = dtype ?? self.dtype
        let device = device ?? self.device
        return Tensor.of("converted", self) {
            ct_tensor_to(
                handle,
                dtype.rawValue,
                device.kind.rawValue,
                Int32(device.index),
                false,
                &$0
            )
        }
    }

    /// The same values on another device.
    ///
    /// A copy of up to 64 MiB to a CUDA device takes its turn there, and the program does not wait for
    /// it, unless the tensor requires gradients.
    public func moved(to device: Device) -> Tensor { converted(device: device) }

    /// A copy with memory of its own.
    public func copied() -> Tensor { Tensor.of("copied", self) { ct_tensor_clone(handle, &$0) } }

    /// The same values in row-major order, or in channels-last order if that is asked.
    public func contiguous(channelsLast: Bool = false) -> Tensor {
        Tensor.of("contiguous", self) { ct_tensor_contiguous(handle, channelsLast, &$0) }
    }

    /// Overwrites the elements with those of another tensor, which may differ in type or device.
    public func copy(from source: Tensor) {
        Tensor.run("copy", self, source) { ct_tensor_copy(handle, source.handle) }
    }
}

extension Tensor: CustomStringConvertible {
    /// Type, shape and device, and the values of a small tensor.
    public var description: String {
        let head = "Tensor(\(dtype), shape: \(shape), \(device)"
        guard count <= 16 else { return head + ")" }
        let values: [Double] = converted(to: .float64, device: .cpu).values()
        return head + ", \(values))"
    }
}

extension [Int] {
    /// The same numbers as the C boundary wants them.
    package var int64: [Int64] { map { Int64($0) } }
}
