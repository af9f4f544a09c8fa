import ArgumentParser
import Checkpoints
import Datasets
import Evaluation
import Experiments
import Foundation
import Images
import Models
import NeuralNetworks
import Reporting
import Torch
import Training

/// An error with the exit code of this command line: 64 wrong usage, 65 bad input, 66 missing
/// file, 75 interrupted but resumable, 1 otherwise.
struct Failure: Error, CustomStringConvertible {
    let code: Int32
    let description: String

    init(_ code: Int32, _ description: String) {
        self.code = code
        self.description = description
    }

    /// Finds the exit code of an error of the libraries.
    init(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case is InterruptedError, is EvaluationInterruption: self.init(75, "\(error)")
        case let error as RecipeError: self.init(64, "\(error)")
        case let error as RunError: self.init(Failure.code(of: error), "\(error)")
        case let error as CheckpointError: self.init(Failure.code(of: error), "\(error)")
        case let error as DatasetError: self.init(Failure.code(of: error), "\(error)")
        case is StateMismatchError: self.init(65, "\(error)")
        case let error as TorchError:
            self.init(error.code == .deviceUnavailable ? 64 : 1, "\(error)")
        case is NetworkError: self.init(64, "\(error)")
        case let error as TrainingError:
            self.init(error.code == .invalidOption ? 64 : 65, "\(error)")
        case let error as ImageError: self.init(Failure.code(of: error), "\(error)")
        case let error as ReportError: self.init(Failure.code(of: error), "\(error)")
        case let error as DecodingError:
            self.init(65, "A JSON file is damaged or of another kind: \(Failure.fault(error)).")
        case let error as CocoaError:
            let file = error.filePath.map { "\($0): " } ?? ""
            self.init(Failure.code(of: error), "\(file)\(error.systemReason).")
        default: self.init(1, "\(error)")
        }
    }

    private static func code(of error: RunError) -> Int32 {
        switch error.code {
        case .otherRecipe, .invalidSettings: 64
        case .missingFile: 66
        case .malformed: 65
        case .locked, .unusable: 1
        }
    }

    private static func code(of error: CheckpointError) -> Int32 {
        switch error.code {
        case .notFound: 66
        case .malformed, .unsupported: 65
        case .unreadable, .unwritable, .diskFull: 1
        }
    }

    private static func code(of error: DatasetError) -> Int32 {
        switch error.code {
        case .missingFile: 66
        case .notWritable, .diskFull: 1
        default: 65
        }
    }

    private static func code(of error: ImageError) -> Int32 {
        switch error.code {
        case .missingFile: 66
        case .unreadableFile, .outOfMemory: 1
        case .unsupportedFormat, .malformed, .truncated, .tooLarge: 65
        }
    }

    private static func code(of error: ReportError) -> Int32 {
        switch error.code {
        case .notARunFolder: 66
        case .malformedFile: 65
        case .unknownDataset: 64
        case .unwritable: 1
        }
    }

    private static func code(of error: CocoaError) -> Int32 {
        switch error.code {
        case .fileReadNoSuchFile: 66
        case .fileReadCorruptFile, .fileReadInapplicableStringEncoding: 65
        default: 1
        }
    }

    /// Where a file is wrong, and how.
    private static func fault(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "the key \(key.stringValue) is missing"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            "\((["it"] + context.codingPath.map(\.stringValue)).joined(separator: ".")) should be "
                + "of type \(type)"
        default: "it is no JSON"
        }
    }

    /// Stops after figures were drawn: a signal has ended the programs that draw them, too.
    static func requireNoInterruption() throws {
        guard Interruption.isRequested else { return }
        throw Failure(75, "Interrupted while figures were drawn; the same command draws the rest.")
    }

    /// Runs the body of a command; an error becomes one paragraph on standard error.
    static func reporting(_ body: () throws -> Void) throws {
        do {
            try body()
            try Output.finish()
        } catch let error as ExitCode {
            throw error
        } catch {
            let failure = Failure(error)
            let head = failure.code == 75 ? "" : "Error: "
            Terminal.write("\(head)\(failure.description)\n")
            throw ExitCode(failure.code)
        }
    }
}
