import Foundation

/// A whole file in memory, as long as this object lives.
///
/// The pages are private copies on write: what is written into them never reaches the file.
package final class FileMapping {
    /// Path of the file.
    package let path: String
    /// The bytes of the file.
    package let bytes: UnsafeMutableRawBufferPointer

    /// Maps a file.
    package init(contentsOf url: URL) throws(CheckpointError) {
        path = url.path
        // Without O_NONBLOCK, opening a pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .reading(path, errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .reading(path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CheckpointError(
                .unreadable,
                file: path,
                "A file was expected, but this is a folder, a device or a pipe.",
                remedy: "Check the path."
            )
        }
        guard status.st_size > 0 else {
            bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            return
        }
        let size = Int(status.st_size)
        let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw .reading(path, errno: errno) }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
    }

    deinit { if let address = bytes.baseAddress { munmap(address, bytes.count) } }
}
