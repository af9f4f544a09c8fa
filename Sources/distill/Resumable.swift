/// A command that saves what it has done when a signal comes, so that it can be continued.
///
/// In all others a signal has its usual effect: they end at once.
protocol Resumable {
    /// Whether it does so as it was called: an estimate or a list has nothing to save.
    var savesWhenInterrupted: Bool { get }
}

/// A command that works on a run folder.
protocol RunCommand: Resumable {
    var options: RunOptions { get }
}

extension RunCommand {
    var savesWhenInterrupted: Bool { !options.dryRun }
}

extension Run: RunCommand {}
extension Encode: RunCommand {}
extension Pretrain: RunCommand {}
extension Finetune: RunCommand {}
extension Sample: RunCommand {}
extension Baseline: RunCommand {}

extension Evaluate: Resumable {
    var savesWhenInterrupted: Bool { !dryRun }
}

extension Rank: Resumable {
    var savesWhenInterrupted: Bool { !dryRun }
}

extension Compare: Resumable {
    var savesWhenInterrupted: Bool { !dryRun && !listCells }
}

extension FetchFiles: Resumable {
    var savesWhenInterrupted: Bool { !dryRun && name != nil }
}
