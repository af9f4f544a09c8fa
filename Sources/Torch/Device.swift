import CTorch
import Foundation

/// Where tensors live and operations run.
public struct Device: Sendable, Hashable {
    /// The kinds of device; the raw values are those of libtorch's `DeviceType`.
    public enum Kind: Int32, Sendable {
        case cpu = 0
        case cuda = 1
        case mps = 13
    }

    /// The kind of device.
    public let kind: Kind
    /// Which one of its kind, from 0.
    public let index: Int

    /// Names a device without checking that it exists.
    public init(_ kind: Kind, index: Int = 0) {
        self.kind = kind
        self.index = index
    }

    /// The processor.
    public static let cpu = Device(.cpu)
    /// The first CUDA device.
    public static let cuda = Device(.cuda)
    /// The GPU of a Mac.
    public static let mps = Device(.mps)
}

extension Device: CustomStringConvertible {
    /// The name as it is written on the command line: `cpu`, `cuda:0`, `mps`.
    public var description: String {
        switch kind {
        case .cpu: "cpu"
        case .cuda: "cuda:\(index)"
        case .mps: "mps"
        }
    }
}

extension Device {
    /// Loads the CUDA part of libtorch, where it is installed beside the CPU part.
    ///
    /// NB: it must be the first thing a program asks of this package: libtorch remembers from its
    /// first call that there is no CUDA. The device of a command is chosen before anything else.
    ///
    /// - Returns: Whether there is a CUDA part; a GPU need not be there.
    /// - Throws: `TorchError` if it is there and cannot be loaded.
    @discardableResult
    public static func loadAccelerators() throws(TorchError) -> Bool {
        var loaded = false
        let status = ct_cuda_load(&loaded)
        try throwing(status, "The CUDA part of libtorch is installed but does not load")
        return loaded
    }

    /// Whether libtorch sees at least one CUDA device.
    public static var cudaIsAvailable: Bool { cudaDeviceCount > 0 }

    /// Number of CUDA devices that libtorch sees.
    public static var cudaDeviceCount: Int {
        var count: Int32 = 0
        return ct_cuda_device_count(&count) == CT_OK ? Int(count) : 0
    }

    /// Whether this is a CUDA device with instructions for bfloat16, which those before Ampere lack.
    ///
    /// False for every other kind of device.
    public var multipliesBFloat16: Bool {
        var convolves = false
        return kind == .cuda && ct_cuda_convolves_bfloat16(Int32(index), &convolves) == CT_OK
            && convolves
    }

    /// Whether libtorch can use the GPU of this Mac.
    public static var mpsIsAvailable: Bool {
        var available = false
        return ct_mps_is_available(&available) == CT_OK && available
    }

    /// The best device there is: CUDA, else the GPU of a Mac, else the processor.
    public static var auto: Device {
        if cudaIsAvailable { return .cuda }
        if mpsIsAvailable { return .mps }
        return .cpu
    }

    /// Reads `cpu`, `cuda`, `cuda:N`, `mps` or `auto` and checks that the device exists.
    ///
    /// Call it before anything else: it loads the CUDA part of libtorch unless `name` is `cpu`.
    ///
    /// - Parameter name: The name of a device.
    /// - Returns: The device.
    /// - Throws: `TorchError` for an unknown name or a device this machine does not offer.
    public static func named(_ name: String) throws(TorchError) -> Device {
        if name == "cpu" { return .cpu }
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        let index = parts.count == 2 ? Int(parts[1]) : 0
        guard let kind = parts.first, parts.count <= 2, let index, index >= 0,
            ["auto", "cuda", "mps"].contains(kind), parts.count == 1 || kind == "cuda"
        else {
            throw TorchError(
                .deviceUnavailable,
                "\"\(name)\" is no device: expected cpu, cuda, cuda:N, mps or auto."
            )
        }
        let hasCUDALibrary = try loadAccelerators()
        switch kind {
        case "auto":
            return auto
        case "mps":
            guard mpsIsAvailable else {
                throw TorchError(
                    .deviceUnavailable,
                    "The device mps needs a Mac with an Apple GPU. Use --device cpu."
                )
            }
            return .mps
        default:
            let count = cudaDeviceCount
            guard index < count else {
                throw missing(name, count: count, hasCUDALibrary: hasCUDALibrary)
            }
            return Device(.cuda, index: index)
        }
    }

