import Foundation

/// Recipes and weights that come with the command.
///
/// In a checkout they lie in its folders `Recipes` and `Resources`. `make install` puts them into
/// `share/distill` beside the command's `bin`, so that a recipe can name them from any folder.
public enum InstalledFiles {
    /// Finds a file.
    ///
    /// - Parameter path: Absolute, or relative to the working folder; `~` is the home folder.
    /// - Returns: The file itself; if it is not there, the one of this relative path that was
    ///   installed with the command; if that is not there either, the first again.
    public static func url(_ path: String) -> URL {
        let expanded = (path as NSString).expandingTildeInPath
        let own = URL(fileURLWithPath: expanded)
        guard !expanded.hasPrefix("/"), !FileManager.default.fileExists(atPath: own.path),
            let executable = Bundle.main.executableURL
        else { return own }
        let installed = executable.resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("share/distill/\(expanded)")
        return FileManager.default.fileExists(atPath: installed.path) ? installed : own
    }
}
