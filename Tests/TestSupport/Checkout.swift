import Foundation

/// The checkout that the tests belong to.
public enum Checkout {
    /// Its folder.
    public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A file or folder of it.
    public static func url(_ path: String) -> URL { root.appendingPathComponent(path) }
}
