import Foundation

/// Thrown where a run stops early after it has saved what it did.
public struct InterruptedError: Error, CustomStringConvertible, Sendable {
    /// What happened and how to go on.
    public var description: String {
        "Interrupted. Everything up to here is saved: run the same command again to go on."
    }
}

// A handler may do next to nothing, so it only counts the signals that came.
nonisolated(unsafe) private let signalCount: UnsafeMutablePointer<sig_atomic_t> = {
    let count = UnsafeMutablePointer<sig_atomic_t>.allocate(capacity: 1)
    count.initialize(to: 0)
    return count
}()

/// Whether the user or the scheduler has asked the program to stop.
public enum Interruption {
    /// Lets the signals through that a parent has blocked: its mask is inherited.
    public static func unblock() {
        var none = sigset_t()
        sigemptyset(&none)
        sigprocmask(SIG_SETMASK, &none, nil)
    }

    /// Listens to SIGINT, SIGTERM and SIGUSR1 instead of letting them end the process; a second
    /// signal ends it at once.
    ///
    /// Only for work that asks for them with `isRequested`, and saves what it has done.
    public static func listen() {
        signalCount.pointee = 0
        for number in [SIGINT, SIGTERM, SIGUSR1] {
            signal(number) { _ in
                signalCount.pointee += 1
                if signalCount.pointee > 1 { _exit(130) }
            }
        }
        unblock()
    }

    /// Whether a signal has come.
    public static var isRequested: Bool { signalCount.pointee > 0 }
}
