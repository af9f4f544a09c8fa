import Foundation

/// Standard output and standard error, which may be full, closed or gone.
enum StandardStreams {
    /// Prepares them, before any file is opened.
    static func prepare() {
        // A file that is opened later must not take the place of a closed stream, or what is
        // printed would go into it.
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(descriptor, F_GETFD) < 0 {
            // Open for the other direction: it stays unusable.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        // `write` tells of a reader that is gone. Programs that are started inherit no handler, but
        // they would inherit SIG_IGN.
        signal(SIGPIPE) { _ in }
    }

    /// Writes text.
    ///
    /// - Parameters:
    ///   - text: Any text.
    ///   - descriptor: The stream.
    /// - Returns: 0, or the number of the system's error.
    static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let (count, code) = rest.withUnsafeBytes { bytes in
                (Foundation.write(descriptor, bytes.baseAddress, bytes.count), errno)
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if code == EAGAIN {
                // Another program has told the stream not to wait.
                var place = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&place, 1, -1)
            } else if code != EINTR {
                return code
            }
        }
        return 0
    }
}
