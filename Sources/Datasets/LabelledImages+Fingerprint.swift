import Foundation
import Images

extension LabelledImages {
    /// A hash that changes when the data change.
    ///
    /// The names of classes and images, their order, labels and contents count; the place where
    /// the data lie does not. Reads everything once, on all cores.
    ///
    /// - Returns: 64 hexadecimal digits.
    /// - Throws: The first `ImageError` of an image that cannot be read.
    public func fingerprint() throws -> String {
        let digests = Parallel.map(count: count) { index in
            Result { try contentDigest(at: index) }
        }
        var hash = SHA256()
        func add(_ text: String) {
            // The length in front keeps different lists from having the same bytes.
            hash.add(Array("\(text.utf8.count):\(text)\n".utf8))
        }
        add("labelled images 1")
        add("\(classNames.count)")
        classNames.forEach(add)
        add("\(count)")
        for (index, digest) in digests.enumerated() {
            add("\(label(at: index))")
            add(identifier(at: index))
            hash.add(try digest.get())
        }
        return hash.hexadecimalDigest
    }
}
