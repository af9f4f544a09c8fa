import Foundation
import Testing
import Torch

extension Tag {
    /// Compares with numbers of a reference implementation.
    @Tag public static var golden: Self
    /// Takes more than a few seconds.
    @Tag public static var slow: Self
}

// NB: libtorch must load its CUDA part before anything else is asked of it. Traits are evaluated
// before the first test runs.
private let seesCUDA = (try? Device.loadAccelerators()) == true && Device.cudaIsAvailable

/// Whether kernels do nothing: see Scripts/cuda-stand-in.sh.
private let isStandIn = ProcessInfo.processInfo.environment["CUDA_STAND_IN"] != nil

extension Device {
    /// Where tests compute that compare with a reference: the processor, and a GPU if there is one.
    ///
    /// NB: their suite has the trait `comparesDevices`.
    public static let tested: [Device] = seesCUDA && !isStandIn ? [.cpu, .cuda] : [.cpu]
}

extension Trait where Self == ConditionTrait {
    /// Loads CUDA before the first test runs, which arguments alone do not.
    public static var comparesDevices: Self { .enabled(if: !Device.tested.isEmpty) }

    /// Skips the test, visibly, where no GPU computes.
    public static var requiresGPU: Self {
        .enabled(
            if: seesCUDA && !isStandIn,
            "needs a CUDA device and the CUDA build of libtorch"
        )
    }

    /// Skips the test, visibly, where libtorch sees no CUDA device, be it a stand-in.
    ///
    /// NB: Scripts/cuda-stand-in.sh runs the tests that have CUDA in their name or their suite's.
    public static var requiresCUDA: Self {
        .enabled(if: seesCUDA, "needs a CUDA device, or Scripts/cuda-stand-in.sh")
    }

    /// Skips the test, visibly, where there is no stand-in for CUDA.
    public static var requiresCUDAStandIn: Self {
        .enabled(if: seesCUDA && isStandIn, "needs Scripts/cuda-stand-in.sh")
    }
}

/// Runs a test by the operations of libtorch alone, as all devices but the processor do.
public func withoutFusedLoops(_ body: () throws -> Void) throws {
    _ = try #require(try Engine.withFusedLoops("none", body))
}
