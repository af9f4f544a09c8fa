import Dispatch
import Foundation

/// Thrown where a run stops early after it has saved what it did.
public struct InterruptedError: Error, CustomStringConvertible, Sendable {
    /// What happened and how to go on.
    public var description: String {
        "Interrupted. Everything up to here is saved: run the same command again to go on."
    }
}

/// Whether the user or the scheduler has asked the program to stop.
public final class Interruption: @unchecked Sendable {
    /// The one of this process.
    public static let shared = Interruption()

    private let lock = NSLock()
    private var requested = false
    private var sources = [any DispatchSourceSignal]()

    /// Listens to SIGINT, SIGTERM and SIGUSR1 instead of letting them end the process; a second
    /// signal ends it at once.
    public func listen() {
        for number in [SIGINT, SIGTERM, SIGUSR1] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [self] in
                let isSecond = lock.withLock {
                    defer { requested = true }
                    return requested
                }
                if isSecond { _exit(130) }
            }
            source.resume()
            sources.append(source)
        }
    }

    /// Whether a signal has come.
    public var isRequested: Bool { lock.withLock { requested } }
}
