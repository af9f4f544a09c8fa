/// Hears how a run goes on; the command line draws progress from it.
public protocol RunObserver: AnyObject {
    /// Something worth a line.
    func note(_ text: String)
    /// Something the user should look at.
    func warn(_ text: String)
    /// A stage has come to `done` of `total` units.
    ///
    /// - Parameters:
    ///   - stage: For example `finetune`.
    ///   - done: Units done, those of earlier sessions included.
    ///   - total: All units.
    ///   - unit: For example `steps`.
    ///   - detail: For example the losses.
    func progress(stage: String, done: Int, total: Int, unit: String, detail: String)
}

/// An observer that ignores everything.
public final class SilentObserver: RunObserver {
    /// Makes one.
    public init() {}
    /// Ignored.
    public func note(_ text: String) {}
    /// Ignored.
    public func warn(_ text: String) {}
    /// Ignored.
    public func progress(stage: String, done: Int, total: Int, unit: String, detail: String) {}
}
