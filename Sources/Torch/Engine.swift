import CTorch
import Foundation

/// What went wrong inside libtorch where it depends on the world: devices, memory.
public struct TorchError: Error, CustomStringConvertible, Sendable {
    /// The kinds of failure.
    public enum Code: Sendable {
        /// Memory of the machine or of the accelerator is exhausted.
        case outOfMemory
        /// A device was named that this machine or this libtorch does not offer.
        case deviceUnavailable
        /// libtorch refused, for the reason in the message.
        case refused
    }

    /// The kind of failure.
    public let code: Code
    /// What happened, and what to do about it.
    public let message: String

    /// Makes an error with a message of its own.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

/// The engine behind every tensor.
public enum Engine {
    /// The version of libtorch, for example "2.13.0".
    public static var version: String { String(cString: ct_version()) }

    /// The vector instructions libtorch's kernels use here, for example "AVX512".
    public static var cpuCapability: String {
        var name: UnsafePointer<CChar>? = nil
        withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: UnsafePointer<CChar>.self, capacity: 1) {
                check("cpuCapability", ct_cpu_capability($0))
            }
        }
        return name.map { String(cString: $0) } ?? "unknown"
    }

    /// Number of threads an operation on the CPU may use.
    public static var threadCount: Int {
        get {
            var count: Int32 = 0
            check("threadCount", ct_threads_get(&count))
            return Int(count)
        }
        set { check("threadCount", ct_threads_set(Int32(newValue))) }
    }

    /// Number of tensor references that exist now; leak tests compare it before and after.
    public static var liveTensorCount: Int { Int(ct_tensor_live_count()) }

    /// Number of tensor references this thread made minus those it freed: leak tests that run
    /// beside others compare it before and after.
    package static var threadTensorBalance: Int { Int(ct_tensor_thread_balance()) }

    /// Asks libtorch for deterministic kernels, where they exist.
    public static func useDeterministicAlgorithms(_ enabled: Bool) {
        check("useDeterministicAlgorithms", ct_deterministic_set(enabled))
    }

    /// Keeps freed memory of the CPU for the next tensors; programs call it once, when they start.
    ///
    /// Otherwise the C library gives large pieces back to the system at once, and every step of a
    /// training pays for getting them again, page by page: a tenth of the time of a small model.
    /// The resident memory then stays at its peak.
    ///
    /// - Returns: Whether the C library can do that; glibc can.
    @discardableResult
    public static func keepFreedMemory() -> Bool {
        var kept = false
        check("keepFreedMemory", ct_memory_keep(&kept))
        return kept
    }

    /// Treats denormal numbers as zero on this thread: they slow processors down by far.
    public static func flushDenormals(_ enabled: Bool) {
        check("flushDenormals", ct_denormals_flush(enabled))
    }
}

/// The message of the last error of this thread.
package func lastEngineMessage() -> String {
    var text = String(cString: ct_error_message())
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}

/// Ends the program because of a programming mistake.
///
/// `fatalError`, since `preconditionFailure` loses its message in optimised builds.
package func trap(_ message: String, file: StaticString = #fileID, line: UInt = #line) -> Never {
    fatalError(message, file: file, line: line)
}

/// Checks the status of a call that cannot fail unless it is misused.
@inline(__always)
package func check(_ operation: StaticString, _ status: Int32, _ operands: [Tensor?] = []) {
    if status != CT_OK { fail(operation, status, operands) }
}

@inline(never)
private func fail(_ operation: StaticString, _ status: Int32, _ operands: [Tensor?]) -> Never {
    let message = lastEngineMessage()
    let shapes = operands.compactMap { $0.map { "\($0.dtype)\($0.shape)" } }
    var text = "\(operation): \(message)"
    if !shapes.isEmpty { text += " (operands: \(shapes.joined(separator: ", ")))" }
    guard status == Int32(CT_ERROR_OUT_OF_MEMORY) else { trap(text) }
    // Not a mistake of the program: end it like any other command that fails.
    let remedy =
        "Use a smaller batch, a smaller model, or --precision bfloat16; for fine-tuning there is "
        + "also --set finetune.minimax.recomputesActivations=true."
    FileHandle.standardError.write(Data("Error: out of memory. \(text)\n\(remedy)\n".utf8))
    exit(1)
}

/// Throws the engine's message as an error where the caller can do something about it.
package func throwing(_ status: Int32, _ context: @autoclosure () -> String) throws(TorchError) {
    guard status != CT_OK else { return }
    let code: TorchError.Code =
        status == Int32(CT_ERROR_OUT_OF_MEMORY) ? .outOfMemory : .refused
    throw TorchError(code, "\(context()): \(lastEngineMessage())")
}

extension Tensor {
    /// Runs one operation of libtorch and takes its result.
    ///
    /// Every call into C goes through here or through `check`, with all its operands named: they
    /// are kept alive until the call has returned. A handle read from a tensor that nothing
    /// refers to any more dangles in optimised builds.
    @inline(__always)
    package static func of(
        _ operation: StaticString,
        _ operands: Tensor?...,
        body: (inout OpaquePointer?) -> Int32
    ) -> Tensor {
        var result: OpaquePointer? = nil
        withExtendedLifetime(operands) {
            check(operation, body(&result), operands)
        }
        guard let result else { trap("\(operation): no result") }
        return Tensor(owning: result)
    }

    /// Runs one operation on a list of tensors and takes its result.
    @inline(__always)
    package static func of(
        _ operation: StaticString,
        list: [Tensor],
        body: (UnsafePointer<OpaquePointer>, inout OpaquePointer?) -> Int32
    ) -> Tensor {
        var result: OpaquePointer? = nil
        withHandles(list) { check(operation, body($0, &result), list) }
        guard let result else { trap("\(operation): no result") }
        return Tensor(owning: result)
    }

    /// Runs one operation that changes its first operand or only tells something about it.
    @inline(__always)
    package static func run(
        _ operation: StaticString,
        _ operands: Tensor?...,
        body: () -> Int32
    ) {
        withExtendedLifetime(operands) {
            check(operation, body(), operands)
        }
    }

    /// Calls `body` with the handles of a list, which is kept alive meanwhile.
    @inline(__always)
    package static func withHandles<Result>(
        _ tensors: [Tensor],
        _ body: (UnsafePointer<OpaquePointer>) throws -> Result
    ) rethrows -> Result {
        try withExtendedLifetime(tensors) {
            // An empty list still needs an address that is not null.
            var handles = tensors.map(\.handle)
            if handles.isEmpty, let unread = OpaquePointer(bitPattern: 16) {
                handles.append(unread)
            }
            return try handles.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { trap("withHandles: no storage") }
                return try body(base)
            }
        }
    }
}
