import Foundation

/// Recipes, weights and lists that come with the command.
///
/// In a checkout they lie in its folders `Recipes` and `Resources`. `make install` puts them into
/// `share/distill` beside the command's `bin`. A recipe can name them from any folder.
public enum InstalledFiles {
    /// Finds a file.
    ///
    /// - Parameter path: Absolute, or relative to the working folder; `~` is the home folder.
    /// - Returns: The file itself; if it is not there, the one of this relative path that was
    ///   installed with the command or lies in its checkout; if there is none, the first again.
    public static func url(_ path: String) -> URL {
        let expanded = (path as NSString).expandingTildeInPath
        let own = URL(fileURLWithPath: expanded)
        guard !expanded.isEmpty, !expanded.hasPrefix("/"), !exists(own) else { return own }
        return folders.map { $0.appendingPathComponent(expanded) }.first(where: exists) ?? own
    }

    /// The checkout that the running command was built in, and still lies in; nil if there is none.
    static var checkout: URL? { checkouts.first }

    /// `share/distill`, then the folders above the command that are a checkout.
    private static let folders: [URL] =
        executable.map {
            let prefix = $0.deletingLastPathComponent().deletingLastPathComponent()
            return [prefix.appendingPathComponent("share/distill")] + checkouts
        } ?? []

    /// The folders above the command that are a checkout, the nearest first.
    private static let checkouts: [URL] = {
        guard var folder = executable?.deletingLastPathComponent() else { return [] }
        var result = [URL]()
        while folder.path != "/" {
            if exists(folder.appendingPathComponent("Package.swift")) { result.append(folder) }
            folder.deleteLastPathComponent()
        }
        return result
    }()

    /// The running command.
    ///
    /// The first argument would not do: of a command found on the PATH it is no path.
    private static var executable: URL? { Bundle.main.executableURL?.resolvingSymlinksInPath() }

    private static func exists(_ url: URL) -> Bool {
        FileManager.default.fileExists(atPath: url.path)
    }
}
