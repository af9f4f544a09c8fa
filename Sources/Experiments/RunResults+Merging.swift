import Checkpoints
import Evaluation
import Foundation

extension RunResults {
    /// Takes a result in.
    ///
    /// Of the same measurement, it takes the place of a result all of whose seeds it has, changes
    /// nothing beside one that has all of its seeds, and is joined with one that has other seeds.
    /// Else it stands beside the others.
    ///
    /// - Parameter result: The result.
    public mutating func merge(_ result: EvaluationResult) {
        results.removeAll {
            $0.isSameMeasurement(as: result) && Set($0.seeds).isSubset(of: result.seeds)
        }
        for (place, old) in results.enumerated() where old.isSameMeasurement(as: result) {
            if Set(result.seeds).isSubset(of: old.seeds) { return }
            if let joined = old.joined(with: result) {
                results[place] = joined
                return
            }
        }
        results.append(result)
    }

    /// Takes a result into a file of results, which is made if it is not there.
    ///
    /// Processes that do this at the same time wait for each other.
    ///
    /// - Parameters:
    ///   - result: The result.
    ///   - file: The file; its folder must exist.
    /// - Returns: All results of the file.
    /// - Throws: `RunError` if the file is no file of results, `CheckpointError` if it cannot be
    ///   written.
    @discardableResult
    public static func merge(_ result: EvaluationResult, into file: URL) throws -> RunResults {
        let folder = file.deletingLastPathComponent().path
        let lock = open(folder, O_RDONLY | O_CLOEXEC)
        defer { if lock >= 0 { close(lock) } }
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else {
            throw RunError(
                .unusable,
                "\(folder) cannot be locked: \(String(cString: strerror(errno)))."
            )
        }
        var all = try read(file)
        all.merge(result)
        try AtomicFile.write(ReadableJSON.data(all), to: file)
        return all
    }

    /// Reads a file of results.
    ///
    /// - Parameter file: The file.
    /// - Returns: Its results; none if it is not there.
    /// - Throws: `RunError` if it is no file of results or that of a run, or cannot be read or
    ///   replaced.
    public static func read(_ file: URL) throws -> RunResults {
        let folder = file.deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw RunError(.unusable, "The folder \(folder) does not exist or is read-only.")
        }
        guard !FileManager.default.fileExists(atPath: folder + "/recipe.resolved.yaml") else {
            throw RunError(
                .invalidSettings,
                "\(folder) is the folder of a run, which keeps its own results: name a file elsewhere."
            )
        }
        guard FileManager.default.fileExists(atPath: file.path) else { return RunResults() }
        let data: Data
        do {
            data = try Data(contentsOf: file)
        } catch {
            throw RunError(
                .unusable,
                "\(file.path) cannot be read: \(error.systemReason)"
            )
        }
        do {
            return try JSONDecoder().decode(RunResults.self, from: data)
        } catch {
            throw RunError(
                .invalidSettings,
                "\(file.path) is no file of results, and stays as it is: name another one."
            )
        }
    }
}
