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
private let gpuIsAvailable: Bool = {
    try? Device.loadAccelerators()
    return Device.cudaIsAvailable
}()

extension Trait where Self == ConditionTrait {
    /// Skips the test, visibly, where libtorch sees no CUDA device.
    public static var requiresGPU: Self {
        .enabled(if: gpuIsAvailable, "needs a CUDA device and the CUDA build of libtorch")
    }
}
