import Dispatch
import Foundation

/// Loops over all cores.
package enum Parallel {
    /// Computes a value for every index, on all cores.
    ///
    /// - Parameters:
    ///   - count: The number of values.
    ///   - body: Computes one value; called from several threads at once.
    /// - Returns: The values in the order of their indices.
    package static func map<Value: Sendable>(
        count: Int,
        _ body: @Sendable (Int) -> Value
    ) -> [Value] {
        guard count > 0 else { return [] }
        // Small blocks keep all cores busy to the end; blocks of one would cost more than they do
        // when a value takes microseconds.
        let coreCount = ProcessInfo.processInfo.activeProcessorCount
        let blockSize = max(1, min(64, count / (coreCount * 8)))
        let blockCount = (count + blockSize - 1) / blockSize
        return [Value](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            // Every index is written once, by one thread.
            nonisolated(unsafe) let buffer = buffer
            DispatchQueue.concurrentPerform(iterations: blockCount) { block in
                for index in (block * blockSize)..<min((block + 1) * blockSize, count) {
                    buffer.initializeElement(at: index, to: body(index))
                }
            }
            initializedCount = count
        }
    }
}
