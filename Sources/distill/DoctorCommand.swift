import ArgumentParser
import Experiments
import Foundation
import Torch
import Training

/// The command `distill doctor`.
struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reports what this machine offers: libtorch, devices, threads, speed, memory."
    )

    @OptionGroup var compute: ComputeOptions
    @OptionGroup var output: OutputOptions

    /// What was found.
    private struct Findings: Encodable {
        let version: String
        let commit: String
        let libtorch: String
        let device: String
        let cudaDevices: Int
        let cpuCapability: String
        let threads: Int
        let automaticPrecision: String
        /// Rates of matrix products of up to 2048×2048 in two types.
        let float32GFLOPs: Double
        let bfloat16GFLOPs: Double
        /// Memory of the machine, and of the device; the same for the processor.
        let memoryBytes: Int
        let deviceMemoryBytes: Int
        let gnuplot: String
    }

    func run() throws {
        try Failure.reporting {
            let environment = try compute.environment()
            let findings = Findings(
                version: Version.number,
                commit: Version.commit,
                libtorch: Engine.version,
                device: "\(environment.device)",
                cudaDevices: Device.cudaDeviceCount,
                cpuCapability: Engine.cpuCapability,
                threads: Engine.threadCount,
                automaticPrecision: Precision.automatic(on: environment.device).rawValue,
                float32GFLOPs: rate(.float32, on: environment.device),
                bfloat16GFLOPs: rate(.bfloat16, on: environment.device),
                memoryBytes: Memory.totalBytes(of: .cpu),
                deviceMemoryBytes: Memory.totalBytes(of: environment.device),
                gnuplot: Doctor.path(of: "gnuplot") ?? "not found (needed for the report's curves)"
            )
            guard !output.json else { return try Output.json(findings) }
            Output.line(
                """
                distill \(findings.version), commit \(findings.commit)
                libtorch        \(findings.libtorch), \(findings.cpuCapability)
                device          \(findings.device)\(cudaRemark(environment.device))
                threads         \(findings.threads)
                precision       auto selects \(findings.automaticPrecision) here
                matrix products \(Int(findings.float32GFLOPs)) GFLOP/s in float32, \
                \(Int(findings.bfloat16GFLOPs)) in bfloat16
                memory          \(Terminal.bytes(findings.memoryBytes))
                gnuplot         \(findings.gnuplot)
                """
            )
        }
    }

    /// What there is of CUDA, unless only the processor was asked for.
    private func cudaRemark(_ device: Device) -> String {
        guard compute.device != "cpu", !Device.mpsIsAvailable else { return "" }
        let count = Device.cudaDeviceCount
        if count > 0 {
            let memory = Terminal.bytes(Memory.totalBytes(of: device))
            return " with \(memory) (\(count) CUDA device\(count == 1 ? "" : "s"))"
        }
        // A library that does not load was reported when the device was chosen.
        guard let hasLibrary = try? Device.loadAccelerators() else { return "" }
        return hasLibrary
            ? " (a CUDA build of libtorch, but no CUDA device)" : " (a CPU build of libtorch)"
    }

    /// The best of five products, in 10⁹ operations a second.
    ///
    /// Where the hardware does not multiply the type, libtorch takes minutes for a large product:
    /// sizes grow from 256 to 2048 only as long as a product takes less than a tenth of a second.
    private func rate(_ dtype: DType, on device: Device) -> Double {
        func seconds(_ a: Tensor) -> Double {
            let start = ContinuousClock.now
            _ = a.matmul(a)
            device.synchronize()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        var rate = 0.0
        for size in [256, 512, 1024, 2048] {
            let a = Tensor.full([size, size], 0.5, dtype: dtype, device: device)
            let first = seconds(a)
            let count = first < 1 ? 5 : 1
            let best = (0..<count).map { _ in seconds(a) }.min() ?? first
            rate = 2 * Double(size * size * size) / best / 1e9
            if best > 0.1 { break }
        }
        return rate
    }

    private static func path(of program: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
