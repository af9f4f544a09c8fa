import Foundation
import Torch

/// The type in which matrix products and convolutions are computed.
///
/// Weights, their updates and all that adds up many numbers stay in float32.
public enum Precision: String, Codable, Sendable, CaseIterable {
    /// Everything in float32. On CUDA libtorch's convolutions then read TF32, 10 bits of the 23, as
    /// those of the published code do.
    case float32
    /// Matrix products and convolutions in bfloat16: three decimal digits, the range of float32.
    case bfloat16

    /// The type to give to `withAutocast`; nil where nothing is to be cast.
    public var autocastType: DType? { self == .bfloat16 ? .bfloat16 : nil }

    /// The fastest one on a device: bfloat16 where the hardware multiplies it.
    public static func automatic(on device: Device) -> Precision {
        switch device.kind {
        case .cuda: device.multipliesBFloat16 ? .bfloat16 : .float32
        case .mps: .float32
        case .cpu: processorMultipliesBFloat16 ? .bfloat16 : .float32
        }
    }

    /// Whether the processor has instructions for products of bfloat16 numbers.
    static let processorMultipliesBFloat16: Bool = {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else {
            return false
        }
        let flags = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
        return flags.split(separator: " ").contains { $0 == "avx512_bf16" || $0 == "amx_bf16" }
    }()
}
