import Checkpoints
import Foundation
import Training

extension Checkpoint {
    /// What is told of a trained network (`distill evaluate --save`), as pairs of a name and words;
    /// nil if the file is none.
    public var trainedNetworkFacts: [(name: String, value: String)]? {
        guard let network = try? TrainedNetwork(self).description else { return nil }
        let size = network.imageSize
        var facts = [
            (name: "model", value: "\(network.network), trained to tell classes apart"),
            ("images", "\(size)×\(size)×\(network.channels)"),
            ("classes", network.classNames.joined(separator: ", ")),
            ("trained on", network.origin),
        ]
        if let accuracy = network.accuracy {
            let percent = String(format: "%.1f %%", accuracy * 100)
            facts.append(("accuracy", "\(percent) of the images it was tested on"))
        }
        return facts
    }
}
