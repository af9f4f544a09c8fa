import Checkpoints
import Foundation
import Torch
import Training

/// What is kept of a measurement that is not finished: one safetensors file with the weights and
/// the momentum of the current seed, and the rest as JSON in its metadata.
struct EvaluationCheckpoint {
    /// What a measurement depends on: another one must not be continued with its weights.
    struct Identity: Codable, Equatable {
        let method: String
        let network: String
        let evaluationProtocol: String
        let train: EvaluationResult.Dataset
        let test: EvaluationResult.Dataset
        let seeds: [Int]
        let epochs: Int
        let evaluations: Int
        /// How the epoch is chosen, if that changes the training; nil: it does not.
        let selection: String?
        /// The SHA-256 of the teacher.
        let teacher: String?
        let precision: Precision
        let device: String
        /// Images a step: by some protocols a matter of the images per class; nil in checkpoints of
        /// versions that did not note it.
        let batchSize: Int?
        /// Whether the teacher's scores are stored, which rounds them; nil as above.
        let storesLabels: Bool?

        /// The names of the values that differ from those of another measurement.
        func differences(from other: Identity) -> [String] {
            func agree<Value: Equatable>(_ own: Value?, _ value: Value?) -> Bool {
                own == nil || value == nil || own == value
            }
            let pairs: [(String, Bool)] = [
                ("method", method == other.method),
                ("network", network == other.network),
                ("protocol", evaluationProtocol == other.evaluationProtocol),
                // Wherever the images lie.
                ("training set", train.fingerprint == other.train.fingerprint),
                ("test set", test.fingerprint == other.test.fingerprint),
                ("seeds", seeds == other.seeds),
                ("epochs", epochs == other.epochs),
                ("evaluations", evaluations == other.evaluations),
                ("selection", selection == other.selection),
                ("teacher", teacher == other.teacher),
                ("precision", precision == other.precision),
                ("device", device == other.device),
                ("batch size", agree(batchSize, other.batchSize)),
                ("stored labels", agree(storesLabels, other.storesLabels)),
            ]
            return pairs.filter { !$1 }.map(\.0)
        }
    }

    /// What is kept beside the tensors.
    struct Record: Codable {
        let identity: Identity
        /// The finished seeds, in order.
        var finished: [TrainingRecord] = []
        /// The seed in training.
        var current: TrainingRecord?
        /// Time of all runs so far.
        var seconds = 0.0
        /// Largest memory in use so far.
        var peakMemoryBytes = 0

        /// The same, going on as another evaluation that begins with the seeds that were begun here.
        ///
        /// - Parameter identity: The other evaluation.
        /// - Returns: Its record; nil if it differs in more than in later seeds.
        func continued(as identity: Identity) -> Record? {
            let begun = self.identity.seeds.prefix(finished.count + (current == nil ? 0 : 1))
            let differences = self.identity.differences(from: identity)
            guard differences.allSatisfy({ $0 == "seeds" }), identity.seeds.starts(with: begun)
            else {
                return nil
            }
            var record = Record(identity: identity)
            record.finished = finished
            record.current = current
            record.seconds = seconds
            record.peakMemoryBytes = peakMemoryBytes
            return record
        }
    }

    private static let key = "evaluation"

    var record: Record
    /// Weights and momentum of the seed in training.
    let tensors: StateDictionary

    /// Reads a checkpoint.
    static func load(_ url: URL) throws -> EvaluationCheckpoint {
        let file = try SafetensorsFile(contentsOf: url)
        guard let text = file.metadata[key] else {
            throw CheckpointError(
                .malformed,
                file: url.path,
                "This is no checkpoint of an evaluation.",
                remedy: "Remove it to begin anew."
            )
        }
        let record = try JSONDecoder().decode(Record.self, from: Data(text.utf8))
        return EvaluationCheckpoint(record: record, tensors: file.state())
    }

    /// Writes the checkpoint in the place of an older one.
    func save(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(record), as: UTF8.self)
        try Safetensors.save(tensors, metadata: [Self.key: text], to: url)
    }
}
