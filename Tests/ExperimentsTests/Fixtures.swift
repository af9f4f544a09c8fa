import Checkpoints
import Experiments
import Foundation
import Models
import Torch

/// A pipeline on the processor, in float32, that tells nothing.
func pipeline(
    _ recipe: Recipe,
    _ url: URL,
    isInterrupted: @escaping () -> Bool = { false }
) throws -> Pipeline {
    try Pipeline(
        recipe,
        in: url,
        environment: .init(isInterrupted: isInterrupted),
        observer: SilentObserver()
    )
}

/// Writes the two files of a tiny autoencoder with random weights.
///
/// - Returns: What a recipe calls it: the folder and the name in front of `_encoder.safetensors`.
@discardableResult
func writeTinyAutoencoder(
    named name: String = "small",
    latentChannels: Int = 4,
    in folder: URL
) throws -> String {
    let model = try TinyAutoencoder(.init(latentChannels: latentChannels, width: 8))
    var generator = RandomGenerator(seed: 2, purpose: .initialization)
    model.initializeWeights(using: &generator)
    for part in ["encoder", "decoder"] {
        try Safetensors.save(
            model.state().removingPrefix("\(part)."),
            to: folder.appendingPathComponent("\(name)_\(part).safetensors")
        )
    }
    return folder.appendingPathComponent(name).path
}

/// An observer that keeps what it is warned of.
final class Listener: RunObserver {
    var warnings: [String] = []
    func note(_ text: String) {}
    func warn(_ text: String) { warnings.append(text) }
    func progress(stage: String, done: Int, total: Int, unit: String, detail: String) {}
}
