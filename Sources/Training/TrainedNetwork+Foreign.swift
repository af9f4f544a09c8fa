import Checkpoints
import Foundation
import Torch

extension TrainedNetwork {
    /// Takes weights of others, which say nothing of network, classes and images.
    ///
    /// - Parameters:
    ///   - url: A state dictionary in safetensors or as `torch.save` writes it, plain or under
    ///     `state_dict`, `model` or `net`, with or without the `module.` of parallel training.
    ///   - description: What the weights are.
    /// - Throws: `CheckpointError` for a damaged file.
    public init(foreign url: URL, _ description: Description) throws(CheckpointError) {
        let checkpoint = try Checkpoint(contentsOf: url)
        var weights = checkpoint.state()
        for prefix in ["state_dict/", "model/", "net/", "module."] {
            let inside = weights.removingPrefix(prefix)
            if inside.count > 0 { weights = inside }
        }
        self.init(description: description, weights: weights)
    }
}