    private static func missing(_ name: String, count: Int, hasCUDALibrary: Bool) -> TorchError {
        let (seen, remedy) =
            if count > 0 {
                (
                    "only cuda:0" + (count == 1 ? "" : " to cuda:\(count - 1)"),
                    "CUDA_VISIBLE_DEVICES may hide others. Choose one of these, or --device cpu."
                )
            } else if hasCUDALibrary {
                (
                    "no CUDA device",
                    "`nvidia-smi` tells whether the driver works and is recent enough for this "
                        + "build, and CUDA_VISIBLE_DEVICES may hide devices. Or use --device cpu."
                )
            } else {
                (
                    "no CUDA device",
                    "This is a CPU build of it. Use --device cpu, or install the CUDA build of "
                        + "torch and run `make setup` again."
                )
            }
        return TorchError(
            .deviceUnavailable,
            "The device \(name) is not there: libtorch \(Engine.version) sees \(seen). \(remedy)"
        )
    }

    /// Waits until all work given to the device is done.
    public func synchronize() {
        check("synchronize", ct_device_synchronize(kind.rawValue, Int32(index)))
    }
}

/// What a stage of work needs of memory.
public enum Memory {
    /// The largest resident set of this process since the last reset, in bytes; on a CUDA device
    /// the largest amount its allocator had given out.
    ///
    /// - Parameter device: Where the work runs.
    /// - Returns: Bytes.
    public static func peakBytes(on device: Device) -> Int {
        if device.kind == .cuda {
            var current: Int64 = 0
            var peak: Int64 = 0
            check(
                "peakBytes",
                ct_device_memory(device.kind.rawValue, Int32(device.index), &current, &peak)
            )
            return Int(peak)
        }
        #if os(Linux)
            return statusValue("VmHWM:") ?? 0
        #else
            var usage = rusage()
            getrusage(RUSAGE_SELF, &usage)
            return Int(usage.ru_maxrss)
        #endif
    }

    /// All memory that a device has, in bytes: that of the machine, or of a GPU with its own.
    ///
    /// - Parameter device: The device.
    /// - Returns: Bytes.
    public static func totalBytes(of device: Device) -> Int {
        guard device.kind == .cuda else { return Int(ProcessInfo.processInfo.physicalMemory) }
        var bytes: Int64 = 0
        let index = Int32(device.index)
        check("totalBytes", ct_device_total_memory(device.kind.rawValue, index, &bytes))
        return Int(bytes)
    }

    /// The resident set of this process now, in bytes; 0 where the system does not tell.
    public static var residentBytes: Int {
        #if os(Linux)
            return statusValue("VmRSS:") ?? 0
        #else
            return 0
        #endif
    }

    /// Starts a new measurement of the peak, where the system allows it.
    ///
    /// What was freed before goes back to the system: kept for later tensors it would count as part
    /// of their peak.
    ///
    /// - Parameter device: Where the work runs.
    public static func resetPeak(on device: Device) {
        check("resetPeak", ct_memory_give_back())
        if device.kind == .cuda {
            check(
                "resetPeak",
                ct_device_reset_peak_memory(device.kind.rawValue, Int32(device.index))
            )
        }
        #if os(Linux)
            // "5" resets the peak of the resident set, see proc(5).
            if let file = fopen("/proc/self/clear_refs", "w") {
                fputs("5", file)
                fclose(file)
            }
        #endif
    }

    /// What the tensors that `body` makes take at the same time at most, in bytes.
    ///
    /// Counted are those on the processor that this thread makes: exact, unlike the resident set.
    ///
    /// - Parameter body: The work; it frees no older tensors.
    /// - Returns: Bytes.
    package static func peakTensorBytes(_ body: () -> Void) -> Int {
        var meter: UnsafeMutableRawPointer? = nil
        check("peakTensorBytes", ct_memory_meter_begin(&meter))
        guard let meter else { trap("peakTensorBytes: no meter") }
        var peak: Int64 = 0
        body()
        check("peakTensorBytes", ct_memory_meter_end(meter, &peak))
        return Int(peak)
    }

    private static func statusValue(_ key: String) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }),
            let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst()
                .first.flatMap({ Int($0) })
        else { return nil }
        return kibibytes * 1024
    }
}
